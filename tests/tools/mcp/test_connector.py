"""The MCP connector against a real MCP server, in process."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from understudy.engines.scenarios.model import Answer
from understudy.tools.protocol import Asked

from .serving import TOKEN, McpHost, served
from .talking import MODEL, NEW, NEWEST, OLD, Talk, call, connector, folded, results, said, server, toolset

QUESTION = "What is the weather in Paris?"


@pytest.fixture(scope="module")
def host() -> Generator[McpHost]:
    with served() as made:
        yield made


@pytest.fixture(autouse=True)
def _forgetful(host: McpHost) -> None:
    host.seen.clear()
    host.called.clear()


@pytest.mark.parametrize("beta", [OLD, NEW])
async def test_the_simulator_calls_a_tool_and_tells_what_came(host: McpHost, beta: str) -> None:
    message = await Talk().ask([server(host.url)], QUESTION, beta=beta)
    use, result, text = message["content"]
    assert list(use) == ["type", "id", "name", "input", "server_name"]
    assert use["id"].startswith("mcptoolu_01")
    assert (use["type"], use["name"], use["server_name"]) == ("mcp_tool_use", "get_weather", "weather")
    assert use["input"] == {"city": "Paris"}
    assert result == {
        "type": "mcp_tool_result",
        "tool_use_id": use["id"],
        "is_error": False,
        "content": [{"type": "text", "text": "It is 21 degrees and sunny in Paris."}],
    }
    assert "21 degrees" in text["text"]
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 0}
    assert host.called == ["get_weather"]


async def test_a_stream_has_the_same_blocks(host: McpHost) -> None:
    events = await Talk().stream([server(host.url)], QUESTION)
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in starts] == ["mcp_tool_use", "mcp_tool_result", "text"]
    assert starts[0]["input"] == {}
    assert list(starts[1]) == ["type", "tool_use_id", "is_error", "content"]
    message = folded(events)
    assert message["content"][0]["input"] == {"city": "Paris"}
    assert said(message["content"][1]) == "It is 21 degrees and sunny in Paris."


@pytest.mark.parametrize(
    "options", [{"newest": "2025-11-25"}, {"sse_only": True}, {"json_response": True}, {"stateless_http": True}]
)
async def test_servers_of_every_transport_and_age_are_spoken_to(options: dict[str, Any]) -> None:
    with served(**options) as one:
        url = one.sse_url if "sse_only" in options else one.url
        message = await Talk().ask([server(url)], QUESTION)
        assert said(results(message)[0]) == "It is 21 degrees and sunny in Paris."


async def test_earlier_blocks_are_given_back(host: McpHost) -> None:
    talk = Talk()
    first = await talk.ask([server(host.url)], QUESTION)
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": "And what is the weather in Rome?"},
    ]
    second = await talk.ask([server(host.url)], messages=messages)
    assert second["content"][0]["input"] == {"city": "Rome"}
    assert said(results(second)[0]) == "It is 21 degrees and sunny in Rome."


async def test_a_call_that_waited_for_a_clients_result_runs_first(host: McpHost) -> None:
    """As in a recorded answer: the message begins with the result."""
    add = {"name": "add", "description": "Add two numbers.", "input_schema": {"type": "object"}}
    use = {"type": "mcp_tool_use", "id": "mcptoolu_01A", "name": "get_weather", "server_name": "weather"}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "The weather in Oslo, and 2 and 2."},
        {
            "role": "assistant",
            "content": [
                {**use, "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "toolu_01B", "name": "add", "input": {"a": 2, "b": 2}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01B", "content": "4"}]},
    ]
    talk = Talk()
    talk.script(Answer(text="Sunny, and 4."))
    for more in ({"beta": OLD, "tools": [add]}, {"tools": [add, toolset()]}):
        message = await talk.ask([server(host.url)], messages=messages, **more)
        assert [block["type"] for block in message["content"]] == ["mcp_tool_result", "text"]
        assert message["content"][0]["tool_use_id"] == "mcptoolu_01A"
        talk.script(Answer(text="Sunny, and 4."))


async def test_two_servers_may_have_tools_of_one_name(host: McpHost) -> None:
    with served() as other:
        servers = [server(host.url, "north"), server(other.url, "south side")]
        talk = Talk()
        talk.script(
            call("mcp__south_side__get_weather", city="Lima"),
            call("mcp__north__get_weather", city="Oslo"),
            Answer(text="Both are sunny."),
        )
        message = await talk.ask(servers)
        uses = [block for block in message["content"] if block["type"] == "mcp_tool_use"]
        assert [(use["server_name"], use["name"]) for use in uses] == [
            ("south side", "get_weather"),
            ("north", "get_weather"),
        ]
        assert [said(result)[-5:] for result in results(message)] == ["Lima.", "Oslo."]
        assert (host.called, other.called) == (["get_weather"], ["get_weather"])


async def test_a_tool_of_the_client_may_have_the_name_of_one_of_a_server(host: McpHost) -> None:
    own = {"name": "mcp__weather__get_weather", "input_schema": {"type": "object"}}
    talk = Talk()
    talk.script(call("mcp__weather__get_weather", city="Rome"))
    message = await talk.ask([server(host.url)], tools=[own, toolset()])
    assert [block["type"] for block in message["content"]] == ["tool_use"]
    talk.script(call("mcp__weather__get_weather_2", city="Rome"), Answer(text="Sunny."))
    message = await talk.ask([server(host.url)], tools=[own, toolset()])
    assert message["content"][0]["name"] == "get_weather"


@pytest.mark.parametrize(
    ("config", "offered"),
    [
        ({"default_config": {"enabled": False}, "configs": {"get_weather": {"enabled": True}}}, {"get_weather"}),
        ({"default_config": {"enabled": False}}, set[str]()),
        ({"configs": {"not_there": {"enabled": True}, "wait_long": {"enabled": False}}}, None),
    ],
)
async def test_toolsets_allow_and_deny(host: McpHost, config: dict[str, Any], offered: set[str] | None) -> None:
    counted = connector()
    request = {"messages": [], "mcp_servers": [server(host.url)], "tools": [toolset(**config)]}
    session = await counted.session(Asked("org", "wrk", request, [NEW]))
    names = {str(function.title) for function in session.functions}
    if offered is None:
        assert "get_weather" in names
        assert "wait_long" not in names
    else:
        assert names == offered


async def test_the_old_beta_says_which_tools_in_the_server(host: McpHost) -> None:
    only = server(host.url, tool_configuration={"allowed_tools": ["get_report"]})
    talk = Talk()
    talk.script(call("mcp__weather__get_report"), Answer(text="Rain."))
    message = await talk.ask([only], beta=OLD)
    assert said(results(message)[0]) == "Rain on Monday.\n[resource file:///map.png - map - the map]"
    off = server(host.url, tool_configuration={"enabled": False})
    host.seen.clear()
    message = await Talk().ask([off], QUESTION, beta=OLD)
    assert [block["type"] for block in message["content"]] == ["text"]
    assert host.seen == []


async def test_a_tool_that_is_denied_is_not_called(host: McpHost) -> None:
    """A paused call of it comes back with the conversation."""
    use = {"type": "mcp_tool_use", "id": "mcptoolu_01A", "name": "drop_all_data", "server_name": "weather", "input": {}}
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [use]}]
    denied = toolset(configs={"drop_all_data": {"enabled": False}})
    talk = Talk()
    talk.script(Answer(text="No."))
    message = await talk.ask([server(host.url)], messages=messages, tools=[denied])
    assert message["content"][0]["is_error"] is True
    assert host.called == []


async def test_deferred_tools_are_found_by_tool_search(host: McpHost) -> None:
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    tools = [search, toolset(default_config={"defer_loading": True})]
    talk = Talk()
    talk.script(
        call("tool_search_tool_regex", pattern="weather of a city"),
        call("mcp__weather__get_weather", city="Rome"),
        Answer(text="Sunny."),
    )
    message = await talk.ask([server(host.url)], tools=tools)
    found = next(block for block in message["content"] if block["type"] == "tool_search_tool_result")
    assert [one["tool_name"] for one in found["content"]["tool_references"]] == ["mcp__weather__get_weather"]
    assert said(results(message)[0]) == "It is 21 degrees and sunny in Rome."
    again = [{"role": "assistant", "content": message["content"]}, {"role": "user", "content": "Thanks."}]
    assert await talk.ask([server(host.url)], messages=[{"role": "user", "content": "hi"}, *again], tools=tools)


async def test_tool_choice_names_a_tool_as_its_server_does(host: McpHost) -> None:
    chosen = {"type": "tool", "name": "get_weather"}
    for beta in (NEW, OLD):
        message = await Talk().ask([server(host.url)], "Oslo, please.", tool_choice=chosen, beta=beta)
        assert message["content"][0]["name"] == "get_weather"


async def test_count_tokens_counts_what_servers_list(host: McpHost) -> None:
    api = Talk().api
    asked: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}

    async def count(**more: Any) -> int:
        answer = await api.post({**asked, **more}, path="/v1/messages/count_tokens", anthropic_beta=NEW)
        assert answer.status == 200, answer.body
        return answer.json()["input_tokens"]

    servers = [server(host.url)]
    alone = await count()
    everything = await count(mcp_servers=servers, tools=[toolset()])
    only = toolset(default_config={"enabled": False}, configs={"get_weather": {"enabled": True}})
    one = await count(mcp_servers=servers, tools=[only])
    assert alone < one < everything
    assert host.called == []


async def test_a_listing_has_pages_and_is_kept_for_a_while() -> None:
    now = [0.0]
    tool = connector(listing_lifetime=60, clock=lambda: now[0])
    with served(more=40) as one:
        talk = Talk(tool)
        for moment, lists in ((0.0, True), (59.0, False), (61.0, True)):
            one.seen.clear()
            now[0] = moment
            talk.script(Answer(text="ok"))
            await talk.ask([server(one.url)])
            assert bool(one.seen) is lists
        one.seen.clear()
        talk.script(Answer(text="ok"))
        await talk.ask([server(one.url, authorization_token="another")])
        assert one.seen


async def test_a_pinned_listing_is_not_asked_for(host: McpHost) -> None:
    pinned = [{"name": "get_weather", "description": "The weather.", "input_schema": {"type": "object"}}]
    listing = {"type": "mcp_tool_listing", "mcp_server_name": "weather", "tools": pinned}
    talk = Talk()
    earlier = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [listing, {"type": "text", "text": "ok"}]},
        {"role": "user", "content": "go on"},
    ]
    asked: list[dict[str, Any]] = [{"tools": [toolset(tools=pinned)]}, {"messages": earlier}]
    for more in asked:
        talk.script(Answer(text="ok"))
        await talk.ask([server(host.url)], beta=NEWEST, **more)
        assert host.seen == []


async def test_media_are_named_and_errors_are_errors(host: McpHost) -> None:
    talk = Talk()
    talk.script(call("mcp__weather__sky_picture"), call("mcp__weather__failing_forecast"), Answer(text="ok"))
    picture, failed = results(await talk.ask([server(host.url)]))
    assert picture["is_error"] is False
    assert [block["text"] for block in picture["content"]] == ["[image image/png, 70 bytes, not shown]", "a blue sky"]
    assert failed["is_error"] is True
    assert "failing_forecast" in said(failed)


async def test_the_token_goes_to_its_server_and_into_no_answer() -> None:
    with served(token=TOKEN) as locked, served() as other:
        servers = [server(locked.url, authorization_token=TOKEN), server(other.url, "other")]
        talk = Talk()
        talk.script(call("mcp__weather__tell_token"), call("mcp__other__get_weather", city="Rome"), Answer(text="ok"))
        message = await talk.ask(servers)
        assert TOKEN not in json.dumps(message)
        assert "your token is ***" in said(results(message)[0])
        assert {authorization for _, _, authorization in locked.seen} == {f"Bearer {TOKEN}"}
        assert {authorization for _, _, authorization in other.seen} == {""}


async def test_instructions_of_a_server_reach_no_prompt(host: McpHost) -> None:
    talk = Talk()
    message = await talk.ask([server(host.url)], "Hello, how are you today?")
    assert "BANANA" not in json.dumps(message)
    assert host.called == []
