"""A chunk that is being worked on: which of its requests wait, which are under way, and what came of the others."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from understudy.batches.execution import Item, Outcome, Sender, TryAgain
from understudy.batches.leases import Claim

_MOST_IN_A_ROW = 5
"""Failures after which no more of a chunk is begun: what answers for it has no room now, or does not work."""

# Of a turn: multiples of it come near no earlier one for the longest.
_FARTHEST = 0.618


class Work:
    """Places are those of requests in the batch. `todo` have not been begun; of `again` the next attempt makes another
    try; `outcomes` have not been written yet; they have
    `unwritten` bytes."""

    def __init__(self, claim: Claim, sender: Sender, lines: Sequence[bytes], done: set[int]) -> None:
        self.claim = claim
        self.sender = sender
        self._lines = lines
        self.todo = deque(place for place in range(claim.first, claim.first + claim.count) if place not in done)
        # Each attempt begins elsewhere: so the first few, of a model that does not work, keep no others waiting.
        self.todo.rotate(-int(len(self.todo) * _FARTHEST * (claim.attempt - 1)) % max(len(self.todo), 1))
        self.running: dict[int, tuple[Item, asyncio.Task[Outcome]]] = {}
        self.again: list[int] = []
        self.outcomes: list[tuple[int, Outcome]] = []
        self.unwritten = 0
        self.after = 0.0
        self.is_closed = False
        self.is_lost = False
        self._in_a_row = 0

    def line(self, place: int) -> bytes:
        return self._lines[place - self.claim.first]

    @property
    def is_blocked(self) -> bool:
        """Whether a request of it waits for a place at an engine."""
        return any(item.is_waiting for item, _ in self.running.values())

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it in this attempt."""
        return not self.todo and not self.running

    @property
    def is_done(self) -> bool:
        """Whether, once over, it needs no other attempt."""
        return self.is_closed or not self.again

    def succeeded(self, place: int, outcome: Outcome) -> None:
        self._in_a_row = 0
        self.outcomes.append((place, outcome))
        self.unwritten += len(outcome.line)

    def written(self, count: int) -> None:
        """So many of the outcomes, the first ones, need not be held any more."""
        self.unwritten -= sum(len(outcome.line) for _, outcome in self.outcomes[:count])
        del self.outcomes[:count]

    def failed(self, place: int, failure: TryAgain) -> None:
        """Another attempt is to be made for a request. After several in a row, or where no limit lets any of them in,
        the others wait for it too."""
        self.again.append(place)
        self.after = max(self.after, failure.after)
        self._in_a_row += 1
        if failure.limited or self._in_a_row >= _MOST_IN_A_ROW:
            self.put_off()

    def put_off(self) -> None:
        """Leave what has not been begun to another attempt."""
        self.again += self.todo
        self.todo.clear()

    def close(self, *, cut: bool) -> None:
        """No request may be begun any more, and those that wait for a place have not been; with `cut`, those that are
        under way end here too."""
        self.is_closed = True
        self.todo.clear()
        for item, task in self.running.values():
            if cut or item.is_waiting:
                task.cancel()

    def lose(self) -> None:
        """Somebody else has the chunk."""
        self.is_lost = True
        self.written(len(self.outcomes))
        self.close(cut=True)
