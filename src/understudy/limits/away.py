"""What happens while shared buckets cannot be reached: every server goes on with its share, or refuses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final, Literal, TypeAlias

from understudy.limits.bucket import Bucket, refilled
from understudy.limits.buckets import Buckets, BucketsAwayError, Charge, Decision, Want
from understudy.limits.memory import MemoryBuckets, monotonic_ms

WhenAway: TypeAlias = Literal["open", "closed"]

# Levels that are remembered for the case; more than are in use within a minute.
_MOST_LEVELS: Final = 20_000

_log = logging.getLogger(__name__)


class SharedBuckets:
    """Buckets that are shared, and what stands in for them.

    When the shared ones do not answer they are left alone for `pause` seconds; then one request tries them again.
    Meanwhile `closed` raises BucketsAwayError, and `open` decides by buckets of this process: each has the limit
    divided by `replicas` and begins with this server's part of what was left when it was last seen. What was taken
    from them is charged to the shared ones when those are back.
    """

    def __init__(
        self,
        shared: Buckets,
        when_away: WhenAway,
        replicas: int,
        *,
        pause: float = 1.0,
        clock: Callable[[], int] = monotonic_ms,
        time_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.produce_interval = shared.produce_interval
        self._shared = shared
        self._replicas = replicas
        self._pause = pause
        self._clock = clock
        self._time = time_clock
        self._local = MemoryBuckets(clock, self._initial) if when_away == "open" else None
        self._known: dict[str, tuple[int, int]] = {}
        self._away_until: float | None = None

    @property
    def away(self) -> bool:
        """Whether the shared buckets did not answer when they were last asked."""
        return self._away_until is not None

    async def take(self, wants: Sequence[Want], *, force: bool = False) -> Decision:
        if await self._reachable():
            try:
                decision = await self._shared.take(wants, force=force)
            except BucketsAwayError as error:
                self._lost(error)
            else:
                self._remember([of for of, _, _ in wants], decision.levels)
                return decision
        local = self._stand_in()
        shared = [of for of, _, _ in wants]
        shares = [self._share(of) for of in shared]
        decision = await local.take(
            [(share, cost, need) for share, (_, cost, need) in zip(shares, wants, strict=True)], force=force
        )
        return decision._replace(levels=_whole(shared, decision.levels))

    async def settle(self, charges: Sequence[Charge], *, late: bool = False) -> tuple[int, ...]:
        if await self._reachable():
            try:
                return await self._shared.settle(charges, late=late)
            except BucketsAwayError as error:
                self._lost(error)
        local = self._stand_in()
        shared = [of for of, _ in charges]
        shares = [self._share(of) for of in shared]
        levels = await local.settle([(share, cost) for share, (_, cost) in zip(shares, charges, strict=True)])
        return _whole(shared, levels)

    async def peek(self, buckets: Sequence[Bucket]) -> tuple[int, ...]:
        if await self._reachable():
            try:
                return await self._shared.peek(buckets)
            except BucketsAwayError as error:
                self._lost(error)
        shares = [self._share(of) for of in buckets]
        return _whole(buckets, await self._stand_in().peek(shares))

    async def _reachable(self) -> bool:
        if self._away_until is None:
            return True
        if self._time() < self._away_until:
            return False
        # Others go on without until this one knows.
        self._away_until = self._time() + self._pause
        try:
            await self._bring_back()
        except BucketsAwayError:
            return False
        self._away_until = None
        _log.warning("the shared rate limits are back")
        return True

    async def _bring_back(self) -> None:
        """Charge the shared buckets with what was taken meanwhile; a step for each organization."""
        await self._shared.peek([_PROBE])
        if self._local is None:
            return
        taken = sorted(self._local.drain(), key=_organization)
        for _, of_one in groupby(taken, key=_organization):
            charges = [(self._unshare(share), units) for share, units in of_one]
            await self._shared.settle(charges, late=True)

    def _lost(self, error: BucketsAwayError) -> None:
        if self._away_until is None:
            standing_in = "requests are refused" if self._local is None else "this server goes on with its share"
            _log.warning("the shared rate limits do not answer (%s): %s", error, standing_in)
        self._away_until = self._time() + self._pause

    def _stand_in(self) -> MemoryBuckets:
        if self._local is None:
            raise BucketsAwayError("the shared rate limits do not answer")
        return self._local

    def _remember(self, buckets: Sequence[Bucket], levels: Sequence[int]) -> None:
        if self._local is None:
            return
        now = self._clock()
        if len(self._known) > _MOST_LEVELS:
            self._known.clear()
        for of, level in zip(buckets, levels, strict=True):
            before = self._known.get(of.key)
            if before is not None:
                # Answers may come out of their order: a level is not believed to be higher than refill has made it.
                believed = refilled(*before, now, of)
                if believed[0] < level:
                    self._known[of.key] = believed
                    continue
            self._known[of.key] = (level, now)

    def _share(self, of: Bucket) -> Bucket:
        # The parts of a unit are as many times more: a third of a limit is exact.
        if self._replicas == 1:
            return of
        unit = of.unit * self._replicas
        full = max(of.full, unit) if of.limit else 0
        return of._replace(unit=unit, full=full, floor=of.floor)

    def _unshare(self, share: Bucket) -> Bucket:
        if self._replicas == 1:
            return share
        return share._replace(unit=share.unit // self._replicas)

    def _initial(self, share: Bucket) -> int:
        known = self._known.get(share.key)
        if known is None:
            return share.full
        level, _ = refilled(known[0], known[1], self._clock(), share)
        return level


_PROBE: Final = Bucket("{probe}:probe", 1, 60, 1, 60_000, 60_000, -60_000)


def _whole(shared: Sequence[Bucket], levels: Sequence[int]) -> tuple[int, ...]:
    # What one share has left is shown as if all had as much.
    return tuple(min(level, of.full) for of, level in zip(shared, levels, strict=True))


def _organization(entry: tuple[Bucket, int]) -> str:
    key = entry[0].key
    return key[: key.index("}") + 1]
