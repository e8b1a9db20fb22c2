"""Tools that come and go in the middle of a conversation. Source: mid-conversation-system-messages.md (2026-08)."""

from __future__ import annotations

from typing import Any

import pytest

from asgi import InProcess
from understudy.tools.running import ServerTools
from understudy.tools.tool_search.session import ToolSearch

Block = dict[str, Any]

BETAS = "mid-conversation-tool-changes-2026-07-01,inline-tools-2026-09-15"
MODEL = "claude-opus-5"
WEATHER: Block = {
    "name": "get_weather",
    "description": "Get the weather of a place",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}
OTHER: Block = {"name": "play_music", "description": "Play a song", "input_schema": {"type": "object"}}
ASKED = "What is the weather in Paris?"


def change(kind: str, name: str = "get_weather") -> Block:
    return {"type": kind, "tool": {"type": "tool_reference", "name": name}}


def conversation(*changes: Block) -> list[Block]:
    return [{"role": "user", "content": ASKED}, {"role": "system", "content": list(changes)}]


async def answer(messages: list[Block], tools: list[Block], api: InProcess | None = None, **more: Any) -> Any:
    body = {"model": MODEL, "max_tokens": 500, "tools": tools, "messages": messages, **more}
    got = await (api or InProcess()).post(body, anthropic_beta=BETAS)
    return got.status, got.json()


@pytest.mark.parametrize(
    ("changes", "tool", "called"),
    [
        ((change("tool_removal"),), WEATHER, False),
        ((change("tool_removal"), change("tool_addition")), WEATHER, True),
        ((change("tool_addition"),), WEATHER | {"defer_loading": True}, True),
        ((), WEATHER | {"defer_loading": True}, False),
        ((change("tool_removal", "play_music"),), WEATHER, True),
    ],
)
async def test_the_simulator_calls_what_is_offered_now(changes: tuple[Block, ...], tool: Block, called: bool) -> None:
    messages = conversation(*changes) if changes else [{"role": "user", "content": ASKED}]
    status, message = await answer(messages, [tool, OTHER])
    assert status == 200, message
    names = [block["name"] for block in message["content"] if block["type"] == "tool_use"]
    assert names == (["get_weather"] if called else [])


async def test_the_simulator_calls_what_was_defined_in_the_conversation() -> None:
    defined = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": WEATHER}}
    status, message = await answer(conversation(defined), [OTHER])
    assert (status, message["stop_reason"]) == (200, "tool_use")
    assert message["content"][-1]["input"] == {"location": "Paris"}


async def test_a_server_tool_that_was_withdrawn_is_not_called() -> None:
    search: Block = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
    api = InProcess(tools=ServerTools([ToolSearch()]))
    tools = [search, WEATHER | {"defer_loading": True}]
    _, before = await answer([{"role": "user", "content": ASKED}], tools, api)
    assert "server_tool_use" in {block["type"] for block in before["content"]}
    status, after = await answer(conversation(change("tool_removal", "tool_search_tool_bm25")), tools, api)
    assert status == 200, after
    assert {block["type"] for block in after["content"]} <= {"text", "thinking"}


@pytest.mark.parametrize("kind", ["tool_addition", "tool_removal"])
async def test_a_name_that_was_not_declared_is_refused(kind: str) -> None:
    status, body = await answer(conversation(change(kind, "nobody")), [WEATHER])
    assert status == 400
    assert body["error"]["message"] == (
        f"messages.1.content.0.{kind}.tool: Tool reference 'nobody' not found in available tools"
    )
    assert body["error"]["details"] == {"error_code": "tool_reference_unresolved"}
