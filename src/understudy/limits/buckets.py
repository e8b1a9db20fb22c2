"""What the limiter asks of buckets, wherever they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from understudy.limits.bucket import Bucket

NOTHING: Final = -(1 << 34)
"""As what must be in a bucket: nothing at all, however deep its debt is."""

Want: TypeAlias = tuple[Bucket, int, int]
"""A bucket, the units taken from it, and the units that must be in it for that."""

Charge: TypeAlias = tuple[Bucket, int]
"""A bucket and the units it is to lose; negative ones it gets back."""


class Decision(NamedTuple):
    """What became of a request for units of several buckets.

    `admitted`: all of them had enough. `refused`: places of those that had not. `wait`: milliseconds after which all
    will have enough if nobody else takes any, None where one can never hold so much. `levels`: parts in each bucket
    afterwards.
    """

    admitted: bool
    refused: tuple[int, ...]
    wait: int | None
    levels: tuple[int, ...]


class BucketsAwayError(Exception):
    """The buckets cannot be reached, and nothing stands in for them."""


class Buckets(Protocol):
    """Buckets by key. One that nobody has asked for yet is full. Each call is one atomic step."""

    produce_interval: float
    """Seconds of output that are charged together: 0 where a charge costs next to nothing."""

    async def take(self, wants: Sequence[Want], *, force: bool = False) -> Decision:
        """Take from all buckets, or from none of them when one has not enough. With `force` take in any case, down to
        the bound of debt. Raises BucketsAwayError."""
        ...

    async def settle(self, charges: Sequence[Charge], *, late: bool = False) -> tuple[int, ...]:
        """Charge and give back without asking; returns the levels in parts. A bucket never holds more than full, nor
        less than its floor. `late`: this was taken elsewhere while the buckets were out of reach; those that were
        forgotten meanwhile are left as they are, since they begin empty. Raises BucketsAwayError."""
        ...

    async def peek(self, buckets: Sequence[Bucket]) -> tuple[int, ...]:
        """The levels in parts; changes nothing. Raises BucketsAwayError."""
        ...
