"""The signs in a turn that it asks for one tool or another: each a number. Their order, `TOOL`, is that of the weights.

Those that speak for calling none are in turn_signs.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.fit import speaks_of_another_thing
from understudy.engines.simulator.choosing.hearing import Heard, missing_of
from understudy.engines.simulator.choosing.meanings import direction_of_turn
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.past import Past
from understudy.engines.simulator.choosing.serving import at_home, homeless
from understudy.engines.simulator.choosing.shared_words import SharedWords
from understudy.engines.simulator.choosing.traits import Traits
from understudy.engines.simulator.choosing.turn_signs import Most, marks_of, turn_signs
from understudy.engines.simulator.choosing.vectors import likeness

TOOL: Sequence[str] = (
    "act verb act_asked act_first verb_first like like_first like_lead name word group kin best first lead "
    "covered weighed strongest option option_stem parameter label home homeless missing no_id needs texts prefix "
    "brought same_value same_shape last made_before reads_asked reads_told writes_asked writes_told reads_said "
    "writes_said runs knows all_at_home nothing_said apart coded not_coded called written told_all"
).split()

# So many tools are looked at closely; the signs that only those have stand before `brought` and after `made_before`.
_MOST_NEAR = 8
# What likeness in meaning counts beside a word that is shared when these are looked for.
_LIKE = 2.0
_FAR_BEFORE = [0.0] * (TOOL.index("prefix") - TOOL.index("option") + 1)
_FAR_AFTER = [0.0] * (len(TOOL) - TOOL.index("reads_asked"))
_CODE_START = re.compile(r"[a-z]{1,8}(?=[-_]?\d)")
_SILENT = frozenset({Mood.NEGATED, Mood.SOCIAL, Mood.META})
_CODES = frozenset(("id", "code"))
_LABELLED = frozenset(("id", "number", "code"))
_TOLD = frozenset(("name", "quoted", "code", "id", "path"))


@dataclass(frozen=True, slots=True)
class Signs:
    """`tools` holds for each tool, by place, its signs; `turn` those of the turn. `near` are the places of the tools
    that were looked at closely, `said` the words and marks of the turn."""

    tools: list[list[float]]
    turn: list[float]
    near: list[int]
    said: frozenset[str]


def signs_of(
    asked: str,
    clauses: list[Clause],
    whole: Heard,
    offer: Offer,
    past: Past,
    shared: SharedWords,
    brings: frozenset[str] = frozenset(),
    *,
    far: bool = True,
) -> Signs:
    """`whole` is all that is said in `clauses` as one; `past` and `shared` are of the same tools as `offer`.

    `brings`: stems of what a call that is planned before may bring the id of. Without `far` the tools that are not
    near have no signs.
    """
    many = len(offer.tools)
    kept = [clause for clause in clauses if clause.mood not in _SILENT]
    content = [token for token in whole.content if token.weight > 0]
    acts = _acts(whole, offer)
    words = shared.columns(content, whole.clause.tokens)
    names = _names(whole, offer)
    firsts = acts.count(max(acts))
    best = max(acts)
    stems = {token.stem for token in content if not token.kind}
    doing = [not stems.isdisjoint(offered.profile.verbs) for offered in offer.tools]
    first_act = 1.0 / firsts if best > 0.3 else 0.0
    first_verb = 1.0 / max(sum(doing), 1)
    asked_for = any(clause.mood is Mood.REQUEST for clause in kept)
    likes = _likes(asked, offer)
    most_like, second = _two(likes)
    near = list(range(many))
    brought = past.brought
    if many > _MOST_NEAR:
        near.sort(key=lambda place: -words.best[place] - acts[place] - brought[place] - _LIKE * likes[place])
        near = near[:_MOST_NEAR]
    if brings:
        brought = [
            one if brings.isdisjoint(traits.lacked) else max(one, 0.5)
            for one, traits in zip(brought, offer.matters().traits, strict=True)
        ]
    same_value, same_shape = past.same(whole.values)
    closely = _Closely(kept, whole, offer, later=past.any)
    tools: list[list[float]] = [[]] * many
    for place in range(many) if far else near:
        before, after = closely.signs(place) if place in near else (_FAR_BEFORE, _FAR_AFTER)
        act, does = acts[place], doing[place]
        tools[place] = [
            act,
            1.0 if does else 0.0,
            act if asked_for else 0.0,
            first_act if act == best else 0.0,
            first_verb if does else 0.0,
            like := likes[place],
            1.0 if like == most_like > 0 else 0.0,
            like - (second if like == most_like else most_like),
            names[place],
            *[column[place] for column in words],
            *before,
            brought[place],
            same_value[place],
            same_shape[place],
            past.last[place],
            past.made_before[place],
            *after,
        ]
    most = Most(max(words.best), best, max(names), max(words.covered), most_like)
    return Signs(tools, turn_signs(asked, clauses, kept, whole, content, most, later=past.any), near, marks_of(asked))


def _likes(asked: str, offer: Offer) -> list[float]:
    """How near what is said is to what each tool speaks of."""
    said = direction_of_turn(asked)
    return [likeness(said, of_tool) for of_tool in offer.matters().directions]


def _two(numbers: list[float]) -> tuple[float, float]:
    """The greatest, and the greatest of the others; twice the same where there is one."""
    ranked = sorted(numbers, reverse=True)
    return ranked[0], ranked[1] if len(ranked) > 1 else ranked[0]


def _acts(whole: Heard, offer: Offer) -> list[float]:
    """How far each tool does what is asked."""
    found = [0.0] * len(offer.tools)
    for act, weight in whole.clause.acts.items():
        for place, worth in offer.doing(act):
            if weight * worth > found[place]:
                found[place] = weight * worth
    return found


def _names(whole: Heard, offer: Offer) -> list[float]:
    """How far the things of each tool's name are spoken of."""
    keys = whole.keys
    found: list[float] = []
    for nouns, sum_of_weights in offer.things:
        named = 0.0
        for noun, weight in nouns:
            best = 0.0
            for key, strength in noun:
                said = keys.get(key)
                if said is not None and said * strength > best:
                    best = said * strength
            named += weight * best
        found.append(named / sum_of_weights if sum_of_weights else 0.0)
    return found


