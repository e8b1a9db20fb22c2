"""Task budgets. Source: task-budgets.md (2026-08); two recorded exchanges (2026-06)."""

from __future__ import annotations

from typing import Any

import pytest

from asgi import InProcess
from understudy.engines.catalog import Catalog
from understudy.engines.scenarios.engine import ScenarioEngine
from understudy.engines.scenarios.model import Answer, Rule, ToolCall, When
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.messages.budgets import count_down
from understudy.messages.counting import count_prompt
from understudy.settings import SimulatorSettings
from understudy.tools.running import ServerTools
from understudy.tools.tool_search.session import ToolSearch
from understudy.wire.budgets import is_marker, left_by, marker

Block = dict[str, Any]

BETA = "task-budgets-2026-03-13"
MODEL = "claude-opus-5"
BASH: Block = {"name": "run", "description": "Run a command", "input_schema": {"type": "object"}}


def model(name: str = MODEL) -> Any:
    found = Catalog().find(name)
    assert found is not None
    return found


def called(number: int, **given: Any) -> Block:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "run", "input": given}


def result(number: int, content: Any) -> Block:
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content}


def user(*blocks: Block) -> Block:
    return {"role": "user", "content": list(blocks)}


def said(*blocks: Block) -> Block:
    return {"role": "assistant", "content": list(blocks)}


def text(of: str) -> Block:
    return {"type": "text", "text": of}


LONG = "word " * 1_000
LOOP: list[Block] = [
    {"role": "user", "content": "Audit this repository."},
    said(called(1, command="ls")),
    user(result(1, LONG)),
    said(called(2, command="cat")),
    user(result(2, "short")),
]


def markers(messages: list[Block]) -> list[int]:
    """What the countdown says, message by message."""
    found: list[int] = []
    for message in messages:
        content = message["content"]
        for block in content if isinstance(content, list) else []:
            inner = block.get("content") if block["type"] == "tool_result" else [block]
            for one in inner if isinstance(inner, list) else []:
                left = left_by(one.get("text", ""))
                if left is not None:
                    found.append(left)
    return found


async def counted(messages: list[Block], **budget: int) -> list[int]:
    request = {"messages": messages}
    return markers((await count_down(request, {"total": 100_000, **budget}, model())).request["messages"])


def test_a_marker_is_known_again() -> None:
    assert is_marker(marker(5, 20_000))
    assert left_by(marker(-5, 20_000)) == 0
    assert not is_marker(f"x{marker(5, 20_000)}")
    assert left_by("5 of 20000 tokens are left") is None


async def test_the_whole_budget_is_left_where_the_task_begins() -> None:
    assert await counted(LOOP[:1]) == [100_000]


async def test_calls_and_results_are_spent_and_what_is_sent_again_is_not() -> None:
    first, second, third = await counted(LOOP)
    assert first == 100_000
    # A thousand words are a thousand tokens and more.
    assert 1_000 < first - second < 2_500
    assert 0 < second - third < 200
    assert await counted(LOOP[:3]) == [first, second]


async def test_the_question_itself_is_not_counted() -> None:
    assert await counted([{"role": "user", "content": LONG}]) == [100_000]


async def test_each_loop_has_the_budget_anew() -> None:
    again = [*LOOP, said(text("All is well.")), {"role": "user", "content": "And the tests?"}]
    assert (await counted(again))[:3] == await counted(LOOP)
    assert (await counted(again))[-1] == 100_000


async def test_what_remains_is_of_the_loop_at_hand() -> None:
    again = [*LOOP, said(text("All is well.")), {"role": "user", "content": "And the tests?"}]
    left = await counted(again, remaining=30_000)
    assert left[-1] == 30_000
    assert left[0] == 100_000
    first, second, _ = await counted(LOOP, remaining=30_000)
    assert first == 30_000
    assert 27_500 < second < 29_000


