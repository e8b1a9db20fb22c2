"""Short cuts on the way to an answer change none."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from understudy.engines.materials import NO_MATERIALS
from understudy.engines.simulator import answers
from understudy.engines.simulator.inputs import recall
from understudy.engines.simulator.inputs.hints import hint
from understudy.engines.simulator.reading import read
from understudy.engines.simulator.seeded import Seeded

_WORDS = [
    "capital",
    "Capital",
    "France",
    "Paris",
    "ΟΔΟΣ",
    "οδος",
    "İzmir",
    "izmir",
    "of",
    "the",
    "is",
    "river",
    "Seine",
]
_ENDS = [". ", "! ", "? ", "\n", " ", ".", "。"]
_texts = st.lists(st.tuples(st.sampled_from(_WORDS), st.sampled_from(_ENDS)), max_size=24).map(
    lambda parts: "".join(word + end for word, end in parts)
)


def _answer(request: dict[str, Any]) -> str:
    return answers.compose(read(request, NO_MATERIALS), lambda: Seeded(b"0" * 32))


@settings(max_examples=150, deadline=None)
@given(system=_texts, before=st.lists(_texts, max_size=3), asked=_texts)
@example("The ΟΔΟΣ. a", [], "What is the οδος?")
@example("It was the river Seine of Paris.", ["The Seine is a river"], "Which river is the Seine?")
def test_an_answer_is_recalled_though_texts_that_cannot_hold_it_are_passed_over(
    system: str, before: list[str], asked: str
) -> None:
    messages = [{"role": role, "content": text} for text in before for role in ("user", "assistant")]
    request = {"system": system, "messages": [*messages, {"role": "user", "content": asked + "?"}]}
    found = _answer(request)
    with patch.object(answers, "_may_hold", lambda *_: True):
        assert found == _answer(request)


_stems = st.text("abc", min_size=1, max_size=6)


@given(records=st.lists(st.frozensets(_stems, max_size=8), max_size=4), stem=_stems)
def test_records_are_found_by_how_their_words_begin(records: list[frozenset[str]], stem: str) -> None:
    def has(stems: frozenset[str]) -> bool:
        return stem in stems or any(
            len(mine) > 2 and len(stem) > 3 and (stem.startswith(mine) or mine.startswith(stem)) for mine in stems
        )

    expected = {place for place, stems in enumerate(records) if has(stems)}
    assert recall.speaking_of(stem, recall.places_of(records)) == expected


def test_a_text_that_tells_nothing_of_one_property_is_still_read_for_another() -> None:
    told = '{"booking_id": "B-771", "colour": "teal"}'

    def found(name: str) -> object:
        one = hint(name, {"type": "string"}, required=True)
        return recall.recalled(one, told, "do it", lambda _, value: value.text, None)

    assert [found(name) for name in ("wheel", "colour", "wheel", "booking_id")] == [None, "teal", None, "B-771"]
