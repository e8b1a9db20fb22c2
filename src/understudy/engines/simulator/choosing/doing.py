"""How well what a tool does is what a clause asks to be done."""

from __future__ import annotations

import re

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.profiles import Profile
from understudy.engines.simulator.choosing.words import Token

_ANY = re.compile(r"^\W*(?:plus |and |also )?(?:any|all|every|what|which)\b", re.IGNORECASE)
_BRINGING = frozenset("get list search track".split())
LIGHT = frozenset("get make give put take do have let set need".split())


def acts_of(clause: Clause, offer: Offer) -> list[float]:
    """How well each of the tools does what is asked to be done, from 0 to 1."""
    moods = {Mood.FRAGMENT, Mood.WISH}
    unsaid = 0.4 if clause.mood in moods or is_light(clause) else 0.0
    unnamed = 0.4 if clause.mood in {Mood.QUESTION, *moods} else 0.3
    found = [unsaid if offered.profile.act else unnamed for offered in offer.tools]
    for act, weight in clause.acts.items():
        for place, worth in offer.doing(act):
            if weight * worth > found[place]:
                found[place] = weight * worth
    return found


def stands_out(acts: list[float], best: float) -> bool:
    """Whether one tool alone does what is asked for, or comes much nearer to it than the others."""
    if best >= 0.9:
        return sum(act >= 0.9 for act in acts) == 1
    return best >= 0.5 and sum(act >= best - 0.25 for act in acts) == 1


def conflicts(clause: Clause, profile: Profile) -> bool:
    """Whether the tool does something else than what is asked: writes where one asks, reads where one orders."""
    known = lexicon()
    if not profile.act or is_light(clause):
        return False
    writes = profile.act not in known.reading and not (
        _BRINGING & {act for act, worth in profile.acts.items() if worth >= 0.7}
    )
    if clause.head is not None and clause.mood is Mood.REQUEST:
        return not any(
            known.likeness(act, offered) >= 0.3
            for act in clause.head.acts
            for offered, worth in profile.acts.items()
            if worth >= 0.6
        )
    if clause.mood is Mood.QUESTION or (clause.mood is Mood.FRAGMENT and _ANY.match(clause.text)):
        return writes
    return False


def _says_little(head: Token) -> bool:
    """Whether a light verb stands by itself; "get rid of" is not "get"."""
    own = lexicon().acts.get((head.stem,), ())
    return head.low in LIGHT and (not own or not head.acts or not set(own).isdisjoint(head.acts))


def is_light(clause: Clause) -> bool:
    """Whether the act leaves it to the noun ("get us a table", "make it warmer"), or is a verb nobody knows."""
    return clause.mood is Mood.REQUEST and (
        clause.head is None or _says_little(clause.head) or not (clause.head.acts or clause.head.stop)
    )


def is_unknown(clause: Clause) -> bool:
    """Whether what is to be done is said with a verb that is no known act."""
    head = clause.head
    return (
        clause.mood is Mood.REQUEST and head is not None and not head.stop and not (set(head.acts) - {"=" + head.stem})
    )
