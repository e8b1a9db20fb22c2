"""What was spent and what is being spent, by counter: one atomic step to begin a request, one to end it.

Amounts are nano-dollars. A counter's key begins with its organization in braces, which keeps a request's keys on one
node of a Redis cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class SpendAwayError(Exception):
    """Shared counters cannot be reached."""


class UnseededError(Exception):
    """A shared counter is not known, or not any more: seed it from the database and try again."""


class Begin(NamedTuple):
    """A request about to begin: its counters, the bound of each (None for none), and what it will cost at least."""

    keys: tuple[str, ...]
    bounds: tuple[int | None, ...]
    estimate: int


@dataclass(frozen=True, slots=True)
class Held:
    """A request that goes on. `levels`: what each counter had, spent and held, before it."""

    id: str
    keys: tuple[str, ...]
    estimate: int
    levels: tuple[int, ...]
    admitted: bool


class Counters(Protocol):
    @property
    def is_local(self) -> bool:
        """Whether they never wait, so that who is cancelled meanwhile has ended them already."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether they have missed something since `catch_up`: what it was, only the database can tell."""
        ...

    async def begin(self, wanted: Begin, *, force: bool = False) -> Held:
        """Hold the estimate on all counters, unless one has reached its bound; with `force` in any case.

        Raises SpendAwayError and UnseededError.
        """
        ...

    async def settle(self, held: Held, spent: int) -> None:
        """The request has ended and cost this. Raises SpendAwayError."""
        ...

    async def seed(self, spent: Mapping[str, int]) -> None:
        """Raise counters to what the database says; none is lowered. Raises SpendAwayError."""
        ...

    async def spent(self, keys: Sequence[str]) -> list[int]:
        """What was spent by each counter; 0 for one that is not known. Raises SpendAwayError."""
        ...

    async def catch_up(self) -> None:
        """Let go of what is held by requests that have ended meanwhile. Raises SpendAwayError."""
        ...


class MemoryCounters:
    """Counters of one process."""

    is_local = True
    is_behind = False

    def __init__(self) -> None:
        self._spent: dict[str, int] = {}
        self._held: dict[str, int] = {}

    async def begin(self, wanted: Begin, *, force: bool = False) -> Held:
        spent, held = self._spent, self._held
        levels = tuple([spent.get(key, 0) + held.get(key, 0) for key in wanted.keys])
        admitted = True
        for level, bound in zip(levels, wanted.bounds, strict=True):
            if bound is not None and level >= bound:
                admitted = False
        if (admitted or force) and wanted.estimate:
            for key in wanted.keys:
                held[key] = held.get(key, 0) + wanted.estimate
        return Held("", wanted.keys, wanted.estimate, levels, admitted)

    async def settle(self, held: Held, spent: int) -> None:
        for key in held.keys:
            if spent:
                self._spent[key] = self._spent.get(key, 0) + spent
            if held.estimate:
                left = self._held.get(key, 0) - held.estimate
                if left > 0:
                    self._held[key] = left
                else:
                    self._held.pop(key, None)

    async def seed(self, spent: Mapping[str, int]) -> None:
        for key, amount in spent.items():
            if amount > self._spent.get(key, 0):
                self._spent[key] = amount

    async def spent(self, keys: Sequence[str]) -> list[int]:
        return [self._spent.get(key, 0) for key in keys]

    async def catch_up(self) -> None:
        return

    def forget(self, month: str) -> None:
        """Forget counters of months before `month`, as in 2026-11."""
        # Not those of a month that has begun since the caller looked.
        for key in [key for key in self._spent if "" < _month(key) < month]:
            del self._spent[key]


def total_key(organization_id: str) -> str:
    """The counter of all that an organization ever spent."""
    return f"{{{organization_id}}}:total"


def month_key(organization_id: str, month: str, scope: str, id_: str = "") -> str:
    """The counter of a month, as in 2026-11, and of an organization, workspace, user or key."""
    return f"{{{organization_id}}}:{month}:{scope}:{id_}"


def _month(key: str) -> str:
    part = key.partition("}:")[2].partition(":")[0]
    return "" if part == "total" else part
