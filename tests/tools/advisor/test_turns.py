"""A turn in which an advisor is asked. Sources: advisor-tool.md (2026-08), four recorded exchanges (2026-07)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from understudy.engines.engine import EngineEvent, EngineTurn, PromptTooLongError
from understudy.engines.scenarios.failures import Failure
from understudy.engines.scenarios.model import Answer, Text, ToolCall
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.settings import SimulatorSettings

from .api import (
    ADVISING,
    ASKED,
    BETA,
    CALL,
    REDACTED,
    TOOL,
    AdvisedApi,
    Block,
    asking,
    folded,
    kinds,
    result_of,
    types_of,
)

PLAN = Answer(text="Drain the queue first.")
DONE = Answer(text="Done.")


def scripted(*advice: Answer, **more: Any) -> AdvisedApi:
    api = AdvisedApi(**more)
    api.executor(CALL, DONE)
    api.advisor(*(advice or (PLAN,)))
    return api


async def test_advice_is_a_block_between_the_call_and_what_the_model_says_then() -> None:
    message = await scripted().ask()
    assert types_of(message) == ["server_tool_use", "advisor_tool_result", "text"]
    call, result, _ = message["content"]
    assert (call["name"], call["input"]) == ("advisor", {})
    assert list(result) == ["type", "tool_use_id", "content"]
    assert result["tool_use_id"] == call["id"]
    assert result["content"] == {"type": "advisor_result", "text": "Drain the queue first."}
    assert message["stop_reason"] == "end_turn"


async def test_the_advisors_tokens_stand_in_an_iteration_of_its_own_and_in_no_sum() -> None:
    usage = (await scripted().ask())["usage"]
    first, advice, last = usage["iterations"]
    assert [first["type"], advice["type"], last["type"]] == ["message", "advisor_message", "message"]
    assert list(advice)[-2:] == ["type", "model"]
    assert advice["model"] == ADVISING
    assert advice["input_tokens"] > 100
    assert usage["input_tokens"] == first["input_tokens"] + last["input_tokens"]
    assert usage["output_tokens"] == first["output_tokens"] + last["output_tokens"]
    assert usage["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 0}
    # Each call of the model sends what was said before it.
    assert last["input_tokens"] > first["input_tokens"]


async def test_a_stream_brings_the_result_in_one_event() -> None:
    events = await scripted().stream()
    place = next(
        index
        for index, event in enumerate(events)
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "advisor_tool_result"
    )
    assert events[place - 1]["type"] == "content_block_stop"
    assert events[place]["content_block"]["content"]["text"] == "Drain the queue first."
    assert events[place + 1] == {"type": "content_block_stop", "index": events[place]["index"]}
    assert "iterations" not in events[0]["message"]["usage"]
    assert [one["type"] for one in events[-2]["usage"]["iterations"]] == ["message", "advisor_message", "message"]
    assert types_of(folded(events)) == ["server_tool_use", "advisor_tool_result", "text"]


async def test_advice_that_the_client_must_not_read_is_sealed_and_read_by_the_model() -> None:
    api = scripted()
    message = await api.ask(tools=[TOOL | {"model": REDACTED}])
    content = result_of(message)
    assert list(content) == ["type", "encrypted_content"]
    assert "Drain" not in str(message)
    seen: list[Block] = []

    def reply(body: Block) -> Answer:
        seen.append(body)
        return DONE

    again = AdvisedApi()
    again.executor(Answer(reply=reply))
    messages = [
        {"role": "user", "content": ASKED},
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": "Go on."},
    ]
    await again.ask(messages=messages, tools=[TOOL | {"model": REDACTED}])
    assert seen[0]["messages"][1]["content"][1]["content"] == {
        "type": "advisor_result",
        "text": "Drain the queue first.",
    }


async def test_what_was_sealed_elsewhere_or_changed_is_refused() -> None:
    content = (await scripted().ask(tools=[TOOL | {"model": REDACTED}]))["content"]
    sealed: str = content[1]["content"]["encrypted_content"]
    changed = sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:]
    for forged in ("ZW5jcnlwdGVk", changed):
        block = {**content[1], "content": {"type": "advisor_redacted_result", "encrypted_content": forged}}
        messages = [
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": [content[0], block]},
            {"role": "user", "content": "Go on."},
        ]
        told = await AdvisedApi().refusal(messages=messages)
        assert told.startswith("messages.1.content.1.advisor_tool_result.content.encrypted_content: Invalid")


async def test_a_conversation_with_advice_needs_the_tool_no_more_but_the_beta() -> None:
    content = (await scripted().ask())["content"]
    messages = [
        {"role": "user", "content": ASKED},
        {"role": "assistant", "content": content},
        {"role": "user", "content": "Thanks."},
    ]
    body = {**asking("", messages=messages), "tools": []}
    assert (await AdvisedApi().post(body))[0] == 200
    assert (await AdvisedApi().post(body, beta=None))[0] == 400


async def test_with_a_cap_the_result_says_how_the_advice_ended() -> None:
    message = await scripted().ask(tools=[TOOL | {"max_tokens": 2048}])
    assert result_of(message) == {"type": "advisor_result", "text": "Drain the queue first.", "stop_reason": "end_turn"}


@pytest.mark.parametrize("advisor", [ADVISING, REDACTED])
async def test_advice_that_was_cut_says_so_to_the_client_and_to_the_model(advisor: str) -> None:
    api = scripted(Answer(text="step " * 3_000))
    seen: list[str] = []
    api.scenarios.reset()
    api.executor(CALL, Answer(reply=lambda body: seen.append(str(body["messages"])) or DONE))
    api.advisor(Answer(text="step " * 3_000))
    message = await api.ask(tools=[TOOL | {"model": advisor, "max_tokens": 1024}])
    assert result_of(message)["stop_reason"] == "max_tokens"
    note = "[Advisor output truncated at max_tokens=1024.]"
    assert note in seen[0]
    assert result_of(message).get("text", note).endswith(note)
    assert message["usage"]["iterations"][1]["output_tokens"] == 1024
    assert "You have 1024 tokens" in str(api.bodies[0]["messages"])


async def test_uses_beyond_the_cap_bring_an_error_and_ask_nobody() -> None:
    api = AdvisedApi()
    api.executor(CALL, CALL, DONE)
    api.advisor(PLAN, PLAN)
    message = await api.ask(tools=[TOOL | {"max_uses": 1}])
    results = [block["content"] for block in message["content"] if block["type"] == "advisor_tool_result"]
    assert results[1] == {"type": "advisor_tool_result_error", "error_code": "max_uses_exceeded"}
    assert len(api.bodies) == 1
    assert kinds(message) == [("message", None), ("advisor_message", ADVISING), ("message", None), ("message", None)]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure(status=429), "too_many_requests"),
        (Failure(status=529), "overloaded"),
        (Failure(status=413), "prompt_too_long"),
        (Failure(status=404), "model_not_found"),
        (Failure(status=500), "unavailable"),
    ],
    ids=str,
)
async def test_an_advisor_that_fails_costs_the_answer_nothing_but_the_advice(failure: Failure, code: str) -> None:
    message = await scripted(Answer(error=failure)).ask()
    assert result_of(message) == {"type": "advisor_tool_result_error", "error_code": code}
    assert message["content"][-1]["text"] == "Done."
    assert kinds(message) == [("message", None), ("message", None)]


async def test_an_advisor_that_takes_too_long_is_left() -> None:
    api = scripted(Answer(text="late", delay=30), timeout=0.2)
    message = await api.ask()
    assert result_of(message)["error_code"] == "execution_time_exceeded"
    (record,) = api.api.records.kept
    assert record.further[0].disconnected


class NoRoom:
    """An engine that has no room for the advisor's prompt."""

    name = "small"

    def __init__(self) -> None:
        self._engine = SimulatorEngine(SimulatorSettings())

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        if turn.request["model"] == ADVISING:
            raise PromptTooLongError("prompt is too long: 9 tokens > 8 maximum")
        async with aclosing(self._engine.run(turn)) as batches:
            async for batch in batches:
                yield batch


