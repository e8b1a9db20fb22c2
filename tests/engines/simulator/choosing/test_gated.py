"""Patterns that are tried only where they may match find just what they would find everywhere."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from understudy.engines.simulator import choosing
from understudy.engines.simulator.choosing.gated import Gated, first_in, words_in
from understudy.engines.simulator.choosing.openings import openings_of

from .written import dialogues_in

WRITTEN = Path(__file__).parent / "written"


def gated_patterns() -> dict[str, Gated]:
    found: dict[str, Gated] = {}
    for module in pkgutil.iter_modules(choosing.__path__):
        for name, value in vars(import_module(f"{choosing.__name__}.{module.name}")).items():
            if isinstance(value, Gated):
                found[name] = value
    return found


def texts() -> Iterator[str]:
    for path in sorted(WRITTEN.glob("*.txt"))[:3]:
        for dialogue in dialogues_in(path):
            for turn in dialogue["turns"]:
                text = str(turn["user"])
                yield from (text, text.upper(), text[7:], *re.split(r"[.,;] ", text))
    yield from ("", "?!", "_", " please , don't", "naïve, don't use tools", "\tgood\tmorning", "thanks👍")
    yield from ("just so you know,it's done", "İ did not", "in  general", "in_general", "what's up?", "hmmm, undo it")


def span(match: re.Match[str] | None) -> tuple[int, int] | None:
    return None if match is None else match.span()


def test_what_is_gated_finds_what_it_would_find_without() -> None:
    patterns = gated_patterns()
    assert len(patterns) > 40
    hits = 0
    for text in texts():
        words, first = words_in(text), first_in(text)
        for name, gated in patterns.items():
            plain = span(gated.pattern.search(text))
            assert span(gated.search(text, words)) == plain, (name, text)
            assert span(gated.match(text, first)) == span(gated.pattern.match(text)), (name, text)
            assert span(gated.match(text, first, words)) == span(gated.pattern.match(text)), (name, text)
            assert plain is None or gated.may_find(words), (name, text)
            hits += plain is not None
    assert hits > 1_000


@pytest.mark.parametrize(
    ("pattern", "alone", "pairs"),
    [
        (r"\b(?:tips?|ideas?)\b", {"tip", "tips", "idea", "ideas"}, {}),
        (r"\bin (?:general|short)\b|\bmaybe\b", {"maybe"}, {"in": {"general", "short"}}),
        (r"^\W*(?:do not|don't) \w+", set[str](), {"do": {"not"}, "don": {"t"}}),
        (r"\b(?:foo|été)\b", {"foo"}, {}),
        (r"^no,? thanks\b", set[str](), {"no": {"thanks"}}),
        (r"\bcan you(?: please)? \w+", set[str](), {"can": {"you"}}),
        (r"\buse .{1,9} tool", {"use"}, {}),
    ],
)
def test_the_first_words_of_matches_are_known(pattern: str, alone: set[str], pairs: dict[str, set[str]]) -> None:
    found = openings_of(pattern)
    assert found is not None
    assert (set(found.alone), {first: set(seconds) for first, seconds in found.pairs.items()}) == (alone, pairs)


@pytest.mark.parametrize("pattern", [r"\w+ing\b", r"tools?\b", r".{1,9} when you", r"[a-z]+ed", r"\W+", r"(?:foo)?"])
def test_a_pattern_that_may_begin_with_anything_is_always_tried(pattern: str) -> None:
    assert openings_of(pattern) is None
    assert span(Gated(pattern).search("some tools", words_in("some tools"))) == span(
        re.compile(pattern, re.IGNORECASE).search("some tools")
    )


def test_a_text_that_lacks_the_words_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = Gated(r"\b(?:in general|always)\b")
    monkeypatch.setattr(gated, "pattern", None)
    assert gated.search("In the end it works", words_in("In the end it works")) is None
    assert gated.match("in the end", "the") is None