class _Closely:
    """The signs of the parameters of a tool, beside what is said."""

    def __init__(self, kept: list[Clause], whole: Heard, offer: Offer, *, later: bool) -> None:
        self._whole = whole
        self._offer = offer
        self._later = later
        tokens = whole.clause.tokens
        values = whole.values
        moods = {clause.mood for clause in kept}
        self._question, self._request = Mood.QUESTION in moods, Mood.REQUEST in moods
        self._low = {token.low for token in tokens}
        self._stems = {token.stem for token in tokens}
        self._said = sum(token.kind in _TOLD for token in values)
        self._codes = sum(token.kind in _CODES for token in values)
        self._names = sum(token.kind == "name" for token in values)
        # The words that values stand behind, and the letters that codes begin with.
        self._labels = [former.stem for former, token in pairwise(tokens) if token.kind in _LABELLED]
        begins = [_CODE_START.match(token.low) for token in tokens if token.kind in _CODES]
        self._begins = [begin.group() for begin in begins if begin]
        # Only a request whose verb is known says what it is about.
        self._requests = [clause for clause in kept if clause.mood is Mood.REQUEST and clause.head is not None]

    def signs(self, place: int) -> tuple[list[float], list[float]]:
        """Those that stand before `brought` and those that stand after `made_before`."""
        whole = self._whole
        profile = self._offer.tools[place].profile
        traits = self._offer.matters().traits[place]
        option, option_stem = self._options(traits)
        missing = missing_of(profile, whole)
        without_place = homeless(profile, whole.counted) if whole.values else 0
        labelled = sum(label in traits.labels for label in self._labels if label)
        prefixed = sum(any(word.startswith(begin) for word in traits.prefixed) for begin in self._begins)
        before: list[float] = [
            option,
            option_stem,
            min(sum(not names.isdisjoint(self._stems) for names in traits.named), 3),
            min(labelled, 3),
            min(at_home(profile, whole.counted), 4) if whole.values else 0,
            min(without_place, 4),
            min(len(missing), 3),
            any(parameter.kind == "id" for parameter in missing),
            min(traits.needs, 5) / 5,
            self._said >= traits.texts,
            min(prefixed, 2),
        ]
        all_at_home = bool(whole.values) and not without_place and not missing
        unsaid = not whole.values and not option and not option_stem
        apart = any(speaks_of_another_thing(clause, profile.index) for clause in self._requests)
        after: list[float] = [
            *self._does(reads=traits.reads),
            profile.executes,
            profile.knowledge,
            all_at_home,
            unsaid and traits.needs > 0 and not self._later,
            apart,
            min(self._codes, traits.slots, 2),
            self._codes > 0 and traits.slots == 0,
            min(self._names, traits.slots, 2),
            traits.writes and (self._codes + self._names > 0 or self._request),
            all_at_home and not (traits.reads or self._question or self._request),
        ]
        return before, after

    def _options(self, traits: Traits) -> tuple[int, int]:
        """How many enums have a member that is said, and how many one that shares its stem with a word."""
        said = alike = 0
        for options in traits.options:
            if not options.words.isdisjoint(self._low) or any(phrase <= self._low for phrase in options.phrases):
                said += 1
            elif not options.stems.isdisjoint(self._stems):
                alike += 1
        return min(said, 3), min(alike, 2)

    def _does(self, *, reads: bool) -> tuple[float, ...]:
        """`reads_asked reads_told writes_asked writes_told reads_said writes_said`: one of them is 1."""
        if self._question and (reads or not self._request):
            return (1.0, 0.0, 0.0, 0.0, 0.0, 0.0) if reads else (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
        if self._request:
            return (0.0, 1.0, 0.0, 0.0, 0.0, 0.0) if reads else (0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
        return (0.0, 0.0, 0.0, 0.0, 1.0, 0.0) if reads else (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
