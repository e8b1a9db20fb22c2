"""Whether the best fit of a clause is good enough to call the tool."""

from __future__ import annotations

import re

from understudy.engines.simulator.choosing.fit import fits, may_score
from understudy.engines.simulator.choosing.hearing import Fit, Heard
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.mending import mend
from understudy.engines.simulator.choosing.moods import Mood, is_general, is_sum
from understudy.engines.simulator.choosing.offers import Offer

_LEAST = {
    Mood.REQUEST: 0.43,
    Mood.QUESTION: 0.41,
    Mood.WISH: 0.43,
    Mood.FRAGMENT: 0.45,
    Mood.EXPLAIN: 0.85,
    Mood.COMPOSE: 0.85,
    Mood.STATEMENT: 0.95,
}


_LEAST_THINGS = 0.22


_GENERAL_MORE = 0.25


_SUMS = frozenset(("calculate", "convert"))


DEFINITE = frozenset(
    "i me we us the my our your his her their this that these those now currently today today's any here latest "
    "current "
    "der die das den dem mein meine le la les mon ma mes el los las mi mis".split()
)


_WHY = re.compile(
    r"^\W*(?:why|how (?:do|can|would|should|could|might) (?:i|we|you|one|people)|how to|should|explain|how come"
    r"|what(?:'s| is) (?:an? |the (?:difference|meaning|point)))",
    re.IGNORECASE,
)


def _is_general(heard: Heard) -> bool:
    """Whether a question names nothing in particular: such a question is mostly about the world at large."""
    return (
        heard.clause.text.isascii()
        and not heard.values
        and not heard.clause.refers_back
        and not any(token.low in DEFINITE for token in heard.clause.tokens)
    )


def _asks_of_here(heard: Heard, fit: Fit) -> bool:
    """Whether an explanation is wanted of what a tool is just for, of a place, a day or a thing that is named."""
    return (
        fit.things >= 0.8
        and fit.act >= 0.6
        and not fit.missing
        and not is_general(heard.clause.text, heard.clause.words)
        and fit.offered.profile.act in lexicon().reading
        and any(token.kind in {"name", "date", "id", "code"} for token in heard.values)
        and not _WHY.match(heard.clause.text)
    )


def _clear_act(heard: Heard, fit: Fit) -> bool:
    """Whether an act that is just the tool's, or a good fit otherwise, makes up for things that are hardly named."""
    head = heard.clause.head
    own = head is not None and fit.act >= 0.95 and "=" + head.stem in fit.offered.profile.acts
    return not fit.missing and (
        (own and fit.things > 0.1 and fit.score > 0.5) or (fit.score > 0.55 and fit.things > 0.15)
    )


def _translates(heard: Heard, fit: Fit) -> bool:
    """ "How do you say 'thank you' in Czech?", where there is a tool for that."""
    return heard.clause.acts.get("translate", 0.0) >= 0.7 and fit.offered.profile.acts.get("translate", 0.0) >= 0.9


def _without_path(heard: Heard, best: Fit, found: list[Fit]) -> Fit | None:
    """The shell in the place of a tool that must be told a path where none is: "list the files here"."""
    if heard.clause.mood is not Mood.REQUEST or heard.clause.refers_back or heard.background:
        return None
    if not any(lack.kind == "path" for lack in best.missing):
        return None
    return next((fit for fit in found if fit.offered.profile.executes and fit.score >= _LEAST[Mood.REQUEST]), None)


def best_of(
    heard: Heard,
    offer: Offer,
    *,
    in_general: bool = False,
    mended: bool = False,
    without: frozenset[str] = frozenset(),
) -> Fit | None:
    """The tool that a clause asks for, if one fits well enough. `in_general`: the world at large is asked about.

    `without` are the names of tools that are not to be called.
    """
    mood = heard.clause.mood
    least = _LEAST.get(mood, 1.0)
    if mood is Mood.STATEMENT and not may_score(heard, offer, least):
        return None
    found = fits(heard, offer)
    if without:
        found = [fit for fit in found if fit.offered.tool.name not in without]
    if mood is Mood.QUESTION and _is_general(heard):
        least += _GENERAL_MORE
    if mood is Mood.QUESTION and in_general:
        least = _LEAST[Mood.EXPLAIN]
    for fit in found[:3]:
        if mood is Mood.EXPLAIN and "quoted" in heard.kinds and _translates(heard, fit):
            return fit
        if fit.score < (0.66 if mood is Mood.EXPLAIN and _asks_of_here(heard, fit) else least):
            continue
        if mood is Mood.STATEMENT and fit.offered.profile.act in lexicon().reading:
            # One who tells of something does not ask to look it up.
            continue
        if (
            is_sum(heard.clause.text, heard.clause.words)
            and fit.offered.profile.act not in _SUMS
            and not fit.offered.profile.executes
        ):
            continue
        if fit.things < _LEAST_THINGS and not _clear_act(heard, fit):
            continue
        if mood is Mood.EXPLAIN and _asks_of_here(heard, fit):
            return fit
        if mood is Mood.EXPLAIN and not any(
            "=" + token.stem in fit.offered.profile.acts for token in heard.content[:1]
        ):
            continue
        return _without_path(heard, fit, found) or fit
    if not mended and mood in {Mood.REQUEST, Mood.QUESTION, Mood.FRAGMENT, Mood.WISH} and mend(heard, offer):
        return best_of(heard, offer, in_general=in_general, mended=True, without=without)
    return None
