"""What the rules have planned and what the signs say, made one: which tools a turn asks for, or none."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.engines.simulator.choosing.clauses import Clause, clause_of
from understudy.engines.simulator.choosing.elaborating import REPORTS
from understudy.engines.simulator.choosing.hearing import Heard
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offered
from understudy.engines.simulator.choosing.profiles import Profile
from understudy.engines.simulator.choosing.steps import Step
from understudy.engines.simulator.choosing.weighing import Scales
from understudy.engines.simulator.choosing.whole import heard_whole

# What the rules' opinion counts beside the signs, in logarithms of odds.
_FOR_PLANNED = 1.2
# The same where a command is to be run, or a path or address is said that the tool takes: the rules know these well.
_FOR_PLAIN = 2.0
_FOR_GOING_ON = 0.8
_FOR_NOTHING = 1.2
_FOR_NOTHING_NEW = 0.2
_FOR_TALK = 0.8
# From these shares on a clause by itself speaks for a tool that the rules have planned, and for one that they have not.
_ENOUGH = 0.42
_SURELY = 0.7
# So much of its own words must speak for a tool that is planned for a part of a clause.
_AT_LEAST = 0.25
_MOST_CLAUSES = 5
_ASKING = frozenset({Mood.REQUEST, Mood.QUESTION})
_SILENT = frozenset({Mood.NEGATED, Mood.SOCIAL, Mood.META})


@dataclass(frozen=True, slots=True)
class Part:
    """A clause, the tool that it by itself asks for most likely, and how likely that is."""

    clause: Clause
    offered: Offered
    share: float


def likeliest_tool(
    steps: list[Step],
    asked: str,
    clauses: list[Clause],
    whole: Heard,
    scales: Scales,
    denied: frozenset[str],
    *,
    surely: bool = False,
) -> Offered | None:
    """The tool that the turn as a whole asks for most likely; None where that is none.

    `surely`: the steps go on with the turn before, which the signs know less of.
    """
    found = scales.weighed(asked, clauses, whole)
    planned = {step.tool.name for step in steps}
    best: Offered | None = None
    most = found.none
    if not steps:
        told = bool(scales.made) or any(token.kind in {"id", "code"} for token in whole.values)
        most += _FOR_NOTHING_NEW if told else _FOR_NOTHING
        most += _FOR_TALK if any(clause.mood is Mood.EXPLAIN for clause in clauses) else 0.0
    for offered, odds in zip(scales.offer.tools, found.tools, strict=True):
        name = offered.tool.name
        if name in denied:
            continue
        if name in planned:
            odds += _FOR_GOING_ON if surely else _FOR_PLAIN if _is_plain(offered, whole) else _FOR_PLANNED
        if odds > most:
            best, most = offered, odds
    return best


def _is_plain(offered: Offered, whole: Heard) -> bool:
    profile = offered.profile
    return profile.executes or any(kind in whole.kinds and kind in profile.room for kind in ("path", "url"))


def parts_by_clause(clauses: list[Clause], scales: Scales, denied: frozenset[str]) -> list[Part]:
    """What each clause by itself asks for; nothing where there are too many of them, or where one alone asks."""
    found: list[Part] = []
    if len(clauses) > _MOST_CLAUSES or sum(clause.mood in _ASKING for clause in clauses) < 2:
        return found
    for clause in clauses:
        # To say what came of it is the answer itself.
        told = clause.mood in _SILENT or (found and REPORTS.match(clause.text))
        heard = None if told else heard_whole([clause])
        if heard is None:
            continue
        brings = _things_of(found[-1].offered) if found else frozenset[str]()
        shares, _ = scales.weighed(clause.text, [clause], heard, brings).shares()
        best = max(range(len(shares)), key=shares.__getitem__)
        offered = scales.offer.tools[best]
        if offered.tool.name not in denied:
            found.append(Part(clause, offered, shares[best]))
    return found


def _things_of(offered: Offered) -> frozenset[str]:
    """What a tool is called after: its result most likely has the id of one."""
    return frozenset(key for keys, _ in offered.profile.nouns for key in keys if key[0] != "#")


def only_looks(clauses: list[Clause], profile: Profile) -> bool:
    """Whether something is to be done, and the tool only shows how things are."""
    reading = lexicon().reading
    heads = [clause.head for clause in clauses if clause.mood is Mood.REQUEST and clause.head is not None]
    acts = {act for head in heads for act in head.acts if act[0] != "="}
    return (
        profile.act in reading
        and bool(acts)
        and acts.isdisjoint(reading)
        and not any(lexicon().likeness(act, offered) >= 0.3 for act in acts for offered in profile.acts)
    )


def upheld(steps: list[Step], parts: list[Part], scales: Scales) -> list[Step]:
    """The steps whose tool some clause or their own words speak for, and those that bring what another needs."""
    spoken = {part.offered.tool.name for part in parts if part.share >= _ENOUGH}
    needed = {step.after for step in steps if step.needs}
    kept = [
        number
        for number, step in enumerate(steps)
        if step.tool.name in spoken or number in needed or _share_of(step, scales) >= _AT_LEAST
    ]
    places = {number: place for place, number in enumerate(kept)}
    found: list[Step] = []
    for number in kept:
        after = steps[number].after
        found.append(steps[number].following(None if after is None else places.get(after)))
    return found


def _share_of(step: Step, scales: Scales) -> float:
    clause = clause_of(step.ask, scales.offer.verbs)
    heard = heard_whole([clause])
    if heard is None:
        return 0.0
    shares, _ = scales.weighed(step.ask, [clause], heard).shares()
    return next(share for share, offered in zip(shares, scales.offer.tools, strict=True) if offered.tool is step.tool)


def asked_apart(parts: list[Part]) -> list[list[Part]]:
    """The parts in runs of one tool, where the clauses surely ask for several tools; empty where they do not."""
    sure = [part for part in parts if part.share >= _SURELY and part.clause.mood in _ASKING]
    if len({part.offered.tool.name for part in sure}) < 2:
        return []
    runs: list[list[Part]] = []
    for part in parts:
        if runs and (part not in sure or part.offered is runs[-1][0].offered):
            runs[-1].append(part)
        elif part in sure:
            runs.append([part])
    return runs
