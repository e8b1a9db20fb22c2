"""A request that was let in: what it has been charged so far, and what it gives back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from understudy.http.limiting import ServiceTier
from understudy.http.record import RequestRecord
from understudy.limits.bucket import Bucket
from understudy.limits.buckets import Buckets, BucketsAwayError, Charge
from understudy.limits.headers import Headers, limit_headers, priority_headers
from understudy.limits.plans import Plan
from understudy.limits.unhindered import unhindered
from understudy.usage.prices import MOST_TOKENS, saturated


def amounts(requests: int, uncached: int, cache_read: int, output: int) -> tuple[int, ...]:
    """What each kind of limiter counts, in the places that plans.py names."""
    return requests, uncached, uncached + cache_read, output, uncached + output, 0


def _dearer(burnt: tuple[int, int], inference_geo: str | None) -> tuple[int, int]:
    """In the US alone a token is 1.1 of a commitment (guide on data residency)."""
    input_tokens, output_tokens = burnt
    return burnt if inference_geo != "us" else (input_tokens * 11 // 10, output_tokens * 11 // 10)


class Priority:
    """What a request draws from a Priority Tier commitment: of input and of output.

    Tokens burn down it by their cost: cache reads count a tenth, writes 1.25 and 2 (api/service-tiers).
    """

    __slots__ = ("at", "buckets", "charged", "drawn", "levels")

    def __init__(
        self, buckets: tuple[Bucket, Bucket], levels: Sequence[int], at: float, charged: tuple[int, int], *, drawn: bool
    ) -> None:
        self.buckets = buckets
        self.levels = list(levels)
        self.at = at
        self.charged = charged
        self.drawn = drawn

    async def settle(self, store: Buckets, used: tuple[int, int]) -> None:
        if self.drawn:
            charges = [(of, now - then) for of, now, then in zip(self.buckets, used, self.charged, strict=True)]
            self.levels, self.charged = list(await store.settle(charges)), used


class Admission:
    """Ends once: by `settle`, `abort` or `finish`, whichever comes first; the rest does nothing.

    As `async with`, what has not been settled by the end of the block is aborted. `exceeded` names the limit that
    would have refused the request in enforce mode (see refusals.py). `service_tier`: whether a Priority Tier
    commitment serves it.
    """

    __slots__ = (
        "_charged",
        "_clock",
        "_ended",
        "_last",
        "_levels",
        "_plan",
        "_priority",
        "_produced",
        "_store",
        "_times",
        "_told",
        "exceeded",
    )

    def __init__(
        self,
        store: Buckets,
        plan: Plan,
        charged: tuple[int, ...],
        levels: Sequence[int],
        *,
        exceeded: str | None = None,
        priority: Priority | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._plan = plan
        self._charged = charged
        self._levels = list(levels)
        self._clock = clock
        self._times = [clock()] * len(self._levels)
        self._priority = priority
        self._produced = 0
        # What is produced at once, with the beginning of the answer, waits for the next charge.
        self._last = time.monotonic() if store.produce_interval else 0.0
        self._ended = False
        # Answers of other groups carry no such headers (count_tokens: recorded).
        self._told = plan.group.type == "model_group" and bool(levels)
        self.exceeded = exceeded

    @property
    def headers(self) -> Headers:
        """The rate-limit headers of the answer, as far as the request has been charged."""
        if not self._told:
            return []
        headers = limit_headers(self._plan, self._levels, self._times)
        if self._priority is not None:
            headers += priority_headers(self._priority.buckets, self._priority.levels, self._priority.at)
        return headers

    @property
    def service_tier(self) -> ServiceTier:
        return "priority" if self._priority is not None and self._priority.drawn else "standard"

    async def produce(self, output_tokens: int) -> None:
        """So many more output tokens have been produced. They are charged at once where that costs next to nothing,
        and a few times a second elsewhere."""
        if self._ended or output_tokens <= 0:
            return
        self._produced = min(self._produced + output_tokens, MOST_TOKENS)
        _, uncached, all_input, output, _, _ = self._charged
        if self._produced <= output:
            return
        interval = self._store.produce_interval
        if interval:
            now = time.monotonic()
            if now - self._last < interval:
                return
            self._last = now
            await unhindered(self._bring_to(amounts(1, uncached, all_input - uncached, self._produced)))
            return
        await self._bring_to(amounts(1, uncached, all_input - uncached, self._produced))

    async def produced(self, output_tokens: int) -> None:
        """The same, told as what has been produced since the request began."""
        if output_tokens > self._produced:
            await self.produce(output_tokens - self._produced)

    async def settle(
        self,
        *,
        input_tokens: int,
        output_tokens: int,
        cache_read_input_tokens: int = 0,
        cache_creation_5m_input_tokens: int = 0,
        cache_creation_1h_input_tokens: int = 0,
        inference_geo: str | None = None,
    ) -> None:
        """The request has ended and used this, as its answer's usage has it. What was charged is corrected."""
        if self._ended:
            return
        self._ended = True
        fresh, read, output = saturated(input_tokens), saturated(cache_read_input_tokens), saturated(output_tokens)
        written, long = saturated(cache_creation_5m_input_tokens), saturated(cache_creation_1h_input_tokens)
        used = amounts(1, saturated(fresh + written + long), read, output)
        if self._priority is None and not self._store.produce_interval:
            await self._bring_to(used)
            return
        burnt = saturated(fresh + (read + 5) // 10 + written * 5 // 4 + long * 2)
        await self._to_the_end(used, _dearer((burnt, output), inference_geo))

    async def abort(self) -> None:
        """The request has ended without usage. Where nothing was produced the input is given back, and of what was
        reserved for output all that was not; the request itself stays counted."""
        if self._ended:
            return
        self._ended = True
        _, uncached, all_input, _, _, _ = self._charged
        if not self._produced:
            uncached = all_input = 0
        await self._to_the_end(amounts(1, uncached, all_input - uncached, self._produced), (uncached, self._produced))

    async def finish(self, record: RequestRecord) -> None:
        """Settle by what the record of the request says, whatever became of it: usage if an answer had begun."""
        if self._ended:
            return
        if record.input_tokens is None:
            await self.abort()
            return
        await self.settle(
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens or 0,
            cache_read_input_tokens=record.cache_read_input_tokens,
            cache_creation_5m_input_tokens=record.cache_creation_5m_input_tokens,
            cache_creation_1h_input_tokens=record.cache_creation_1h_input_tokens,
            inference_geo=record.inference_geo,
        )

    async def __aenter__(self) -> Admission:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.abort()

    async def _to_the_end(self, used: tuple[int, ...], priority: tuple[int, int]) -> None:
        if not self._store.produce_interval:
            await self._bring_all(used, priority)
            return
        await unhindered(self._bring_all(used, priority))

    async def _bring_all(self, used: tuple[int, ...], priority: tuple[int, int]) -> None:
        await self._bring_to(used)
        if self._priority is not None:
            try:
                await self._priority.settle(self._store, priority)
            except BucketsAwayError:
                return

    async def _bring_to(self, used: tuple[int, ...]) -> None:
        """Charge the difference between what has been charged and `used`."""
        before, self._charged = self._charged, used
        charges: list[Charge] = []
        places: list[int] = []
        for place, line in enumerate(self._plan.lines):
            difference = used[line.counts] - before[line.counts]
            if difference:
                charges.append((line.bucket, difference))
                places.append(place)
        if not charges:
            return
        try:
            levels = await self._store.settle(charges)
        except BucketsAwayError:
            # The buckets fill by themselves: nothing is lost for longer than that takes.
            return
        if self._levels:
            now = self._clock()
            for place, level in zip(places, levels, strict=True):
                self._levels[place], self._times[place] = level, now