async def test_a_conversation_that_the_advisor_has_no_room_for() -> None:
    message = await AdvisedApi(NoRoom()).ask()
    assert result_of(message)["error_code"] == "prompt_too_long"
    assert message["content"][-1]["text"].endswith("The advisor gave no advice: prompt_too_long.")


async def test_a_model_that_nobody_answers_for_is_not_found() -> None:
    api = AdvisedApi()
    api.executor(CALL, DONE)
    assert result_of(await api.ask(tools=[TOOL | {"model": "nobody-knows"}]))["error_code"] == "model_not_found"


async def test_an_advisor_that_says_nothing_is_not_available_and_is_paid() -> None:
    message = await scripted(Answer(content=(Text(text=" "),))).ask()
    assert result_of(message)["error_code"] == "unavailable"
    assert kinds(message)[1] == ("advisor_message", ADVISING)


@pytest.mark.parametrize(
    ("executor", "advisor", "allowed"),
    [
        ("claude-haiku-4-5", "claude-sonnet-4-6", True),
        ("claude-haiku-4-5", "claude-haiku-4-5", False),
        ("claude-sonnet-4-6", "claude-opus-4-6", True),
        ("claude-sonnet-5", "claude-opus-4-6", False),
        ("claude-opus-4-6", "claude-sonnet-5", True),
        ("claude-opus-4-7", "claude-opus-4-8", True),
        ("claude-opus-4-8", "claude-opus-4-7", True),
        ("claude-opus-4-7", "claude-sonnet-5", False),
        ("claude-fable-5", "claude-opus-5", True),
        ("claude-fable-5", "claude-opus-4-8", False),
        ("claude-fable-5-1", "claude-fable-5", False),
        ("claude-sonnet-4-5", "claude-opus-5", False),
    ],
)
async def test_models_advise_those_that_are_no_more_capable(executor: str, advisor: str, allowed: bool) -> None:
    status, body = await AdvisedApi().post(asking("hi", model=executor, tools=[TOOL | {"model": advisor}]))
    assert status == (200 if allowed else 400), body
    if not allowed:
        name = {"claude-haiku-4-5": "claude-haiku-4-5-20251001", "claude-sonnet-4-5": "claude-sonnet-4-5-20250929"}
        assert body["error"]["message"] == (
            f"tools.0.model: '{advisor}' cannot be used as an advisor when the request model is "
            f"'{name.get(executor, executor)}'."
        )


