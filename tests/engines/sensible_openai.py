"""What a sensible model behind an OpenAI-compatible server would say: it reads the request and does what it asks for.

A script for `fake_openai`. The same request gets the same answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fake_openai import Json, Reply, call, calls, chunk, refused, sse, usage
from understudy.engines.simulator.inputs import build_input, build_output
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import client_tools

SENTENCE: str = "Harbours are places of arrivals, and 😀 é rivers run to the sea where ships wait for the tide to turn."
WORDS = re.findall(r"\S+", SENTENCE)


def answer(body: Json) -> Reply:
    """At once. A body that asks for no stream is only to be counted (vLLM's /tokenize)."""
    if "stream" not in body:
        return refused(200, {"count": prompt_tokens(body)})
    chunks = list(_chunks(body))
    return Reply([sse(chunks)]) if body["stream"] else refused(200, _joined(chunks))


def slowly(body: Json) -> Reply:
    """An answer of some seconds, a piece every twentieth of one."""
    pieces: list[bytes | float | None] = []
    for one in _chunks(body, words=WORDS * 10):
        pieces += [sse([one], done=False), 0.05]
    return Reply(pieces)


def prompt_tokens(body: Json) -> int:
    """Its own count of the prompt, which nobody else would come to."""
    return 7 + len(json.dumps([body["messages"], body.get("tools")])) // 3


def _chunks(body: Json, words: list[str] = WORDS) -> Iterator[Json]:
    most: int = body.get("max_tokens") or body["max_completion_tokens"]
    parts = _thoughts(body) + _said(body, words)
    for made, part in enumerate(parts[:most], 1):
        if (body.get("stream_options") or {}).get("continuous_usage_stats"):
            part["usage"] = usage(prompt_tokens(body), made, 5)
        yield part
    called = any("tool_calls" in part["choices"][0]["delta"] for part in parts[:most])
    yield chunk({}, "length" if len(parts) > most else "tool_calls" if called else "stop")
    yield chunk(usage=usage(prompt_tokens(body), min(len(parts), most), 5))


def _joined(chunks: list[Json]) -> Json:
    """The answer of one who asked for no stream."""
    message: Json = {"role": "assistant", "content": "", "reasoning": "", "tool_calls": []}
    found: Json = {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}
    for one in chunks:
        for choice in one["choices"]:
            delta: Json = choice["delta"]
            for name in ("content", "reasoning"):
                message[name] += delta.get(name) or ""
            for piece in delta.get("tool_calls") or []:
                if piece["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append(piece)
                else:
                    message["tool_calls"][piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
            found["choices"][0]["finish_reason"] = choice["finish_reason"]
        found["usage"] = one.get("usage")
    return found


def _thoughts(body: Json) -> list[Json]:
    if not (body.get("chat_template_kwargs") or {}).get("enable_thinking"):
        return []
    return [chunk({"reasoning": piece}) for piece in ("Let me ", "see… ", "é😀.")]


def _said(body: Json, words: list[str]) -> list[Json]:
    last = body["messages"][-1]
    asked = _text(last.get("content"))
    chosen = _called(body, asked, after_result=last["role"] == "tool")
    if chosen:
        return _calls(chosen, asked)
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    if schema is not None:
        words = json.dumps(build_output(schema, asked, [], _seeded)).replace(" ", "\0 ").split("\0")
        return [chunk({"content": word}) for word in words]
    # Tokens of models begin with the space before them.
    return [chunk({"content": f" {word}"}) for word in [asked[:20].strip() or "Well", *words]]


def _called(body: Json, asked: str, *, after_result: bool) -> list[Json]:
    """The functions that are called, as one who minds `tool_choice`."""
    functions = [tool["function"] for tool in body.get("tools") or []]
    choice: Any = body.get("tool_choice", "auto")
    if isinstance(choice, dict):
        return [one for one in functions if one["name"] == choice["function"]["name"]]
    if not functions or choice == "none" or (choice == "auto" and (after_result or "weather" not in asked)):
        return []
    return functions[:1] if body.get("parallel_tool_calls") is False else functions[:2]


def _calls(functions: list[Json], asked: str) -> list[Json]:
    """Calls whose inputs come in turns, piece by piece."""
    made: list[list[str]] = []
    for one in functions:
        (tool,) = client_tools([{"name": one["name"], "input_schema": one["parameters"]}])
        text = json.dumps(build_input(tool, asked, [], _seeded), ensure_ascii=False)
        made.append([text[start : start + 9] for start in range(0, len(text), 9)])
    found = [calls(*(call(place, f"call_{place}", one["name"], "") for place, one in enumerate(functions)))]
    for turn in range(max(map(len, made))):
        found += [calls(call(place, None, None, one[turn])) for place, one in enumerate(made) if turn < len(one)]
    return found


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(part.get("text") or "" for part in content)
    return content or ""


def _seeded() -> Seeded:
    return Seeded(b"sensible")
