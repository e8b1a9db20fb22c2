"""Whether a request may begin for money's sake: one Spend for a server, one Hold for a request.

A request is refused once a bound is reached by what was spent and what the requests that go on hold. So a bound is
overshot by at most what the requests cost that are in flight when it is reached.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, NamedTuple, Protocol

from understudy.http.principal import Principal
from understudy.http.record import RequestRecord
from understudy.limits.config import Mode
from understudy.limits.snapshot import Snapshot
from understudy.limits.spend_bounds import SpendBounds
from understudy.limits.spend_counters import (
    Begin,
    Counters,
    Held,
    SpendAwayError,
    UnseededError,
    month_key,
    total_key,
)
from understudy.limits.spend_refusals import Bound, spend_refusal
from understudy.limits.tiers import TierTable
from understudy.limits.unhindered import unhindered
from understudy.usage.money import nano
from understudy.usage.prices import CATALOG_PRICES, Pricing
from understudy.usage.rows import costs_of
from understudy.usage.sums import Month, month_of
from understudy.wire.errors import OverloadedError

_MOST_PLANS: Final = 20_000

Seed = Callable[[Principal, Month], Awaitable[Mapping[str, int]]]
"""What the database says of a caller's counters. Raises SpendAwayError when it cannot say."""


class BoundsSource(Protocol):
    @property
    def bounds(self) -> SpendBounds:
        """What is in force now; another object whenever anything has changed."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """Tiers and modes; another object whenever anything has changed."""
        ...


class Check(NamedTuple):
    """A bound: the place of its counter, and the amount."""

    kind: Bound
    place: int
    amount: int


class SpendPlan(NamedTuple):
    keys: tuple[str, ...]
    bounds: tuple[int | None, ...]
    checks: tuple[Check, ...]
    mode: Mode


class Hold:
    """Ends once: by `settle`, `abort` or `finish`, whichever comes first. As `async with`, what was not settled by the
    end of the block is aborted. `exceeded` names the bound that would have refused the request in enforce mode, as
    `spend/…`."""

    __slots__ = ("_counters", "_ended", "_held", "_pricing", "exceeded")

    def __init__(self, counters: Counters, held: Held | None, pricing: Pricing, exceeded: str | None) -> None:
        self._counters = counters
        self._held = held
        self._pricing = pricing
        self._ended = False
        self.exceeded = exceeded

    async def settle(self, cost: int) -> None:
        """The request has ended and cost so many nano-dollars."""
        if self._ended:
            return
        self._ended = True
        if self._held is None:
            return
        if self._counters.is_local:
            await self._counters.settle(self._held, max(0, cost))
        else:
            await unhindered(self._settle(self._held, max(0, cost)))

    async def abort(self) -> None:
        """The request has ended and cost nothing."""
        await self.settle(0)

    async def finish(self, record: RequestRecord) -> None:
        """Settle what the request's usage row will say that it cost."""
        if not self._ended:
            await self.settle(sum(costs_of(record, self._pricing)))

    async def __aenter__(self) -> Hold:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.abort()

    async def _settle(self, held: Held, cost: int) -> None:
        try:
            await self._counters.settle(held, cost)
        except SpendAwayError:
            # The database will know: counters are raised to what it says (spend_watch.py).
            return