async def test_caps_have_bounds() -> None:
    api = AdvisedApi()
    small, large = TOOL | {"max_tokens": 1023}, TOOL | {"max_tokens": 128_001}
    assert await api.refusal(tools=[small]) == (
        "tools.0.advisor_20260301.max_tokens: Input should be greater than or equal to 1024"
    )
    assert (await api.refusal(tools=[large])).startswith("tools.0.max_tokens: 128001 > 128000, which is the maximum")


async def test_without_its_beta_the_tool_does_not_exist() -> None:
    status, body = await AdvisedApi().post(asking("hi"), beta=None)
    assert status == 400
    assert "Input tag 'advisor_20260301' found" in body["error"]["message"]


async def test_a_call_beside_one_of_the_clients_waits_for_its_result() -> None:
    weather: Block = {"name": "get_weather", "input_schema": {"type": "object"}}
    api = AdvisedApi()
    api.executor(Answer(tool_calls=(ToolCall(name="advisor"), ToolCall(name="get_weather"))), DONE)
    api.advisor(PLAN)
    first = await api.ask(tools=[TOOL, weather])
    assert (first["stop_reason"], types_of(first)) == ("tool_use", ["server_tool_use", "tool_use"])
    assert not api.bodies
    result = {"type": "tool_result", "tool_use_id": first["content"][1]["id"], "content": "rain"}
    messages = [
        {"role": "user", "content": ASKED},
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": [result]},
    ]
    second = await api.ask(messages=messages, tools=[TOOL, weather])
    assert types_of(second) == ["advisor_tool_result", "text"]
    assert kinds(second) == [("advisor_message", ADVISING), ("message", None)]
    told = await api.refusal(messages=messages, tools=[weather])
    assert told.endswith("`advisor_tool_result` block, but no `advisor` tool was provided")


async def test_a_turn_that_goes_round_too_often_is_paused_and_resumed() -> None:
    api = AdvisedApi()
    api.executor(*[CALL] * 11, DONE)
    api.advisor(*[PLAN] * 11)
    first = await api.ask()
    assert (first["stop_reason"], first["content"][-1]["type"]) == ("pause_turn", "server_tool_use")
    assert len(api.bodies) == 10
    messages = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": first["content"]}]
    second = await api.ask(messages=messages)
    assert types_of(second) == ["advisor_tool_result", "text"]
    assert second["content"][0]["tool_use_id"] == first["content"][-1]["id"]


async def test_tokens_are_counted_of_the_first_call_alone() -> None:
    api = AdvisedApi()
    body = {name: value for name, value in asking(ASKED).items() if name != "max_tokens"}
    answer = await api.api.post(body, path="/v1/messages/count_tokens", anthropic_beta=BETA)
    api.executor(CALL, DONE)
    message = await api.ask()
    assert answer.json()["input_tokens"] == message["usage"]["iterations"][0]["input_tokens"]
