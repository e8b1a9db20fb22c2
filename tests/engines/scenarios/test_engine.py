"""Scripted answers go through the same pipe as every other: what is scripted comes out, in a stream as in one piece."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from asgi import InProcess
from streams import check_stream, parse_sse, without_ids
from understudy.engines.engine import EngineModel, EngineTurn
from understudy.engines.scenarios.engine import ScenarioEngine
from understudy.engines.scenarios.model import Answer, Fault, Redacted, Rule, Text, Thinking, ToolCall
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.settings import SimulatorSettings

TOOL = {"name": "look", "input_schema": {"type": "object"}}

words = st.text(alphabet="ab cdé👋\n", min_size=1, max_size=40).filter(lambda text: text.strip() != "")
inputs = st.dictionaries(st.text("xyz", min_size=1, max_size=3), st.integers(-9, 9) | words, max_size=3)
said = st.lists(
    st.builds(Text, text=words) | st.builds(ToolCall, name=st.just("look"), input=inputs), min_size=1, max_size=4
)
thought = st.lists(st.builds(Thinking, thinking=words) | st.just(Redacted()), max_size=2)


def in_process() -> tuple[InProcess, Scenarios]:
    scenarios = Scenarios()
    return InProcess(ScenarioEngine(SimulatorEngine(SimulatorSettings()), scenarios)), scenarios


def request(**more: Any) -> dict[str, Any]:
    return {
        "model": "claude-haiku-4-5",
        "max_tokens": 4_000,
        "thinking": {"type": "enabled", "budget_tokens": 1_024},
        "tools": [TOOL],
        "messages": [{"role": "user", "content": "x"}],
        **more,
    }


def plain(block: dict[str, Any]) -> tuple[Any, ...]:
    """What a scenario says of a block; a redacted one's data is the server's."""
    shown = {"text": "text", "thinking": "thinking", "tool_use": "input"}.get(block["type"], "type")
    return (block["type"], block[shown])


async def answered(answer: Answer) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    api, scenarios = in_process()
    scenarios.add(Rule(answer=(answer,)))
    whole = await api.post(request())
    streamed = await api.post(request(stream=True))
    assert (whole.status, streamed.status) == (200, 200), whole.body
    return whole.json(), parse_sse(streamed.body)


@settings(max_examples=40, deadline=None)
@given(thought=thought, said=said, size=st.integers(1, 5))
def test_any_blocks_come_out_as_they_are_scripted(thought: list[Any], said: list[Any], size: int) -> None:
    blocks = [*thought, *said]
    message, events = asyncio.run(answered(Answer(content=tuple(blocks), delta_tokens=size)))
    check_stream(events)
    assert [plain(block) for block in message["content"]] == [plain(block.model_dump()) for block in blocks]
    called = any(isinstance(block, ToolCall) for block in blocks)
    assert message["stop_reason"] == ("tool_use" if called else "end_turn")
    (delta,) = [event for event in events if event["type"] == "message_delta"]
    assert delta["usage"]["output_tokens"] == message["usage"]["output_tokens"] > 0
    starts = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    assert starts == [block["type"] for block in message["content"]]


@settings(max_examples=30, deadline=None)
@given(said=said, most=st.integers(1, 40))
def test_max_tokens_bounds_any_scripted_answer(said: list[Any], most: int) -> None:
    async def run() -> tuple[Any, Any]:
        api, scenarios = in_process()
        scenarios.add(Rule(answer=(Answer(content=tuple(said)),)))
        body = {name: value for name, value in request(max_tokens=most).items() if name != "thinking"}
        return (await api.post(body)).json(), parse_sse((await api.post({**body, "stream": True})).body)

    message, events = asyncio.run(run())
    check_stream(events)
    assert message["usage"]["output_tokens"] <= most
    assert message["stop_reason"] in {"max_tokens", "tool_use", "end_turn"}


async def test_without_a_scenario_the_engine_behind_is_asked_itself() -> None:
    scenarios = Scenarios()
    behind = SimulatorEngine(SimulatorSettings())
    engine = ScenarioEngine(behind, scenarios)
    turn = EngineTurn(EngineModel("m", "simulator", "m"), {"messages": []}, 5, 5)
    batches = engine.run(turn)
    assert batches.ag_code is behind.run(turn).ag_code  # type: ignore[attr-defined]
    assert engine.name == "simulator"
    await batches.aclose()


async def test_a_turn_without_a_connection_is_answered_too() -> None:
    """A batch has nothing to cut."""
    api, scenarios = in_process()
    scenarios.add(Rule(answer=(Answer(text="fine", fault=Fault(kind="cut", after_events=1)),)))
    message = (await api.post(request())).json()
    assert message["content"] == [{"type": "text", "text": "fine"}]
    assert without_ids(message)["stop_reason"] == "end_turn"


async def test_unmatched_answers_are_those_of_the_engine_behind() -> None:
    api, scenarios = in_process()
    ask = partial(api.post, {**request(), "messages": [{"role": "user", "content": "Say 'x'"}]})
    before = (await ask()).json()
    scenarios.add(Rule(answer=(Answer(text="once"),), times=1))
    assert (await ask()).json()["content"][-1]["text"] == "once"
    assert without_ids((await ask()).json()) == without_ids(before)
