"""Requests with tools that code may call, and the rounds of a client that runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.tools.api import Api, call
from understudy.engines.scenarios.model import Answer

Block = dict[str, Any]

CODE = "code_execution_20260120"
RUNNER: Block = {"type": CODE, "name": "code_execution"}
WEATHER: Block = {
    "name": "get_weather",
    "description": "The weather in a city, as JSON.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "allowed_callers": [CODE],
}
TOOLS = [RUNNER, WEATHER]


def cell(code: str) -> Answer:
    """A scripted call of Python."""
    return call("code_execution", code=code)


def weather(block: Block) -> str:
    return json.dumps({"city": block["input"]["city"], "degrees": len(block["input"]["city"])})


def results(message: Block, answer: Callable[[Block], Any] = weather) -> Block:
    """The client's turn."""
    blocks = [block for block in message["content"] if block["type"] == "tool_use"]
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": block["id"], "content": answer(block)} for block in blocks],
    }


class Talk:
    """A conversation of a client that runs its tools. `requests` are what it sent, `answers` what came."""

    def __init__(self, api: Api, asked: str, tools: list[Block] | None = None, **more: Any) -> None:
        self.api = api
        self.tools = TOOLS if tools is None else tools
        self.more = more
        self.messages: list[Block] = [{"role": "user", "content": asked}]
        self.answers: list[Block] = []

    async def say(self) -> Block:
        answer = await self.api.ask("", messages=self.messages, tools=self.tools, **self.more)
        self.answers.append(answer)
        self.messages.append({"role": "assistant", "content": answer["content"]})
        if answer["container"] is not None:
            self.more["container"] = answer["container"]["id"]
        return answer

    async def go_on(self, answer: Callable[[Block], Any] = weather) -> Block:
        self.messages.append(results(self.answers[-1], answer))
        return await self.say()

    async def to_the_end(self, answer: Callable[[Block], Any] = weather) -> Block:
        message = await self.say()
        while message["stop_reason"] == "tool_use":
            message = await self.go_on(answer)
        return message
