"""A target dies in the middle of a tool loop with thinking, and the conversation goes on at the next one.

The official SDK sends back what it was given, signatures and all; the first target, which made them, is gone.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message, ToolUseBlock

from engines import sensible_openai
from fake_openai import FakeOpenAI, fake_openai
from servers import RunningServer, ServerStarter

pytestmark = pytest.mark.slow

ASK = "What is the weather in Paris and in Rome?"
TOOL: Any = {
    "name": "get_weather",
    "description": "Get the current weather in a given city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
NEW, OLD = "claude-opus-5-5", "claude-sonnet-4-5"
THINKING: dict[str, Any] = {
    NEW: {"type": "adaptive", "display": "summarized"},
    OLD: {"type": "enabled", "budget_tokens": 1_024},
}


@dataclass
class End:
    """One target: how the configuration names it, how it dies, and what it was asked, where that can be seen."""

    config: str
    die: Callable[[], Awaitable[None]]
    bodies: list[dict[str, Any]] | None = None


@asynccontextmanager
async def openai_end(name: str, serve: ServerStarter) -> AsyncGenerator[End]:
    async with AsyncExitStack() as stack:
        fake: FakeOpenAI = await stack.enter_async_context(fake_openai(script=sensible_openai.answer))
        config = f'[engines.{name}]\nkind = "openai"\ndialect = "vllm"\nbase_url = "{fake.url}"\n'
        yield End(config, stack.aclose, fake.bodies)


@asynccontextmanager
async def claude_end(name: str, serve: ServerStarter) -> AsyncGenerator[End]:
    up: RunningServer = await asyncio.to_thread(serve)

    async def die() -> None:
        await asyncio.to_thread(up.kill)

    key = f'api_key = "{up.api_key}"\n'
    yield End(f'[engines.{name}]\nkind = "claude"\nbase_url = "{up.url}"\n{key}', die)


@asynccontextmanager
async def simulator_end(name: str, serve: ServerStarter) -> AsyncGenerator[End]:
    async def die() -> None:
        raise AssertionError("it lives in the server that is tried")

    yield End(f'[engines.{name}]\nkind = "simulator"\n', die)


ENDS = {"openai": openai_end, "claude": claude_end, "simulator": simulator_end}


def called(message: Message) -> list[ToolUseBlock]:
    return [block for block in message.content if block.type == "tool_use"]


def results(message: Message) -> Any:
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"18 degrees in {block.input}"}
        for block in called(message)
    ]


@pytest.mark.parametrize(
    ("first", "second", "model", "stream"),
    [
        ("claude", "simulator", NEW, True),
        ("claude", "simulator", OLD, False),
        ("claude", "openai", OLD, True),
        ("openai", "claude", NEW, False),
        ("openai", "claude", OLD, True),
        ("openai", "simulator", NEW, True),
    ],
)
async def test_a_tool_loop_with_thinking_goes_on_at_the_next_target(
    serve: ServerStarter, tmp_path: Path, first: str, second: str, model: str, stream: bool
) -> None:
    async with ENDS[first]("first", serve) as one, ENDS[second]("second", serve) as other:
        path = tmp_path / "understudy.toml"
        targets = '{ engine = "first", model = "*" }, { engine = "second", model = "*", weight = 0 }'
        path.write_text(f'[[models.map]]\nname = "{model}"\ntargets = [{targets}]\n{one.config}\n{other.config}')
        server = await asyncio.to_thread(serve, "--config", str(path))
        async with AsyncAnthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=30) as client:
            said: Any = [{"role": "user", "content": ASK}]

            async def answered() -> tuple[Message, str]:
                request: Any = {
                    "model": model, "max_tokens": 2_000, "tools": [TOOL], "thinking": THINKING[model], "messages": said
                }  # fmt: skip
                if stream:
                    async with client.messages.stream(**request) as events:
                        found = await events.get_final_message()
                        return found, events.response.headers["understudy-engine"]
                raw = await client.messages.with_raw_response.create(**request)
                return await raw.parse(), raw.headers["understudy-engine"]

            message, by = await answered()
            assert by == f"first/{model}"
            assert called(message) and message.stop_reason == "tool_use"
            (thought,) = [block for block in message.content if block.type == "thinking"]
            assert thought.signature

            await one.die()
            said += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results(message)}]
            assert (await answered())[1] == f"second/{model}"

            # The loop goes on to its end, and a second one begins, with thinking of both.
            for _ in range(4):
                message, by = await answered()
                assert by == f"second/{model}"
                said += [{"role": "assistant", "content": message.content}]
                said += [{"role": "user", "content": results(message) or "And in Lima, what is the weather there?"}]
        if other.bodies is not None:
            # It was given the whole loop.
            assert "18 degrees" in json.dumps(other.bodies[0])
        assert server.stop() == 0
        printed = server.printed()
    attempts = [line for line in printed.splitlines() if "the next is tried" in line]
    assert attempts and all(re.search(r"engine\W+first", line) for line in attempts), printed
    assert "Traceback" not in printed
