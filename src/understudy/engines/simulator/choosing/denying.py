"""What is not to be done: the tools that a person rules out, which no other clause of the turn may call."""

from __future__ import annotations

from understudy.engines.simulator.choosing.clauses import Clause, clause_of
from understudy.engines.simulator.choosing.fit import fits
from understudy.engines.simulator.choosing.gated import Gated, first_in
from understudy.engines.simulator.choosing.hearing import heard_of
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offer

_DENIAL = Gated(
    r"^\W*(?:(?:but|and|please|so|no|oh|just|also)\b[, ]*)*(?:don'?t|do not|never|no need (?:to|for)"
    r"|(?:i|we) (?:really )?(?:don'?t|do not) (?:want|need|wish)(?: (?:you )?to| any)?|you (?:don'?t"
    r"|do not) (?:have|need) to"
    r"|without|rather than|instead of|not)\b"
)
_ASKING = frozenset({Mood.REQUEST, Mood.WISH, Mood.QUESTION})


def denied_by(clauses: list[Clause], offer: Offer) -> frozenset[str]:
    """The names of the tools for what is said not to be done, unless the same is asked for with something else."""
    denied: set[str] = set()
    for clause in clauses:
        denial = _DENIAL.match(clause.text, first_in(clause.text)) if clause.mood is Mood.NEGATED else None
        if denial is None:
            continue
        said = clause_of(clause.text[denial.end() :].strip(), offer.verbs)
        stems = {token.stem for token in said.tokens if token.acts}
        wanted = {
            token.stem
            for other in clauses
            if other.mood in _ASKING
            for token in other.tokens
            if token is other.head or token.acts
        }
        if not said.tokens or stems & wanted:
            continue
        found = fits(heard_of(said), offer)[0]
        if found.act >= 0.9 or (found.things >= 0.5 and found.act >= 0.6):
            denied.add(found.offered.tool.name)
    return frozenset(denied) if len(denied) < len(offer.tools) else frozenset()
