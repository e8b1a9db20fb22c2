"""What an OpenAI-compatible engine sees of MCP servers' tools, and a recorded request with a server in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engines.openai_compatible.turns import engine
from fake_openai import call, calls, chunk, fake_openai, said, stream

from .imposters import Asked, acting, imposter
from .serving import served
from .talking import NEWEST, OLD, Talk, folded, results, server, toolset
from .talking import said as text_of


def calling(name: str, **given: Any) -> Any:
    return stream(calls(call(0, "call_0", name, json.dumps(given))), chunk(finish_reason="tool_calls"))


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_upstream_calls_a_servers_tool_like_any_other(*, streamed: bool) -> None:
    own = {"name": "get_time", "input_schema": {"type": "object"}}
    only = toolset(default_config={"enabled": False}, configs={"get_weather": {"enabled": True}})
    async with fake_openai(said("done")) as upstream:
        with served() as host:
            up = engine(upstream.url)
            talk = Talk(engine=up)
            upstream.reply(calling("mcp__weather__get_weather", city="Rome"), said("Sunny."))
            servers = [server(host.url)]
            if streamed:
                message = folded(await talk.stream(servers, tools=[own, only]))
            else:
                message = await talk.ask(servers, tools=[own, only])
            assert text_of(results(message)[0]) == "It is 21 degrees and sunny in Rome."
            first, second = upstream.bodies
            names = [tool["function"]["name"] for tool in first["tools"]]
            assert names == ["get_time", "mcp__weather__get_weather"]
            assert "mcp_servers" not in json.dumps(first)
            assert [one["role"] for one in second["messages"]] == ["user", "assistant", "tool"]
            assert second["messages"][1]["tool_calls"][0]["function"]["name"] == "mcp__weather__get_weather"
            assert second["messages"][2]["content"] == "It is 21 degrees and sunny in Rome."
            assert second["tools"] == first["tools"]
            await up.close()


async def test_earlier_calls_and_listings_are_told_to_an_upstream() -> None:
    listed = {"name": "look", "input_schema": {"type": "object"}}
    use = {"type": "mcp_tool_use", "id": "mcptoolu_01A", "name": "look", "server_name": "one", "input": {"at": "sky"}}
    result = {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_01A", "is_error": True}
    said_before = [
        {"type": "mcp_tool_listing", "mcp_server_name": "one", "tools": [listed]},
        use,
        {**result, "content": [{"type": "text", "text": "dark"}]},
        {"type": "text", "text": "It is dark."},
    ]
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": said_before},
        {"role": "user", "content": "Again."},
    ]
    async with fake_openai(said("done")) as upstream:
        up = engine(upstream.url)
        await Talk(engine=up).ask([server("https://example.com/mcp", "one")], messages=messages, beta=NEWEST)
        await up.close()
        (body,) = upstream.bodies
        assert [tool["function"]["name"] for tool in body["tools"]] == ["mcp__one__look"]
        told = [(one["role"], one.get("tool_calls", one["content"])) for one in body["messages"]]
        assert [role for role, _ in told] == ["user", "assistant", "tool", "assistant", "user"]
        assert told[1][1][0]["function"] == {"name": "mcp__one__look", "arguments": '{"at":"sky"}'}
        assert told[2][1] == "Error:\n\ndark"


async def test_the_recorded_request_is_answered_with_the_recorded_shapes() -> None:
    """pydantic-ai's cassettes of 2025-07 to 2026-08; the server stood at another place then."""
    question = {"type": "object", "properties": {"repoName": {"type": "string"}, "question": {"type": "string"}}}
    listed = {"name": "ask_question", "description": "Ask about a GitHub repository.", "inputSchema": question}

    async def listing(asked: Asked) -> None:
        asked.result({"tools": [listed]})

    async def answer(asked: Asked) -> None:
        asked.result({"content": [{"type": "text", "text": "An agent framework."}]})

    async with imposter(acting(tools_list=listing, tools_call=answer)) as deepwiki:
        asked = [{"type": "text", "text": "Ask about the GitHub repository pydantic/pydantic-ai: what is it?"}]
        message = await Talk().ask(
            [server(deepwiki.url, "deepwiki")],
            messages=[{"role": "user", "content": asked}],
            beta=OLD,
            model="claude-sonnet-4-5",
            thinking={"type": "enabled", "budget_tokens": 3000},
        )
        assert [block["type"] for block in message["content"]] == [
            "thinking",
            "mcp_tool_use",
            "mcp_tool_result",
            "text",
        ]
        assert set(message["content"][1]) == {"id", "input", "name", "server_name", "type"}
        assert set(message["content"][2]) == {"content", "is_error", "tool_use_id", "type"}
