"""The simulator asks an advisor where it is asked to, takes the advice, and gives some."""

from __future__ import annotations

import pytest

from understudy.wire.server_tools import RESULTS

from .api import ADVISING, TOOL, AdvisedApi, Block, result_of, types_of

WEATHER: Block = {
    "name": "get_weather",
    "description": "Get the weather of a place",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}


@pytest.mark.parametrize(
    "asked",
    [
        "What's 2+2? Consult your advisor first.",
        "Build a parser. Get a second opinion before you start.",
        "Please review my plan: first the tests, then the code.",
        "Ask the advisor whether this is right.",
    ],
)
async def test_it_asks_once_where_it_is_told_to(asked: str) -> None:
    message = await AdvisedApi().ask(asked)
    assert types_of(message) == ["server_tool_use", "advisor_tool_result", "text"]
    assert result_of(message)["type"] == "advisor_result"


@pytest.mark.parametrize("asked", ["What's 2+2?", "Don't ask the advisor. What is 3*3?", "Write a plan for a party."])
async def test_it_asks_nobody_where_that_is_not_wanted(asked: str) -> None:
    assert RESULTS.isdisjoint(types_of(await AdvisedApi().ask(asked)))


async def test_a_forced_call_is_made_once() -> None:
    message = await AdvisedApi().ask("hi", tool_choice={"type": "tool", "name": "advisor"})
    assert types_of(message) == ["server_tool_use", "advisor_tool_result", "text"]


async def test_none_is_none() -> None:
    assert types_of(await AdvisedApi().ask(tool_choice={"type": "none"})) == ["text"]


async def test_other_tools_come_after_the_advice() -> None:
    message = await AdvisedApi().ask("Consult the advisor, then tell me the weather in Paris.", tools=[TOOL, WEATHER])
    assert types_of(message) == ["server_tool_use", "advisor_tool_result", "tool_use"]
    assert message["content"][-1]["input"] == {"location": "Paris"}


async def test_the_advice_is_about_the_task_and_the_tools() -> None:
    message = await AdvisedApi().ask(
        "Compare the weather of Paris and Rome. Get a second opinion on the approach.", tools=[TOOL, WEATHER]
    )
    text: str = result_of(message)["text"]
    assert "Compare the weather of Paris and Rome" in text
    assert "`get_weather`" in text


async def test_the_advice_minds_what_failed() -> None:
    messages = [
        {"role": "user", "content": "Tell me the weather in Paris, and ask the advisor if you are stuck."},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"location": "P"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "unknown place P", "is_error": True}
            ],
        },
    ]
    text = result_of(await AdvisedApi().ask(messages=messages, tools=[TOOL, WEATHER]))["text"]
    assert text.startswith("The last call of `get_weather` failed: unknown place P")


async def test_a_line_to_the_advisor_is_followed() -> None:
    asked = "Plan the move. Get a second opinion.\n(Advisor: please keep your guidance under 12 words.)"
    assert len(result_of(await AdvisedApi().ask(asked))["text"].split()) == 12


async def test_its_own_answer_says_what_it_was_told() -> None:
    message = await AdvisedApi().ask("Sort my books. Get a second opinion.")
    advice: str = result_of(message)["text"]
    assert message["content"][-1]["text"].startswith("I asked the advisor, who says:\n\n> " + advice.splitlines()[0])
    assert message["usage"]["iterations"][1]["model"] == ADVISING
