"""Several things joined in one clause, each for another tool: "the weather and the time in Tokyo"."""

from __future__ import annotations

import re

from understudy.engines.simulator.choosing.clauses import Clause, clause_of
from understudy.engines.simulator.choosing.elaborating import REPORTS
from understudy.engines.simulator.choosing.hearing import Fit, Heard, heard_of
from understudy.engines.simulator.choosing.judging import best_of
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offer

_PARTS = re.compile(r",? (?:and also|and|as well as|plus|but) |, (?!\d)", re.IGNORECASE)
_MOST = 6


def parts_of(clause: Clause, best: Fit, offer: Offer) -> list[tuple[Fit, Heard]]:
    """The tools that the joined things of a clause ask for, each with its words; empty where all is for one tool."""
    cuts = list(_PARTS.finditer(clause.text))
    if not cuts or len(cuts) >= _MOST:
        return []
    found: list[tuple[Fit, Heard]] = []
    ordered = clause.mood is Mood.REQUEST
    begin = 0
    start = 0
    for end, following in [*((cut.start(), cut.end()) for cut in cuts), (len(clause.text), 0)]:
        if found and REPORTS.match(clause.text[start:end]):
            start = following
            continue
        part = _heard_part(clause.text[start:end], clause, offer)
        fit = best_of(part, offer)
        if (
            fit is not None
            and fit.score >= 0.5
            and fit.things >= 0.6
            and _says_something(part)
            and (fit.act > 0.65 or not ordered)
        ):
            if not found or found[-1][0].offered is not fit.offered:
                found.append((fit, part))
                begin = start
            else:
                found[-1] = (found[-1][0], _heard_part(clause.text[begin:end], clause, offer))
        elif found:
            found[-1] = (found[-1][0], _heard_part(clause.text[begin:end], clause, offer))
        else:
            return []
        start = following
    if len(found) < 2 or not any(best.offered is fit.offered for fit, _ in found):
        return []
    kinds = {token.kind for token in clause.tokens if token.kind}
    for _, part in found:
        part.kinds |= kinds
    return found


def _says_something(part: Heard) -> bool:
    """Whether a part has more than values in it: "R-1 and R-2" are two values of one thing."""
    return any(not token.kind and not token.stop for token in part.clause.tokens)


def _heard_part(text: str, clause: Clause, offer: Offer) -> Heard:
    """A part as a clause that shares what the whole clause asks to be done, where it does not say so itself."""
    part = clause_of(text, offer.verbs)
    if not (part.mood is Mood.REQUEST and part.head is not None and part.head.acts):
        part.acts = {**clause.acts, **dict.fromkeys(part.acts, 0.6)}
        part.mood, part.head = clause.mood, clause.head
    return heard_of(part)