async def test_a_note_beside_a_result_does_not_begin_a_new_loop() -> None:
    noted = [*LOOP[:2], user(result(1, LONG), text("Hurry up."))]
    assert (await counted(noted))[-1] < 99_000
    apart = [*LOOP[:3], user(text("Hurry up."))]
    assert (await counted(apart))[-1] < 99_000


async def test_the_beginning_of_an_answer_is_spent_too() -> None:
    assert (await counted([*LOOP[:1], said(text(LONG))]))[-1] < 99_000


async def test_where_no_user_has_spoken_nothing_is_told() -> None:
    request = {"messages": [said(text("Once upon a time"))]}
    countdown = await count_down(request, {"total": 50_000}, model())
    assert countdown.request is request
    assert await countdown.going_on(request, model()) is request


async def test_the_countdown_leaves_results_alone_that_a_turn_waits_for() -> None:
    request = {"messages": LOOP}
    told = (await count_down(request, {"total": 50_000}, model())).request["messages"]
    assert [block["type"] for block in told[2]["content"]] == ["tool_result"]
    assert told[2]["content"][0]["content"][0] == {"type": "text", "text": LONG}
    assert LOOP[2]["content"][0]["content"] == LONG, "the request itself is not changed"


async def test_messages_before_stay_as_they_were_told() -> None:
    """So that a prompt cache, and an engine's own memory, can be read."""
    longer = [*LOOP, said(called(3)), user(result(3, "end"))]
    first = (await count_down({"messages": LOOP}, {"total": 50_000}, model())).request["messages"]
    second = (await count_down({"messages": longer}, {"total": 50_000}, model())).request["messages"]
    assert second[: len(first)] == first


class Told:
    """The API over an engine that remembers what it was asked."""

    def __init__(self, tools: ServerTools | None = None) -> None:
        self.scenarios = Scenarios(100)
        self.bodies: list[Block] = []
        engine = ScenarioEngine(SimulatorEngine(SimulatorSettings()), self.scenarios)
        self.api = InProcess(engine) if tools is None else InProcess(engine, tools=tools)

    def script(self, *answers: Answer) -> None:
        """What the engine says, one answer a call; `bodies` are what it was asked."""

        def heard(body: Block) -> bool:
            self.bodies.append(body)
            return True

        self.scenarios.add(Rule(when=When(predicate=heard), answer=answers))

    async def ask(self, messages: Any, budget: Block | None, *, of: str = MODEL, beta: bool = True, **more: Any) -> Any:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        body: Block = {"model": of, "max_tokens": 500, "messages": messages, **more}
        if budget is not None:
            body["output_config"] = {"task_budget": {"type": "tokens", **budget}}
        path = more.pop("path", "/v1/messages")
        if path != "/v1/messages":
            body = {name: value for name, value in body.items() if name not in {"max_tokens", "path"}}
        answer = await self.api.post(body, path=path, **({"anthropic_beta": BETA} if beta else {}))
        return answer.status, answer.json()


async def test_the_model_is_told_and_the_client_is_not() -> None:
    told = Told()
    told.script(Answer(text="Fine."))
    status, message = await told.ask(LOOP, {"total": 20_000}, tools=[BASH])
    assert status == 200
    assert markers(told.bodies[0]["messages"])[0] == 20_000
    assert "budget" not in str(message)


async def test_counting_counts_the_countdown() -> None:
    told = Told()
    _, counted = await told.ask(LOOP, {"total": 20_000}, tools=[BASH], path="/v1/messages/count_tokens")
    _, message = await told.ask(LOOP, {"total": 20_000}, tools=[BASH])
    assert counted["input_tokens"] == message["usage"]["input_tokens"]
    assert counted["input_tokens"] > await count_prompt({"messages": LOOP, "tools": [BASH]}, model())


@pytest.mark.parametrize("name", ["claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-fable-5"])
async def test_models_that_take_one(name: str) -> None:
    assert (await Told().ask(LOOP, {"total": 20_000}, of=name, tools=[BASH]))[0] == 200


