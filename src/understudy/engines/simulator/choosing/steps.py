"""One call of a plan, and when it may be made."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from understudy.engines.simulator.choosing.clauses import clause_of
from understudy.engines.simulator.choosing.hearing import heard_of
from understudy.wire.client_tools import ClientTool

_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_LESS = re.compile(
    r"\b(?:below|under|less than|lower than|colder than|cheaper than|fewer than|drops? to|at most)\b", re.IGNORECASE
)
_MORE = re.compile(
    r"\b(?:above|over|more than|higher than|greater than|warmer than|exceeds?|at least|hotter than)\b", re.IGNORECASE
)
_NOT = re.compile(r"\b(?:not|no|isn't|aren't|won't|never|without)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `after` is the number of the step whose result it waits for; `needs` that it takes a value from it."""

    tool: ClientTool
    ask: str
    after: int | None = None
    needs: bool = False
    each: bool = False
    condition: str = ""

    def with_ask(self, ask: str) -> Step:
        return replace(self, ask=ask)

    def following(self, after: int | None) -> Step:
        return replace(self, after=after)

    def holds(self, result: str) -> bool:
        """Whether the condition is met by a result, as far as numbers and words tell."""
        number = _NUMBER.search(self.condition)
        shown = _NUMBER.search(result)
        if number and shown:
            limit, value = (float(found.group().replace(",", ".")) for found in (number, shown))
            if _LESS.search(self.condition):
                return value < limit
            if _MORE.search(self.condition):
                return value > limit
        wanted = heard_of(clause_of(self.condition))
        there = heard_of(clause_of(result[:1_000])).keys
        said = [token for token in wanted.content if not token.acts or token.keys]
        met = any(there.get(key, 0.0) * strength > 0.6 for token in said for key, strength in token.keys)
        return met != bool(_NOT.search(self.condition)) if said else True
