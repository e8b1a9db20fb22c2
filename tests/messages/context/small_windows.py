"""The Messages API in process, before a model with a small window that is played by the simulator or by a script."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

import asgi
from asgi import InProcess
from streams import check_stream, parse_sse
from understudy.engines.engine import Engine, EngineEvent, EngineTurn, Stop, TextDelta, ToolUse
from understudy.engines.routing import Backend, Facts, Mapped, MappedTarget, Routing
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.messages.fold import Fold
from understudy.settings import SimulatorSettings
from understudy.tools.running import ServerTools

Block = dict[str, Any]

MODEL = "claude-sonnet-4-6"
THINKER = "claude-sonnet-5-5"
"""Binds what it thinks to the conversation."""
OLDER = "claude-haiku-4-5-20251001"
"""Has no compaction."""
BETA = "compact-2026-01-12"
NEWER = "compact-2026-09-04"
WINDOW = 4_000
"""A trigger that such a window has no room for is taken for 3,000 tokens."""


class Scripted:
    """Says `answers`, one a call, each the events before its end; then its last one again. `turns` is what it got."""

    name = "scripted"

    def __init__(self, *answers: Sequence[EngineEvent]) -> None:
        self.answers = list(answers)
        self.turns: list[EngineTurn] = []

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        self.turns.append(turn)
        said = self.answers[min(len(self.turns), len(self.answers)) - 1]
        yield []
        tokens = 0
        for event in said:
            tokens += getattr(event, "tokens", 0)
            yield [event]
        yield [Stop("tool_use" if any(isinstance(event, ToolUse) for event in said) else "end_turn", tokens)]


def says(text: str) -> list[EngineEvent]:
    return [TextDelta(text, max(len(text) // 4, 1))]


def compact(**more: Any) -> Block:
    return {"edits": [{"type": "compact_20260112", **more}]}


def user(content: Any) -> Block:
    return {"role": "user", "content": content}


def assistant(*content: Any) -> Block:
    return {"role": "assistant", "content": list(content)}


LONG = "The quick brown fox jumps over the lazy dog. " * 300
"""More than 3,000 tokens, and less than 4,000."""


class Small:
    def __init__(self, api: InProcess) -> None:
        self.api = api

    @property
    def record(self) -> Any:
        return self.api.records.kept[-1]

    async def ask(self, messages: list[Block], *, betas: str = BETA, **more: Any) -> Block:
        answer = await self.api.post(asking(messages, **more), anthropic_beta=betas)
        assert answer.status == 200, answer.body
        return answer.json()

    async def stream(self, messages: list[Block], *, betas: str = BETA, **more: Any) -> list[Block]:
        answer = await self.api.post(asking(messages, stream=True, **more), anthropic_beta=betas)
        assert answer.status == 200, answer.body
        events = parse_sse(answer.body)
        check_stream(events)
        return events

    async def refusal(self, messages: list[Block], *, betas: str = BETA, **more: Any) -> Block:
        answer = await self.api.post(asking(messages, **more), anthropic_beta=betas)
        assert answer.status == 400, answer.body
        return answer.json()["error"]

    async def count(self, messages: list[Block], **more: Any) -> Block:
        asked = asking(messages, **more)
        del asked["max_tokens"]
        answer = await self.api.post(asked, path="/v1/messages/count_tokens", anthropic_beta=BETA)
        assert answer.status == 200, answer.body
        return answer.json()


def asking(messages: list[Block], **more: Any) -> Block:
    asked = {"model": MODEL, "max_tokens": 200, "messages": messages, "context_management": compact(), **more}
    return {name: value for name, value in asked.items() if value is not None}


def folded(events: list[Block]) -> Block:
    fold = Fold()
    fold.add_all(events)
    return fold.message


def small_api(
    monkeypatch: pytest.MonkeyPatch, engine: Engine | None = None, *, window: int = WINDOW, tools: Sequence[Any] = ()
) -> Small:
    played = engine or SimulatorEngine(SimulatorSettings())
    facts = Facts(max_input_tokens=window, max_tokens=window // 2)
    mapped = [Mapped(name, (MappedTarget("it", "*"),), facts) for name in (MODEL, THINKER, OLDER)]

    def routing(_: Engine | None, names: Sequence[str] = ()) -> Routing:
        return Routing(None, names, mapped=mapped, backends={"it": Backend(engine=played)})

    monkeypatch.setattr(asgi, "Routing", routing)
    return Small(InProcess(tools=ServerTools(tools)))
