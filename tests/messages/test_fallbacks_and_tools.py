"""A decline in the middle of work with server tools: what was done stays done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.subjects import Watched
from streams import parse_sse
from tools.api import Api, Block, bash, call, folded, tools_api
from tools.programmatic.asking import TOOLS, Talk, cell, results
from tools.web.api import SEARCH, asking, web_api
from understudy.engines.scenarios.model import Answer
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.messages.fallbacks import NEWEST
from understudy.settings import SimulatorSettings

FIRST, NEXT = "claude-opus-5-5", "claude-opus-5"
DECLINES = Answer(text="So far. ", stop_reason="refusal")
ASKED: dict[str, Any] = {"model": FIRST, "fallbacks": "default", "betas": NEWEST}


def kinds(message: Block) -> list[str]:
    return [block["type"] for block in message["content"]]


async def test_in_a_stream_results_carry_over_and_the_next_model_goes_on(tmp_path: Path) -> None:
    async with tools_api(tmp_path) as api:
        api.script(bash("echo one"), DECLINES, bash("echo two"), Answer(text="Done."))
        message = folded(await api.stream("Go", **ASKED))
        assert kinds(message) == [
            "server_tool_use",
            "bash_code_execution_tool_result",
            "text",
            "fallback",
            "server_tool_use",
            "bash_code_execution_tool_result",
            "text",
        ]
        assert message["content"][1]["content"]["stdout"] == "one\n"
        assert message["content"][5]["content"]["stdout"] == "two\n"
        assert (message["model"], message["stop_reason"]) == (NEXT, "end_turn")
        calls = [(one["type"], one["model"]) for one in message["usage"]["iterations"]]
        assert calls[0] == ("message", FIRST) and calls[-1] == ("fallback_message", NEXT)
        await taken_back(api, message)


async def test_a_whole_answer_begins_again(tmp_path: Path) -> None:
    async with tools_api(tmp_path) as api:
        api.script(bash("echo one"), DECLINES, bash("echo two"), Answer(text="Done."))
        message = await api.ask("Go", **ASKED)
        assert kinds(message) == ["fallback", "server_tool_use", "bash_code_execution_tool_result", "text"]
        assert message["content"][2]["content"]["stdout"] == "two\n"
        await taken_back(api, message)


async def taken_back(api: Api, message: Block) -> None:
    api.script(Answer(text="Fine."))
    turns = [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": "And now?"},
    ]
    answer = await api.ask("", messages=turns, container=message["container"]["id"], **ASKED)
    assert answer["stop_reason"] == "end_turn"


async def test_the_next_model_works_in_the_same_container(tmp_path: Path) -> None:
    async with tools_api(tmp_path) as api:
        api.script(bash("echo one > kept"), DECLINES, bash("cat kept"), Answer(text="Done."))
        message = folded(await api.stream("Go", **ASKED))
        assert message["content"][5]["content"]["stdout"] == "one\n"


async def test_the_next_model_reads_what_a_search_found(tmp_path: Path) -> None:
    engine = Watched(SimulatorEngine(SimulatorSettings()))
    async with web_api(tmp_path, engine=engine) as api:
        api.script(call("web_search", query="Ruby version"), DECLINES)
        asked = asking("Go", [SEARCH], model=FIRST, fallbacks="default", stream=True)
        answer = await api.messages.post(asked, anthropic_beta=NEWEST)
        message = folded(parse_sse(answer.body))
        assert kinds(message)[:4] == ["server_tool_use", "web_search_tool_result", "text", "fallback"]
        (turn,) = engine.turns
        _, result, _ = turn.request["messages"][-1]["content"]
        assert "latest stable Ruby version" in result["content"][0]["text"]
        assert len(turn.materials.web_results) == 1
        # The search was the first model's, and is charged once.
        (record,) = api.messages.records.kept
        assert [(one.model, one.web_search_requests) for one in (record, *record.further)] == [(NEXT, 0), (FIRST, 1)]


async def test_code_that_calls_on_needs_no_model_to_fall_back_from(tmp_path: Path) -> None:
    async with tools_api(tmp_path) as api:
        code = 'for city in ("Rome", "Oslo"):\n    print(await get_weather({"city": city}))'
        api.script(cell(code), DECLINES, Answer(text="Done."))
        talk = Talk(api, "go", **ASKED)
        await talk.say()
        talk.messages.append(results(talk.answers[0]))
        events = await api.stream("", messages=talk.messages, tools=TOOLS, **talk.more)
        assert [event["type"] for event in events] == ["message_start", "message_stop"]
        # No model was asked, and none is listed.
        message = folded(events)
        assert list(message["usage"]) == ["input_tokens", "output_tokens", "server_tool_use"]
        talk.answers.append(message)
        talk.messages.append({"role": "assistant", "content": message["content"]})
        assert (await talk.go_on())["model"] == NEXT


async def test_a_whole_answer_without_a_model_lists_no_calls(tmp_path: Path) -> None:
    async with tools_api(tmp_path) as api:
        code = 'for city in ("Rome", "Oslo"):\n    print(await get_weather({"city": city}))'
        api.script(cell(code), Answer(text="Done."))
        talk = Talk(api, "go", **ASKED)
        await talk.to_the_end()
        assert list(talk.answers[1]["usage"]) == ["input_tokens", "output_tokens", "server_tool_use"]