@pytest.mark.parametrize("name", ["claude-sonnet-5", "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5"])
async def test_models_that_take_none(name: str) -> None:
    status, answer = await Told().ask(LOOP, {"total": 20_000}, of=name, tools=[BASH])
    assert (status, answer["error"]["message"]) == (
        400,
        "output_config.task_budget: task_budget is not supported for this model.",
    )


async def test_the_smallest_budget() -> None:
    assert (await Told().ask(LOOP, {"total": 19_999}, tools=[BASH]))[0] == 400
    assert (await Told().ask(LOOP, {"total": 20_000, "remaining": 500}, tools=[BASH]))[0] == 200


async def test_without_the_beta_there_is_no_such_field() -> None:
    status, answer = await Told().ask(LOOP, {"total": 20_000}, beta=False, tools=[BASH])
    assert (status, answer["error"]["message"]) == (
        400,
        "output_config.task_budget: Extra inputs are not permitted",
    )


async def test_it_is_a_hint_and_not_a_limit() -> None:
    told = Told()
    told.script(Answer(text="word " * 400))
    _, message = await told.ask("Tell me all.", {"total": 20_000, "remaining": 10}, max_tokens=450)
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["output_tokens"] > 300


WEATHER: Block = {
    "name": "get_weather",
    "description": "Get the weather of a place",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}


async def test_the_simulator_begins_nothing_more_when_little_is_left() -> None:
    asked = "What is the weather in Paris?"
    _, enough = await Told().ask(asked, {"total": 20_000}, tools=[WEATHER])
    assert enough["stop_reason"] == "tool_use"
    _, short = await Told().ask(asked, {"total": 20_000, "remaining": 400}, tools=[WEATHER])
    assert short["stop_reason"] == "end_turn"
    assert short["content"][-1]["text"] == (
        "I stop here, because the token budget is nearly used up: 400 tokens are left."
    )


async def test_the_simulator_tells_what_it_has_when_it_stops() -> None:
    messages = [
        {"role": "user", "content": "What is the weather in Paris and in Rome?"},
        said({"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"location": "Paris"}}),
        user(result(1, "Rain in Paris.")),
    ]
    _, message = await Told().ask(messages, {"total": 20_000, "remaining": 400}, tools=[WEATHER])
    assert message["stop_reason"] == "end_turn"
    assert "Rain in Paris." in message["content"][-1]["text"]


async def test_a_question_that_needs_no_call_is_answered_whatever_is_left() -> None:
    """Recorded: 500 of 20,000 tokens remain."""
    _, message = await Told().ask("What is 2+2?", {"total": 20_000, "remaining": 500})
    assert message["content"][-1]["text"] == "2 + 2 = 4"


async def test_a_forced_call_is_made_whatever_is_left() -> None:
    _, message = await Told().ask(
        "Weather in Paris?", {"total": 20_000, "remaining": 5}, tools=[WEATHER], tool_choice={"type": "any"}
    )
    assert message["stop_reason"] == "tool_use"


async def test_the_countdown_goes_on_between_calls_of_server_tools() -> None:
    told = Told(ServerTools([ToolSearch()]))
    search: Block = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
    find = Answer(text=LONG, tool_calls=(ToolCall(name="tool_search_tool_bm25", input={"query": "weather"}),))
    told.script(find, Answer(text="Done."))
    tools = [search, WEATHER | {"defer_loading": True}]
    status, message = await told.ask("Find me a tool.", {"total": 20_000}, tools=tools, max_tokens=4_000)
    assert status == 200
    assert [block["type"] for block in message["content"]] == [
        "text",
        "server_tool_use",
        "tool_search_tool_result",
        "text",
    ]
    (before,), (after,) = (markers(body["messages"]) for body in told.bodies)
    assert before == 20_000
    assert 17_500 < after < 19_000
