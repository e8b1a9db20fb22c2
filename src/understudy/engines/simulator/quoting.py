"""Answers that quote: the sentences of the given documents that fit the question, each with its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from understudy.engines.engine import Citation
from understudy.engines.materials import Materials
from understudy.engines.simulator.answers import words_of
from understudy.engines.simulator.parts import Part, Text

# A sentence with the space behind it: recorded quotations reach up to the next sentence.
_SENTENCE: Final = re.compile(r"(?:[^.!?。！？\n]|\.(?=\d))+(?:[.!?。！？]+|\n|$)\s*")
_WORD: Final = re.compile(r"[^\W_][\w'’-]*")
# Characters of all sources that are looked at, and the most quotations in an answer.
_LOOKED_AT: Final = 200_000
_MOST: Final = 3
_SHORTEST: Final = 3


_Kind: TypeAlias = Literal["document", "search_result", "web_result"]


class _Found(NamedTuple):
    score: float
    order: int
    kind: _Kind
    source: int
    part: int
    start: int
    end: int
    text: str


def quoted(asked: str, materials: Materials, web_results: Sequence[int] = ()) -> list[Part]:
    """Texts for the answer, those with citations taken from sources that may be cited; nothing where none fits.
    `web_results`: the places of those among the results of web searches that answer what is asked."""
    wanted = {word.lower() for word in words_of(asked, 40)}
    found = _sentences(wanted, materials)
    left = _LOOKED_AT
    for source in web_results:
        left = _look(found, wanted, "web_result", source, (materials.web_results[source].text,), left)
    if not found:
        return []
    found.sort(key=lambda sentence: (-sentence.score, sentence.order))
    best = found[0].score
    # A question that shares no word with any source ("Summarize this.") is answered with its first sentences.
    chosen = [sentence for sentence in found if sentence.score >= max(best * 0.6, 0.01)][:_MOST] if best else found[:1]
    chosen.sort(key=lambda sentence: sentence.order)
    parts: list[Part] = [Text("Here is what the source says: " if len(chosen) == 1 else "Here is what I found: ")]
    for place, sentence in enumerate(chosen):
        if place:
            parts.append(Text(" Also: "))
        citation = Citation(sentence.kind, sentence.source, sentence.part, sentence.start, sentence.end)
        parts.append(Text(sentence.text.strip(), citation))
    return parts


def _sentences(wanted: set[str], materials: Materials) -> list[_Found]:
    found: list[_Found] = []
    left = _LOOKED_AT
    for source, document in enumerate(materials.documents):
        if document.citations:
            left = _look(found, wanted, "document", source, document.parts, left)
    for source, result in enumerate(materials.search_results):
        if result.citations:
            left = _look(found, wanted, "search_result", source, result.parts, left)
    return found


def _look(
    found: list[_Found],
    wanted: set[str],
    kind: _Kind,
    source: int,
    parts: Sequence[str],
    left: int,
) -> int:
    for part, text in enumerate(parts):
        if left <= 0:
            break
        for match in _SENTENCE.finditer(text[:left]):
            words = {word.lower() for word in _WORD.findall(match.group())}
            if len(match.group().strip()) < _SHORTEST or not words:
                continue
            score = len(wanted & words) / len(wanted) if wanted else 0.0
            if match.group().startswith("#"):
                # A heading of Markdown names what the sentences below it say.
                score /= 2
            found.append(_Found(score, len(found), kind, source, part, match.start(), match.end(), match.group()))
        left -= len(text)
    return left
