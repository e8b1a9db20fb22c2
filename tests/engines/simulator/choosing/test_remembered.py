"""Plans that are remembered are those that would be made anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.simulator.choosing import Situation, choose, plan, remembered
from understudy.engines.simulator.choosing.offers import offer_of
from understudy.engines.simulator.choosing.steps import Step
from understudy.wire.client_tools import ClientTool


def _tool(name: str, description: str, **properties: Any) -> ClientTool:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ClientTool(name, None, description, schema)


_TEXT = {"type": "string"}
_TOOLS = [
    _tool("get_weather", "Current weather of a city.", city=_TEXT),
    _tool("get_time", "Current time in a city.", city=_TEXT),
    _tool("send_email", "Send an email.", to={"type": "string", "format": "email"}, body=_TEXT),
    _tool("cancel_meeting", "Cancels a meeting.", meeting_id=_TEXT),
]
_ASKS = [
    "What's the weather in Paris?",
    "and in London?",
    "What time is it in Rome and the weather in Oslo?",
    "Mail bob@example.com that I am late",
    "Cancel meeting M-17",
    "the same for M-18",
    "yes, please",
    "Be brief.",
]
_ANSWERS = ["It is sunny.", "Shall I cancel meeting M-17 for you?", "Done."]
_MADE = [("get_weather", {"city": "Paris"}, "sunny"), ("cancel_meeting", {"meeting_id": "M-17"}, '{"id": "M-17"}')]


@pytest.fixture(autouse=True)
def _nothing_is_remembered_before() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    _forget()
    yield
    _forget()


def _forget() -> None:
    remembered._plans.clear()  # pyright: ignore[reportPrivateUsage]


def _turns(asks: list[str]) -> list[tuple[str, str]]:
    return [("user" if place % 2 == 0 else "assistant", text) for place, text in enumerate(asks)]


_situations = st.builds(
    Situation,
    asked=st.sampled_from(_ASKS),
    earlier=st.lists(st.sampled_from(_ASKS + _ANSWERS), max_size=4).map(_turns),
    tenant=st.sampled_from(["a", "b"]),
    made=st.lists(st.sampled_from(_MADE), max_size=2),
)
_offers = st.permutations(_TOOLS).flatmap(lambda tools: st.integers(1, len(tools)).map(lambda many: tools[:many]))


@settings(max_examples=60, deadline=None)
@given(
    rounds=st.lists(st.tuples(_offers, _situations, st.booleans()), min_size=2, max_size=6).flatmap(
        lambda rounds: st.permutations(rounds + rounds)
    )
)
def test_a_choice_is_the_same_whatever_was_asked_before(rounds: list[tuple[list[ClientTool], Situation, bool]]) -> None:
    _forget()
    remembering = [choose(tools, situation, must=must) for tools, situation, must in rounds]
    alone: list[Any] = []
    for tools, situation, must in rounds:
        _forget()
        alone.append(choose(tools, situation, must=must))
    assert remembering == alone


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What plans were made for, not what they were remembered for."""
    seen: list[str] = []
    make = plan._planned  # pyright: ignore[reportPrivateUsage]

    def noted(offer: Any, situation: Situation, **more: Any) -> Any:
        seen.append(situation.asked)
        return make(offer, situation, **more)

    monkeypatch.setattr(plan, "_planned", noted)
    return seen


def test_a_turn_is_planned_once(planned: list[str]) -> None:
    first = choose(_TOOLS, Situation(_ASKS[0]))
    assert planned == [_ASKS[0]]
    assert choose(_TOOLS, Situation(_ASKS[0])) == first
    assert planned == [_ASKS[0]]


def test_what_one_tenant_asked_is_planned_anew_for_another(planned: list[str]) -> None:
    choose(_TOOLS, Situation(_ASKS[0], tenant="one"))
    choose(_TOOLS, Situation(_ASKS[0], tenant="other"))
    assert len(planned) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Situation("a", [("user", "b")]), Situation("a", [("assistant", "b")])),
        (Situation("a", [("user", "b"), ("user", "c")]), Situation("a", [("user", "b4:user1:c")])),
        (Situation("a", [("x", "{}"), ("y", "z")]), Situation("a", [], made=[("x", {}, "y")])),
        (Situation("a", made=[("x", {"b": 1}, "y")]), Situation("a", made=[("x", {"b": "1"}, "y")])),
        (Situation("ab", tenant="c"), Situation("b", tenant="ca")),
    ],
)
def test_different_situations_have_different_keys(one: Situation, other: Situation) -> None:
    offer = offer_of(_TOOLS)
    keys = {
        remembered.key_of(offer, each, must=must, depth=depth)
        for each in (one, other)
        for must in (False, True)
        for depth in (0, 1)
    }
    assert len(keys) == 8


def test_the_calls_are_of_the_request_s_own_tools() -> None:
    strict = [ClientTool(one.name, one.toolset_name, one.description, one.input_schema, strict=True) for one in _TOOLS]
    assert choose(_TOOLS, Situation(_ASKS[0]))[0].tool is _TOOLS[0]
    assert choose(strict, Situation(_ASKS[0]))[0].tool is strict[0]


def test_memory_is_bounded_and_keeps_no_tools() -> None:
    for number in range(remembered._REMEMBERED + 50):  # pyright: ignore[reportPrivateUsage]
        choose(_TOOLS[:1], Situation(f"weather in {number}?"))
    plans = remembered._plans  # pyright: ignore[reportPrivateUsage]
    assert len(plans) == remembered._REMEMBERED  # pyright: ignore[reportPrivateUsage]
    assert not any(step.tool.input_schema for _, steps in plans.values() for _, step in steps)
    assert any(steps for _, steps in plans.values())


def test_a_plan_of_very_long_asks_is_not_remembered() -> None:
    offer = offer_of(_TOOLS)
    key = remembered.key_of(offer, Situation("a"), must=False, depth=0)
    remembered.remember(key, offer, [Step(_TOOLS[0], "x" * 4_001)])
    assert remembered.remembered(key, offer) is None
    remembered.remember(key, offer, [Step(_TOOLS[0], "x" * 4_000)])
    assert remembered.remembered(key, offer) == [Step(_TOOLS[0], "x" * 4_000)]
