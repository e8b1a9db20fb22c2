"""What is kept of a conversation for its next request changes no answer."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from understudy.engines.engine import EngineEvent, EngineModel, EngineTurn
from understudy.engines.simulator import history
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.engines.simulator.history import history_of, kept_history
from understudy.engines.simulator.seeded import seed_of
from understudy.settings import SimulatorSettings

TOOL: dict[str, Any] = {
    "name": "weather_get",
    "description": "Gets the weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
Message = dict[str, Any]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_kept", type(history._kept)())  # pyright: ignore[reportPrivateUsage]


def before() -> list[Message]:
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather_get", "input": {"city": "Oslo"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": '{"city": "Oslo", "sky": "clear"}'}
    return [
        {"role": "user", "content": "What is the weather in Oslo?"},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "The sky over Oslo is clear. The harbour closes at nine."},
    ]


def request(messages: list[Message], **more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 300, "system": "You help.", "tools": [TOOL], "messages": messages, **more}


async def answer(sent: dict[str, Any], tenant: str = "one") -> list[EngineEvent]:
    turn = EngineTurn(EngineModel("m", "simulator", "m"), sent, 300, 50, whole=True, thinking=None, tenant=tenant)
    return [event async for batch in SimulatorEngine(SimulatorSettings()).run(turn) for event in batch]


ASKS = [
    "And in Bergen?",
    "When does the harbour close?",
    "Thanks!",
    "Tell me about the sky.",
    "Which of those is it?",
    "What did you find out about quarks?",
    "And in Paris?",
    "When does the harbour close, again?",
    "Write me a poem of 30 words.",
]


async def test_answers_are_the_same_whether_the_conversation_is_known_or_not() -> None:
    kept = before()
    known: list[list[EngineEvent]] = []
    fresh: list[list[EngineEvent]] = []
    for ask in ASKS:
        last = {"role": "user", "content": ask}
        known.append(await answer(request([*kept, last])))
        fresh.append(await answer(copy.deepcopy(request([*kept, last])), tenant="two"))
    assert known == fresh
    assert len({str(one) for one in known}) > 5


async def test_a_conversation_that_grows_is_answered_as_if_it_were_new() -> None:
    kept = before()
    for number, ask in enumerate(ASKS):
        kept += [{"role": "user", "content": ask}]
        assert await answer(request(kept)) == await answer(copy.deepcopy(request(kept)), tenant=f"two {number}")
        kept += [{"role": "assistant", "content": f"Answer {number}."}]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"temperature": 0.5},
        {"container": "c1", "betas": ["x"], "thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"stop_sequences": ["no content"], "metadata": {"user_id": "u"}},
    ],
)
def test_the_seed_is_that_of_the_whole_request(more: dict[str, Any]) -> None:
    kept = before()
    for number in range(4):
        sent = request([*kept, {"role": "user", "content": f"Ask {number}"}], **more)
        history_of("one", sent["messages"], 50)
        assert seed_of(sent, 7, "one") == seed_of(sent, 7)
        assert seed_of(sent, 8, "one") == seed_of(sent, 8)
        if number == 1:
            kept[3] = {"role": "assistant", "content": "Something else."}
        sent["system"] = f"You help {number}."
        assert seed_of(sent, 7, "one") == seed_of(sent, 7)
    assert len({seed_of(request([*kept, {"role": "user", "content": text}]), 7) for text in "ab"}) == 2


def test_what_is_kept_of_one_tenant_is_not_found_for_another() -> None:
    kept = before()
    first = history_of("one", kept, 50)
    assert first is not None
    other = history_of("two", kept, 50)
    assert other is not None
    assert other is not first
    assert (history_of("one", kept, 50), first.known) == (first, len(kept))
    assert kept_history("three", kept) is None


def test_only_so_many_conversations_are_kept_and_no_very_long_one() -> None:
    for _ in range(100):
        history_of("one", before(), 50)
    assert len(history._kept) <= 32  # pyright: ignore[reportPrivateUsage]
    for _ in range(20):
        history_of("one", before(), 149_000)
    assert sum(one.tokens for one in history._kept.values()) <= 1_000_000  # pyright: ignore[reportPrivateUsage]
    assert history_of("one", before(), 200_000) is None
    assert history_of("one", before()[:2], 50) is None


def test_what_says_which_tools_there_are_makes_a_conversation_unlike_others() -> None:
    plain = history_of("one", before(), 50)
    assert plain is not None
    assert plain.plain
    reference = {"type": "tool_result", "tool_use_id": "x", "content": [{"type": "tool_reference", "tool_name": "y"}]}
    for message in (
        {"role": "system", "content": "Now be brief."},
        {"role": "user", "content": [reference]},
        {"role": "assistant", "content": [{"type": "compaction", "content": "A summary."}]},
    ):
        special = history_of("one", [*before(), message], 50)
        assert special is not None
        assert not special.plain
