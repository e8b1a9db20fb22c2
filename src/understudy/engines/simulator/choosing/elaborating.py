"""Clauses that say more about a call that is planned already, or ask for it once more."""

from __future__ import annotations

import re

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.followups import is_elliptic, resolved
from understudy.engines.simulator.choosing.gated import Gated
from understudy.engines.simulator.choosing.hearing import Fit, Heard, heard_of, missing_of
from understudy.engines.simulator.choosing.judging import DEFINITE
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.providing import provider_of
from understudy.engines.simulator.choosing.steps import Step
from understudy.engines.simulator.choosing.whole import joined

AGAIN = Gated(r"\b(?:again|another|twice|once more|one more|second)\b")


def adds(clause: Clause, fit: Fit) -> bool:
    """Whether a clause for the tool of the clause before it asks for one more call rather than saying more of that."""
    if AGAIN.search(clause.text, clause.words):
        return True
    if fit.missing and sum(bool(token.kind) for token in clause.tokens) <= 1:
        return False
    if clause.mood is Mood.WISH or (clause.mood is Mood.REQUEST and fit.act < 0.75):
        return False
    if clause.mood is Mood.FRAGMENT and fit.things < 0.6 and not clause.text.lower().startswith("and "):
        return False
    enums = {value for parameter in fit.offered.profile.parameters for value in parameter.enum}
    return any(token.kind and token.low not in enums for token in clause.tokens)


def is_label(clause: Clause) -> bool:
    """Whether a fragment only says the value of something: "Policy number PX-1002"."""
    kinds = {token.kind for token in clause.tokens}
    return (
        len(clause.tokens) <= 5
        and not clause.text.endswith("?")
        and not kinds.isdisjoint({"id", "number", "email", "code"})
    )


REPORTS = Gated(
    r"^\W*(?:(?:and|then|finally|please) )*(?:report|tell|show|give|print|summari[sz]e|explain|describe|return"
    r"|send|let)(?: me| us)?"
    r"(?: know)?(?: back)? (?:(?:on |about )?(?:the |its |their )?(?:\w+ )?(?:output|results?|outcome|answer"
    r"|contents?|summary|findings)"
    r"|what (?:it|they|you) (?:says?|print(?:s|ed)?|finds?|found|returns?|shows?|outputs?|got|get|see)|what (?:happens"
    r"|happened|comes out)"
    r"|how it (?:went|goes)|it)\W*$"
)


_JUST = Gated(r"^\W*(?:just|only) (?:the|their|its|a|an)\b")


_AND_ALSO = re.compile(
    r"^\W*(?:and|also|what about|how about|(?:the )?same (?:\w+ )?(?:for|in|at|on|with|from)|another|one more|und"
    r"|et|y|plus)\b",
    re.IGNORECASE,
)


def is_sibling(steps: list[Step], clause: Clause, best: Fit, offer: Offer) -> bool:
    """Whether a clause says that what was planned is to be done another way: "put it in my drafts"."""
    if best.offered.tool is steps[-1].tool or any(token.kind for token in clause.tokens):
        return False
    if clause.mood is Mood.FRAGMENT and _JUST.match(clause.text):
        return True
    if not clause.refers_back or not missing_of(best.offered.profile, heard_of(clause)):
        return False
    last = next(offered.profile for offered in offer.tools if offered.tool is steps[-1].tool)
    mine = {parameter.name for parameter in best.offered.profile.required}
    return len(mine) > 1 and mine <= {parameter.name for parameter in last.required}


def says_too_little(
    clauses: list[Clause], heard: Heard, best: Fit, offer: Offer, *, planned: bool, goes_on: bool
) -> bool:
    """Whether one would have to ask back first: nothing but the wish is said, and what it takes cannot be found."""
    clause = heard.clause
    if (
        clause.mood is Mood.QUESTION
        and not planned
        and not goes_on
        and any(lack.kind == "id" for lack in best.missing)
        and not clause.refers_back
        and not any(token.low in DEFINITE - {"the"} or token.kind in {"id", "number"} for token in clause.tokens)
    ):
        return provider_of(best, best.missing, heard, offer) is None
    if (
        clause.mood not in {Mood.REQUEST, Mood.WISH}
        or goes_on
        or not best.missing
        or clause.refers_back
        or any(token.kind for other in clauses for token in other.tokens)
    ):
        return False
    enums = {value for parameter in best.offered.profile.parameters for value in parameter.enum}
    if any(token.low in enums for token in clause.tokens) and len(best.missing) < 2:
        return False
    if all(lack.kind == "number" for lack in best.missing) and best.offered.profile.act not in {
        "pay",
        "order",
        "create",
    }:
        return False
    return provider_of(best, best.missing, heard, offer) is None


def once_more(steps: list[Step], clause: Clause, offer: Offer) -> list[Step]:
    """ "And lift B?" after "Is lift A working?": the call just planned once more, with what is new."""
    if (
        not steps
        or clause.mood not in {Mood.FRAGMENT, Mood.QUESTION}
        or len(clause.text.split()) > 9
        or not any(token.kind for token in clause.tokens)
        or not (_AND_ALSO.match(clause.text) or clause.mood is Mood.QUESTION)
        or not (is_elliptic(clause, 1) or clause.mood is Mood.QUESTION)
    ):
        return []
    last = steps[-1]
    return [Step(last.tool, ask) for ask in resolved(clause, last.ask, offer, last.tool)]


def elaborate(steps: list[Step], clause: Clause) -> None:
    """A clause that asks for nothing of its own says more about the call before it."""
    if clause.mood in {Mood.FRAGMENT, Mood.STATEMENT, Mood.REQUEST, Mood.QUESTION}:
        steps[-1] = steps[-1].with_ask(joined([steps[-1].ask, clause.text]))


_IS_NOW = Gated(r"\b(?:is|are|'s|was)(?: now| all| already| finally)? (\w+)\b")


def says_state(clause: Clause, offer: Offer) -> bool:
    """Whether a statement gives a thing that has an id a state that a tool sets: "T-81 is done"."""
    said = _IS_NOW.search(clause.text, clause.words) if clause.mood is Mood.STATEMENT else None
    if said is None or not any(token.kind in {"id", "code"} for token in clause.tokens):
        return False
    reading = lexicon().reading
    return any(
        offered.profile.act not in reading
        and any(parameter.kind == "id" for parameter in offered.profile.required)
        and any(said.group(1).lower() in parameter.enum for parameter in offered.profile.parameters)
        for offered in offer.tools
    )
