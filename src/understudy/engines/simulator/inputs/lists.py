"""Lists in words: "A, B and C", and the parts of a text that are one record each."""

from __future__ import annotations

import re
from typing import Final

from . import words
from .converting import trimmed
from .hints import Hint
from .tokens import Value
from .values import Text

_AND: Final = re.compile(r"\s*,\s*(?:and|or)\s+|\s*,\s*|\s+(?:and|&|or|und|et|y)\s+|\s+plus\s+")
_GAP: Final = re.compile(
    r"(?i)\s*(?:,\s*(?:and|or)\s|,|(?:and|or|&|und|et|y|plus|o|oder)\s)\s*(?:(?:some|the|a|an|my|\d+|two|three|four|five|six)\s)*\s*"
)
_TAGS: Final = frozenset({"label", "tag", "keyword"})
_TAGGED: Final = re.compile(
    r"(?i)\b(?:label|tag)(?:led|ed|ged)?\s(?:it|this|them)?\s?(?:as\s|with\s)?(?P<rest>[^.;!?\n]+?)(?=\s(?:and|then|please|for|in)\s\w+\s|[.;!?\n]|$)"
)
_ARTICLE: Final = re.compile(r"(?i)^(?:some|the|a|an|my)\s+")
_PARTS: Final = (
    "object",
    "phrase",
    "quoted",
    "id",
    "path",
    "code",
    "email",
    "url",
    "address",
    "symbol",
    "handle",
    "channel",
)
_FILLING: Final = frozenset("oh ok then also please".split())
_REST: Final = re.compile(r"[$€£¥₹]?-?\d[\d,.]*%?|\b(?:is|are|was|costs?|for|at|of|and|x|the|a|an|some)\b|[:()=•*-]")


def tagged(text: Text, one: Hint) -> list[str]:
    """What stands after "label it" or "tagged with" for a list of labels or tags."""
    match = _TAGGED.search(text.text) if one.own & _TAGS else None
    return [] if match is None else [part.strip("\"'#. ") for part in _AND.split(match["rest"]) if part.strip("\"'#. ")]


def listed(text: Text, one: Hint, taken: list[tuple[int, int]], tool_stems: frozenset[str]) -> list[str]:
    """The parts of "A, B and C": phrases between which only a comma or "and" stands, of several such the best."""
    parts = sorted(
        (
            part
            for kind in _PARTS
            for part in text.by_kind.get(kind, ())
            if not any(part.start < end and start < part.end for start, end in taken)
        ),
        key=lambda part: part.start,
    )
    parts = [part for part in parts if not any(_holds(one, part) for one in parts)]
    colon = text.text.find(": ")
    runs: list[list[Value]] = []
    for part in parts:
        last = runs[-1][-1] if runs else None
        if last is not None and part.kind != "phrase" and _GAP.fullmatch(text.text[last.end : part.start]):
            runs[-1].append(part)
        else:
            runs.append([part])
    best: list[Value] = []
    best_score = -1.0
    for run in runs:
        score = min(len(run), 4) * 2.0 + (1 if run[0].kind == "object" else 0) - run[0].start * 0.001
        score += 4 if 0 <= colon < run[0].start else 0
        if run[0].before[:1] and run[0].before[0] in one.prepositions:
            score += 3
        if tool_stems.issuperset(_stems(run[0].text)):
            score -= 6
        if one.own and (not one.own.isdisjoint(run[0].before[:2]) or not one.own.isdisjoint(_stems(run[0].text))):
            score += 8
        if score > best_score:
            best, best_score = run, score
    found = [_ARTICLE.sub("", trimmed(part.text, one)).strip("\"' .") for part in best]
    return list(dict.fromkeys(part for part in found if part and part.lower() not in _FILLING))


def _holds(one: Value, part: Value) -> bool:
    return one.start <= part.start and part.end <= one.end and len(one.text) > len(part.text)


def _stems(text: str) -> list[str]:
    return [words.stem(word) for word in words.name_words(text)]


def divided(text: str) -> list[list[str]]:
    """Ways to cut a text into the parts of a list, the plainest first."""
    colon = text.find(":")
    body = text[colon + 1 :] if 0 <= colon < len(text) - 3 and not text[:colon].endswith("http") else text
    ways = [[part for part in re.split(cut, body) if part.strip()][:100] for cut in (r"\n+", ";", r"(?<=[.!?])\s+")]
    ways.append([part for part in _AND.split(body) if part.strip()][:100])
    return [way for way in ways if len(way) > 1]


def rest_of(part: str) -> str:
    """A part of a list without its numbers and the words that join."""
    kept = _REST.sub(" ", part)
    kept = " ".join(word for word in kept.split() if word.lower() not in words.NUMBER_WORDS)
    return kept.strip(" .,")
