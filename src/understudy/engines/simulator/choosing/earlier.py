"""Turns that take up the turns before them: with the same call, another one, or none."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from understudy.engines.simulator.choosing.clauses import Clause, clause_of
from understudy.engines.simulator.choosing.fit import fits
from understudy.engines.simulator.choosing.followups import is_elliptic, resolved, says_again
from understudy.engines.simulator.choosing.gated import Gated, words_in
from understudy.engines.simulator.choosing.hearing import Fit, Heard, heard_of
from understudy.engines.simulator.choosing.judging import best_of
from understudy.engines.simulator.choosing.moods import Mood, is_general
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.profiles import Parameter
from understudy.engines.simulator.choosing.serving import (
    at_home,
)
from understudy.engines.simulator.choosing.situation import Situation
from understudy.engines.simulator.choosing.steps import Step
from understudy.engines.simulator.choosing.words import Token

MOST_BACK = 3


CORRECTS = Gated(
    r"^\W*(?:(?:no|sorry|actually|oops|wait|hmm|oh|on second thought)\b[, ]*)*(?:make (?:it|that|them)"
    r"|change (?:it|that) to)\b"
)


_OF_THOSE = Gated(r"\b(?:which|how many|any|what|who|one|some|both) of (?:those|them|these)\b")


# What stands in an earlier result: "the 17:08", "the second one", "la de las 19:00".
_PICKS = re.compile(
    r"\bthe (?:\d{1,2}[:.]\d\d|\d{1,2} ?(?:am|pm|o'clock)|(?:first|second|third|fourth|last|next|other|cheapest"
    r"|earliest|latest|fastest"
    r"|biggest|largest|newest|oldest|top|same) (?:one|two|of|option|result|entry|offer)|one (?:at|from|with|on|in"
    r"|for|by|that))\b"
    r"|\b\w+ one,? please\b|\b(?:la|el) (?:de las?|primer[ao]?|segund[ao]|últim[ao])\b"
    r"|\b(?:den|die|das) (?:um|erste[nr]?|zweite[nr]?|letzte[nr]?)\b|\b(?:celui|celle) (?:de|du|à)\b",
    re.IGNORECASE,
)
# One of these stands in each of the above.
_PICKING = frozenset("the one la el den die das celui celle".split())
_THEM = Gated(
    r"\b(?:both(?: of (?:them|those|these))?|all (?:of )?(?:them|those|these)|them(?: all| both)?"
    r"|the two(?: of them)?)\b"
    r"|\ball(?: \w+)?$"
)
_MOST_THINGS = 6


def picks(text: str) -> bool:
    """Whether something is picked that stands in an earlier result."""
    words = words_in(text)
    return (words is None or not words.isdisjoint(_PICKING)) and _PICKS.search(text) is not None


Plan = Callable[[Offer, Situation, int], list[Step]]
Adding = Callable[[Fit, Heard], list[Step]]


class Earlier:
    """The turns before the last one. `plan` makes the steps of a turn; `depth` counts how far back one has gone."""

    def __init__(self, offer: Offer, situation: Situation, depth: int, plan: Plan) -> None:
        self._offer = offer
        self._situation = situation
        self._depth = depth
        self._plan = plan
        self._previous: tuple[list[Step], str] | None = None

    def steps(self) -> tuple[list[Step], str]:
        """The steps of the newest earlier user turn that had some, and its text."""
        if self._previous is None:
            self._previous = self._found() if self._depth < MOST_BACK else ([], "")
        return self._previous

    def _found(self) -> tuple[list[Step], str]:
        earlier = self._situation.earlier
        looked = 0
        for place in range(len(earlier) - 1, -1, -1):
            role, text = earlier[place]
            if role != "user" or not text.strip():
                continue
            steps = self._plan(self._offer, self._at(place), self._depth + 1)
            if not looked:
                steps = self._as_made(steps, text)
            if steps:
                return steps, text
            looked += 1
            if looked == MOST_BACK:
                break
        return [], ""

    def _as_made(self, steps: list[Step], text: str) -> list[Step]:
        """The steps, unless another call than these was made then: what was done says what was meant."""
        made = self._situation.made
        if not made or any(step.tool.name == made[-1][0] for step in steps):
            return steps
        tool = next((offered.tool for offered in self._offer.tools if offered.tool.name == made[-1][0]), None)
        return steps if tool is None else [Step(tool, text)]

    def _at(self, place: int) -> Situation:
        """As it was at an earlier turn."""
        earlier = self._situation.earlier
        return Situation(earlier[place][1], earlier[:place], tenant=self._situation.tenant)

    def corrected(self, clause: Clause, heard: Heard) -> list[Step]:
        """ "Make that 6:45" after a thing was made: the tool that changes such a thing, where there is one."""
        if not self._situation.earlier:
            return []
        steps = self.steps()[0]
        if not steps:
            return []
        before = next(offered.profile for offered in self._offer.tools if offered.tool is steps[-1].tool)
        if before.acts.get("create", 0.0) < 0.6 and before.acts.get("schedule", 0.0) < 0.6:
            return []
        things = {key for keys, _ in before.nouns for key in keys if key[0] != "#"}
        for fit in fits(heard, self._offer):
            profile = fit.offered.profile
            nouns = {key for keys, _ in profile.nouns for key in keys if key[0] != "#"}
            if profile.act == "update" and things & nouns and fit.offered.tool is not steps[-1].tool:
                return [Step(fit.offered.tool, clause.text)]
        return []

    def all_of_them(self, clause: Clause, heard: Heard, best: Fit | None) -> list[Step]:
        """ "Stop both": the call for each of the things that the turns before were about."""
        if clause.mood is not Mood.REQUEST or not self._situation.earlier:
            return []
        pointed = _THEM.search(clause.text, clause.words)
        if pointed is None:
            return []
        best = best or fits(heard, self._offer)[0]
        wanted = [one for one in best.offered.profile.required if one.kind in {"id", "number", "enum", "text", "place"}]
        if (
            best.act < 0.9
            or len(wanted) != 1
            or wanted[0].array
            or any(token.kind and not token.stop for token in clause.tokens)
        ):
            return []
        things = self._things(wanted[0], 2 if pointed.group().lower().startswith(("both", "the two")) else _MOST_THINGS)
        if len(things) < 2:
            return []
        begin, end = pointed.span()
        return [Step(best.offered.tool, clause.text[:begin] + thing + clause.text[end:]) for thing in things]

    def _things(self, wanted: Parameter, most: int) -> list[str]:
        """What the earlier calls were about, the oldest first: values as the parameter takes them, with their noun."""
        found: list[str] = []
        earlier = self._situation.earlier
        for place in range(len(earlier) - 1, -1, -1):
            if earlier[place][0] != "user" or len(found) >= most:
                continue
            steps = self._plan(self._offer, self._at(place), self._depth + 1)
            for step in reversed(steps):
                thing = _thing(clause_of(step.ask, self._offer.verbs).tokens, wanted)
                if thing and thing not in found:
                    found.append(thing)
            if len(steps) > 1 or self._depth:
                break
        return found[:most][::-1]

    def repeated_by(self, clause: Clause, best: Fit) -> bool:
        """Whether a short turn asks the tool of the turn before for something else: "and by train?"."""
        if (
            not self._situation.earlier
            or clause.mood not in {Mood.FRAGMENT, Mood.QUESTION}
            or not is_elliptic(clause, 1)
        ):
            return False
        steps = self.steps()[0]
        return bool(steps) and steps[-1].tool is best.offered.tool

    def answers(self, clause: Clause, heard: Heard, best: Fit) -> bool:
        """Whether a question is about what an earlier call has brought: it is answered from there."""
        if self._situation.earlier and _OF_THOSE.search(clause.text, clause.words):
            return clause.mood in {Mood.QUESTION, Mood.FRAGMENT}
        if clause.mood is not Mood.QUESTION or not clause.refers_back or heard.values or not self._situation.earlier:
            return False
        earlier = self._situation.earlier
        for place in range(len(earlier) - 1, max(-1, len(earlier) - 2 * MOST_BACK - 1), -1):
            if earlier[place][0] == "user" and self._depth == 0:
                steps = self._plan(self._offer, self._at(place), MOST_BACK - 1)
                if any(step.tool is best.offered.tool for step in steps):
                    return True
        return False

    def gone_on_by(self, clause: Clause, heard: Heard) -> bool:
        """Whether a fragment ("And student 12?") has nothing that the tool of the turn before does not know."""
        if clause.mood is not Mood.FRAGMENT or not self._situation.earlier or not is_elliptic(clause, 1):
            return False
        steps = self.steps()[0]
        if not steps:
            return False
        found = fits(heard, self._offer)
        same = next(fit for fit in found if fit.offered.tool is steps[-1].tool)
        more = at_home(found[0].offered.profile, heard.counted) - at_home(same.offered.profile, heard.counted)
        if found[0].rank > same.rank + (0.25 if more > 1 else 0.6) and found[0].score > 0.5:
            return False
        index = next(offered.profile.index for offered in self._offer.tools if offered.tool is steps[-1].tool)
        plain = [token for token in heard.content if not token.kind and not token.stop]
        return all(any(index.get(key, 0.0) * strength >= 0.2 for key, strength in token.keys) for token in plain)

    def inherited(self, clause: Clause, heard: Heard, left: int, add: Adding) -> list[Step]:
        """What an elliptic turn asks for: the call of the turn before, with what is new."""
        if clause.mood in {Mood.EXPLAIN, Mood.COMPOSE, Mood.STATEMENT} or not self._situation.earlier:
            return []
        again = says_again(clause)
        if (not again and clause.mood is Mood.REQUEST and clause.refers_back) or (
            not again and clause.mood is Mood.REQUEST and len(heard.content) <= 2
        ):
            steps, text = self.steps()
            if steps:
                keys = _keys_of(text, self._offer.verbs, self._situation.tenant)
                wider = heard_of(clause, {key: 0.6 * strength for key, strength in keys})
                best = best_of(wider, self._offer, in_general=is_general(self._situation.asked))
                if best is not None:
                    return add(best, wider)
        if not is_elliptic(clause, left):
            return []
        steps, text = self.steps()
        if not steps:
            return []
        last = steps[-1]
        asks = resolved(clause, last.ask, self._offer, last.tool)
        return [Step(last.tool, ask) for ask in asks]


@lru_cache(maxsize=64)
def _keys_of(text: str, verbs: frozenset[str], tenant: str) -> tuple[tuple[str, float], ...]:
    """The strengths of what an earlier turn speaks of. Remembered for the `tenant` whose turn it is."""
    return tuple(heard_of(clause_of(text, verbs)).keys.items())


def _thing(tokens: list[Token], wanted: Parameter) -> str:
    named = ""
    for place, token in enumerate(tokens):
        if wanted.enum:
            if token.low in wanted.enum:
                return token.text
        elif token.kind in _SERVING.get(wanted.kind, {"name", "id", "code", "quoted"}):
            before = tokens[place - 1] if place else None
            if before is not None and before.stem in wanted.stems:
                return f"{before.text} {token.text}"
            named = named or token.text
    return named


_SERVING = {"number": {"number"}, "id": {"id", "code", "number"}}
