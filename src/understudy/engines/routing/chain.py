"""The targets of one model, and one request's way along them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from types import TracebackType
from typing import TYPE_CHECKING, Final

from understudy.engines.engine import Background, Engine, EngineModel
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.errors import OverloadedError

from .breaker import Breaker, Sent
from .slots import QueueFullError, Slots, take_any, take_idle

if TYPE_CHECKING:
    from understudy.engines.claude.responses import Upstream

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_LONGEST_HEADER: Final = 256

_BUSY: Final = "All places for this model are taken, and none became free in time. Please try again later."
_QUEUE_FULL: Final = "Too many requests wait for this model. Please try again later."
_BROKEN: Final = "What answers for this model does not work at the moment. Please try again later."


@dataclass(frozen=True, eq=False)
class Target:
    """Where requests may go: an engine that is asked for events, and a Claude upstream that is passed bytes.

    `weight` is its share of the requests among its chain's targets; 0 is asked only when those with weight have failed.
    """

    model: EngineModel
    engine: Engine | None = None
    claude: Upstream | None = None
    weight: int = 1
    breaker: Breaker = field(default_factory=Breaker)
    slots: Slots = field(default_factory=Slots)

    @cached_property
    def header(self) -> bytes:
        """The value of `understudy-engine`."""
        return engine_header(self.model)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A target that did not answer. `status` and `error_type` are what it, or our way to it, failed with."""

    engine: str
    upstream: str
    status: int
    error_type: str


def engine_header(model: EngineModel) -> bytes:
    """`<engine>/<upstream model>`. A name may be a client's, so nothing else gets into the header."""
    text = _UNPRINTABLE.sub("?", f"{model.engine}/{model.upstream}")
    return text[:_LONGEST_HEADER].encode("ascii")


class Chain:
    """The targets of `name`. Choices are drawn by lot, the same in every run.

    `queue_timeout`: seconds to wait for a free slot. `retry_rate_limits`: a 429 sends the request to the next target.
    """

    def __init__(
        self, name: str, targets: Sequence[Target], *, queue_timeout: float = 30.0, retry_rate_limits: bool = False
    ) -> None:
        if not targets:
            raise ValueError(f"{name} has no target")
        self.name = name
        self.targets = tuple(targets)
        self.queue_timeout = queue_timeout
        self.retry_rate_limits = retry_rate_limits
        self.forwards = any(target.claude is not None for target in targets)
        self._weighted = [target for target in targets if target.weight > 0]
        self._spare = [target for target in targets if target.weight <= 0]
        self._lot = Seeded(name.encode("utf-8", "surrogatepass"))

    def order(self) -> list[Target]:
        """All targets in the order in which they are tried: by lot, then those without weight as they were written."""
        left = list(self._weighted)
        if len(left) < 2:
            return left + self._spare
        ordered: list[Target] = []
        total = sum(target.weight for target in left)
        while len(left) > 1:
            draw = self._lot.below(total)
            place = 0
            while draw >= left[place].weight:
                draw -= left[place].weight
                place += 1
            chosen = left.pop(place)
            total -= chosen.weight
            ordered.append(chosen)
        return ordered + left + self._spare

    def choose(self, background: Background | None = None, first: EngineModel | None = None) -> Choice:
        """`first`: of the target that is tried before the others, if it works and has room."""
        return Choice(self, background, first)


class Choice:
    """One request's way along a chain. Use as `with`, or call `end`: the slot is free again then.

    For each target that `next` gives, either `failed` or `passed` is called. Each target is tried once. With a
    `background` it waits for places behind all other requests.
    """

    __slots__ = ("_background", "_chain", "_first", "_held", "_judged", "_left", "_sent", "attempts")

    def __init__(self, chain: Chain, background: Background | None = None, first: EngineModel | None = None) -> None:
        self._chain = chain
        self._background = background
        self._first = first
        self._left = chain.order()
        self._held: Target | None = None
        self._sent = Sent(0, probe=False)
        self._judged = False
        self.attempts: list[Attempt] = []

    def __enter__(self) -> Choice:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    async def next(self) -> Target:
        """The next target to try, with a slot of it taken; the same until it has failed.

        Raises OverloadedError where none works or becomes free.
        """
        while self._held is None:
            ready = self._ready()
            if not ready:
                raise self._broken()
            if len(ready) == 1 and self._background is None and ready[0].slots.take_now():
                # Nearly always: one target, with room.
                self._hold(ready[0])
                break
            by_slots: dict[Slots, Target] = {}
            for target in ready:
                by_slots.setdefault(target.slots, target)
            try:
                if self._background is None:
                    slots = await take_any(list(by_slots), self._chain.queue_timeout)
                else:
                    slots = await take_idle(list(by_slots), self._background)
            except TimeoutError:
                raise OverloadedError(_BUSY) from None
            except QueueFullError:
                raise OverloadedError(_QUEUE_FULL) from None
            target = by_slots[slots]
            if not target.breaker.ready():
                # It broke while this request waited.
                slots.give_back()
                continue
            self._hold(target)
        assert self._held is not None
        return self._held

    def _hold(self, target: Target) -> None:
        self._held = target
        self._judged = False
        self._sent = target.breaker.begin()

    def passed(self) -> None:
        """The target has begun to answer: from here on nothing is tried again."""
        assert self._held is not None
        self._judged = True
        self._held.breaker.succeeded(self._sent)

    def failed(self, status: int, error_type: str, *, busy: bool = False) -> bool:
        """The target failed, with what would be this status. Returns whether another one is to be tried.

        A failure after `passed` counts against the target, and never leads on. Refusals (4xx) are the request's fault:
        they end the way without a word about the target's health. One that is only `busy` works.
        """
        target = self._held
        assert target is not None
        self.attempts.append(Attempt(target.model.engine, target.model.upstream, status, error_type))
        broken = status >= 500
        begun = self._judged
        if broken and not busy:
            self._judged = True
            target.breaker.failed(self._sent._replace(probe=False) if begun else self._sent)
        elif not begun:
            self._judged = True
            # It answers, if only to say no.
            target.breaker.succeeded(self._sent)
        self.end()
        self._left.remove(target)
        again = broken or (status == 429 and self._chain.retry_rate_limits)
        return again and not begun and bool(self._ready())

    def end(self) -> None:
        """Give the slot back that is taken, if one is."""
        target = self._held
        if target is None:
            return
        self._held = None
        if not self._judged:
            target.breaker.ended(self._sent)
        target.slots.give_back()

    def _ready(self) -> list[Target]:
        """Those to choose among now: of those that work the one that shall be first, then the ones with weight, else
        the first without."""
        ready = [target for target in self._left if target.breaker.ready()]
        if len(ready) < 2:
            return ready
        chosen = [target for target in ready if target.weight > 0] or ready[:1]
        if self._first is None:
            return chosen
        first = [target for target in ready if target.model is self._first]
        return first + [target for target in chosen if target.model is not self._first]

    def _broken(self) -> OverloadedError:
        seconds = min((target.breaker.wait() for target in self._left), default=0.0)
        return OverloadedError(_BROKEN, headers={"retry-after": str(max(ceil(seconds), 1))})