class Spend:
    """`clock`: seconds since the epoch; months begin and end by it, in UTC. `seed` is asked where shared counters do
    not know a caller. `closed`: refuse requests while shared counters cannot be reached, instead of going on without.
    """

    def __init__(
        self,
        source: BoundsSource,
        counters: Counters,
        table: TierTable,
        *,
        seed: Seed,
        mode: Mode = "observe",
        tier: str | None = None,
        pricing: Pricing = CATALOG_PRICES,
        closed: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.counters = counters
        self._source = source
        self._table = table
        self._seed = seed
        self._mode: Mode = mode
        self._tier = tier
        self._pricing = pricing
        self._closed = closed
        self._clock = clock
        self._seeding = asyncio.Lock()
        self._plans: dict[tuple[str, str | None, str | None, str | None], SpendPlan] = {}
        self._planned_with: tuple[SpendBounds, Snapshot] | None = None
        self._month = month_of(clock())

    async def begin(self, caller: Principal, estimate: int = 0, *, at: float | None = None) -> Hold:
        """Let a request in, or raise what spend_refusals.py has for it.

        `estimate`: nano-dollars that it costs at the least, such as its input. `at`: when it came, if not now. In
        observe mode nothing is raised. OverloadedError where shared counters are away and the installation would
        rather refuse.
        """
        month = self._month_at(self._clock() if at is None else at)
        plan = self._plan(caller, month)
        enforced = plan.mode == "enforce"
        wanted = Begin(plan.keys, plan.bounds, max(0, estimate))
        try:
            held = await self._hold(caller, month, wanted, force=not enforced)
        except SpendAwayError:
            if enforced and self._closed:
                raise OverloadedError from None
            return Hold(self.counters, None, self._pricing, None)
        if held.admitted:
            return Hold(self.counters, held, self._pricing, None)
        # The counters may compare amounts beyond 2**53 as doubles: then none of these is quite reached.
        reached = next((check for check in plan.checks if held.levels[check.place] >= check.amount), plan.checks[-1])
        if enforced:
            raise spend_refusal(reached.kind, month)
        return Hold(self.counters, held, self._pricing, f"spend/{reached.kind}")

    async def _hold(self, caller: Principal, month: Month, wanted: Begin, *, force: bool) -> Held:
        try:
            return await self.counters.begin(wanted, force=force)
        except UnseededError:
            pass
        # One asks the database; the others wait for what it says.
        async with self._seeding:
            try:
                return await self.counters.begin(wanted, force=force)
            except UnseededError:
                known = await self._seed(caller, month)
            await self.counters.seed({key: known.get(key, 0) for key in wanted.keys})
            try:
                return await self.counters.begin(wanted, force=force)
            except UnseededError as error:
                raise SpendAwayError from error

    def _month_at(self, at: float) -> Month:
        if not self._month.start <= at < self._month.end:
            self._plans.clear()
            self._month = month_of(at)
        return self._month

    def _plan(self, caller: Principal, month: Month) -> SpendPlan:
        source = self._source
        bounds, snapshot = source.bounds, source.snapshot
        if self._planned_with is None or self._planned_with[0] is not bounds or self._planned_with[1] is not snapshot:
            self._plans.clear()
            self._planned_with = bounds, snapshot
        key = (caller.organization_id, caller.workspace_id, caller.api_key_id, caller.actor_id)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) > _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._make_plan(caller, month, bounds, snapshot)
        return plan

    def _make_plan(self, caller: Principal, month: Month, bounds: SpendBounds, snapshot: Snapshot) -> SpendPlan:
        of = caller.organization_id
        keys, checks = caller_keys(caller, month), list[Check]()
        if of in bounds.credit:
            checks.append(Check("credit", _TOTAL, bounds.credit[of]))
        cap = self._table.tier(snapshot.tiers.get(of, self._tier)).monthly_spend_cap
        if cap is not None:
            checks.append(Check("tier", _ORGANIZATION, nano(cap)))
        for place, (scope, id_) in enumerate(_scopes(caller), _ORGANIZATION):
            amount = bounds.limits.get((scope, id_ or of))
            if amount is not None:
                checks.append(Check(scope, place, amount))
        lowest: list[int | None] = [None] * len(keys)
        for check in checks:
            known = lowest[check.place]
            lowest[check.place] = check.amount if known is None else min(known, check.amount)
        mode = snapshot.modes.get(caller.workspace_id or "", self._mode)
        return SpendPlan(keys, tuple(lowest), tuple(checks), mode)


# Places of the counters of a request.
_TOTAL: Final = 0
_ORGANIZATION: Final = 1


def caller_keys(caller: Principal, month: Month) -> tuple[str, ...]:
    """The counters of a caller's requests in a month."""
    of = caller.organization_id
    return (total_key(of), *(month_key(of, month.name, scope, id_) for scope, id_ in _scopes(caller)))


def _scopes(caller: Principal) -> list[tuple[Bound, str]]:
    """What is counted by the month, and its id, which the organization itself has none of."""
    scopes: tuple[tuple[Bound, str | None], ...] = (
        ("organization", ""),
        ("workspace", caller.workspace_id),
        ("user", caller.actor_id),
        ("api_key", caller.api_key_id),
    )
    return [(scope, id_) for scope, id_ in scopes if id_ is not None]
