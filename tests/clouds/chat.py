"""POST /v1/chat/completions called in process or listening on a port, and what a client of it makes of the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from asgi import KEY, Answer, OneKey
from engines.claude.gateway import Gateway
from understudy.clouds.openai import PATH, chat_routes
from understudy.engines.engine import Engine
from understudy.engines.routing import Routing
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.http.envelope import ApiRoute, Envelope
from understudy.messages.endpoints import MessagesEndpoints
from understudy.settings import HttpSettings, SimulatorSettings, StreamSettings

HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
MODEL = "claude-sonnet-4-5"
HELLO: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}


class Chat(Gateway):
    """The whole API around `engine` (the simulator, unless one is given); with `urls`, `public` is their model."""

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        urls: dict[str, str] | None = None,
        targets: Sequence[tuple[str, str, int]] = (("simulator", "sim", 1),),
        ping_interval: float = 10.0,
        http: HttpSettings | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(urls or {}, targets, ping_interval=ping_interval, engine=engine, **settings)
        if urls is None:
            self.routing = Routing(engine or SimulatorEngine(SimulatorSettings()), ["public"])
        http = http or HttpSettings()
        stream = StreamSettings(ping_interval=ping_interval)
        messages = MessagesEndpoints(self.routing, self._preparation, http, stream, self._forwarding)

        async def nothing() -> None:
            pass

        self.app = Envelope(
            api_routes=[
                ApiRoute("/v1/messages", "POST", messages.create),
                *chat_routes(self.routing, messages.create, http, stream),
            ],
            other_routes=[],
            authenticator=OneKey(),
            request_log=self.records,
            start=nothing,
            stop=self.close,
        )

    async def chat(self, request: Any, **headers: str) -> Answer:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        return await self.call(path=PATH, headers={**HEADERS, **more}, body=body)


def chunks_of(body: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream that ended well. Fails on anything a client of OpenAI's would not read."""
    *frames, done, rest = body.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(frame.startswith("data: ") for frame in frames if frame != ": ping")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames if frame != ": ping"]


def accumulate(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The completion that the chunks make, as OpenAI's SDKs put it together."""
    message: dict[str, Any] = {"content": "", "role": None, "tool_calls": []}
    finish_reason = None
    whole: dict[str, Any] = {}
    for chunk in chunks:
        assert list(chunk)[:5] == ["id", "choices", "created", "model", "object"]
        assert chunk["object"] == "chat.completion.chunk"
        whole = {"id": chunk["id"], "model": chunk["model"], "usage": chunk.get("usage")}
        if not chunk["choices"]:
            assert chunk is chunks[-1]
            break
        (choice,) = chunk["choices"]
        assert finish_reason is None, "a delta after the reason to finish"
        finish_reason, delta = choice["finish_reason"], choice["delta"]
        message["role"] = delta.get("role", message["role"])
        message["content"] += delta.get("content") or ""
        if "function_call" in delta:
            call = message.setdefault("function_call", {"arguments": ""})
            call["name"] = delta["function_call"].get("name", call.get("name"))
            call["arguments"] += delta["function_call"]["arguments"]
        for piece in delta.get("tool_calls", []):
            calls = message["tool_calls"]
            if piece["index"] == len(calls):
                calls.append({"id": piece["id"], "type": piece["type"], "function": {"arguments": ""}})
                calls[-1]["function"]["name"] = piece["function"]["name"]
            else:
                assert piece["index"] == len(calls) - 1
            calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    assert finish_reason is not None
    return {**whole, "finish_reason": finish_reason, "message": message}


def said(completion: dict[str, Any]) -> dict[str, Any]:
    """What a whole completion and an accumulated stream have in common: no ids, arguments parsed."""
    choice = completion["choices"][0] if "choices" in completion else completion
    message = choice["message"]
    calls = [call["function"] for call in message.get("tool_calls") or []]
    calls += [message["function_call"]] if message.get("function_call") else []
    return {
        "content": message["content"] or "",
        "role": message["role"],
        "calls": [(call["name"], json.loads(call["arguments"])) for call in calls],
        "finish_reason": choice["finish_reason"],
        "model": completion["model"],
        "usage": completion["usage"],
    }


def check_error(answer: Answer, status: int | None = None) -> dict[str, Any]:
    """OpenAI's error envelope, whole."""
    assert 400 <= answer.status < 500 if status is None else answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    body = answer.json()
    assert list(body) == ["error"]
    error = body["error"]
    assert list(error) == ["code", "message", "type", "param"]
    assert error["type"] == "invalid_request_error"
    assert isinstance(error["message"], str) and error["message"]
    assert isinstance(error["code"], str)
    return error


def check_completion(answer: Answer) -> dict[str, Any]:
    """A whole completion of this route."""
    assert answer.status == 200, answer
    completion = answer.json()
    assert list(completion) == ["id", "choices", "created", "model", "object", "usage"]
    assert completion["object"] == "chat.completion"
    assert completion["id"].startswith("msg_")
    (choice,) = completion["choices"]
    assert list(choice) == ["finish_reason", "index", "message"]
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"] is not None or choice["message"].get("tool_calls")
    usage = completion["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    return completion
