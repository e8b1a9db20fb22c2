"""Whether a request may begin: one Limiter for a server, one Admission for a request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from understudy.http.limiting import LimitedPart
from understudy.http.principal import Principal
from understudy.limits.admission import Admission, Priority, amounts
from understudy.limits.bucket import Bucket, bucket
from understudy.limits.buckets import NOTHING, Buckets, BucketsAwayError, Decision, Want
from understudy.limits.config import LimitsConfig
from understudy.limits.groups import Group, Groups
from understudy.limits.headers import limit_headers
from understudy.limits.memory import monotonic_ms
from understudy.limits.plans import INPUT, OUTPUT, REQUESTS, Plan, make_plan, organization_limits
from understudy.limits.ramp import Ramp
from understudy.limits.refusals import LimitExceededError, limit_exceeded, ramp_refusal, refusal
from understudy.limits.snapshot import Snapshot
from understudy.limits.tiers import Limits, Tier, tier_table
from understudy.limits.unhindered import begun
from understudy.usage.prices import saturated
from understudy.wire.errors import OverloadedError

# Callers and models whose plans are kept.
_MOST_PLANS: Final = 20_000

_MOST_SHUT: Final = 1_000

_PlanKey: TypeAlias = tuple[str, str | None, str | None, str, str | None, bool]


class _Shut(NamedTuple):
    plan: Plan
    until: int  # steady milliseconds
    decision: Decision
    at: float


class Snapshots(Protocol):
    @property
    def snapshot(self) -> Snapshot:
        """What is in force now; another object whenever anything has changed."""
        ...


class Limiter:
    """`clock`: seconds since the epoch, for the times in headers. `steady`: milliseconds that never go back."""

    def __init__(
        self,
        config: LimitsConfig,
        groups: Groups,
        snapshots: Snapshots,
        store: Buckets,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], int] = monotonic_ms,
    ) -> None:
        self.config = config
        self.groups = groups
        self.table = tier_table(config.table)
        self.store = store
        self._snapshots = snapshots
        self._clock = clock
        self._steady = steady
        self._ramp = None if config.ramp is None else Ramp(config.ramp)
        self._commitments = {each.model: each for each in config.priority}
        self._reserves = config.otpm_accounting == "reserve"
        self._plans: dict[_PlanKey, Plan] = {}
        self._planned_with: Snapshot | None = None
        # Plans whose buckets of requests had none left, by their identity, which holds as long as they stand here.
        self._shut: dict[int, _Shut] = {}

    def check(self, caller: Principal, kind: LimitedPart = "messages", *, model: str | None = None) -> None:
        """Refuse at once what `begin` would refuse for want of requests, as far as this server knows from an earlier
        refusal. Costs next to nothing, so that what is refused anyway need not be parsed and counted first.

        Raises LimitExceededError.
        """
        if self._shut:
            plan = self._plan(caller, kind, model, fast=False)
            if plan.mode == "enforce":
                self._check_shut(caller, plan, model)

    def tier(self, organization_id: str) -> Tier:
        """The tier that an organization is on."""
        return self.table.tier(self._snapshots.snapshot.tiers.get(organization_id, self.config.tier))

    def limits(self, organization_id: str, kind: LimitedPart, model: str | None = None) -> Limits:
        """What an organization may do, such as `enqueued_batch_requests` of kind batch; a limiter that is not there
        has no limit."""
        return organization_limits(
            self.config, self.table, self._snapshots.snapshot, organization_id, self._group(kind, model)
        )

    async def begin(
        self,
        caller: Principal,
        kind: LimitedPart = "messages",
        *,
        model: str | None = None,
        input_tokens: int = 0,
        cache_read_input_tokens: int = 0,
        max_tokens: int = 0,
        fast: bool = False,
        service_tier: str = "auto",
    ) -> Admission:
        """Let a request in, or raise.

        `model` is the id that an alias stands for; `input_tokens` an estimate of those that are not read from the
        cache, `cache_read_input_tokens` of those that are. Only `messages` counts tokens. Raises LimitExceededError
        (429, with all headers), and OverloadedError (529) where shared buckets cannot be reached and the installation
        would rather refuse; neither in observe mode.
        """
        plan = self._plan(caller, kind, model, fast=fast)
        enforced = plan.mode == "enforce"
        if enforced and self._shut:
            self._check_shut(caller, plan, model)
        uncached, read = saturated(input_tokens), saturated(cache_read_input_tokens)
        reserved = saturated(max_tokens) if self._reserves else 0
        cost = amounts(1, uncached, read, reserved)
        # A request that needs nothing of a bucket is not held up by its debt; output must have one token left.
        need = [units or NOTHING for units in cost]
        need[OUTPUT] = max(1, reserved)
        wants: list[Want] = [(line.bucket, cost[line.counts], need[line.counts]) for line in plan.lines]
        ramp = self._ramp_wait(caller, plan)
        if ramp is not None and enforced:
            raise ramp_refusal(caller, model, ramp)
        draws = bool(self._commitments) and service_tier == "auto" and model in self._commitments
        taking = self._take(caller, plan, wants, cost, model, ramp=ramp is not None, draws=draws)
        # What is in memory never waits, so nobody is cancelled meanwhile.
        return await (begun(taking, Admission.abort) if self.store.produce_interval else taking)

    async def _take(
        self,
        caller: Principal,
        plan: Plan,
        wants: Sequence[Want],
        cost: tuple[int, ...],
        model: str | None,
        *,
        ramp: bool,
        draws: bool,
    ) -> Admission:
        enforced = plan.mode == "enforce"
        try:
            decision = await self.store.take(wants, force=not enforced)
        except BucketsAwayError:
            if enforced:
                raise OverloadedError from None
            # Nothing has been charged; at the end all of it is, if the buckets are back by then.
            return Admission(self.store, plan, amounts(0, 0, 0, 0), (), clock=self._clock)
        if not decision.admitted and enforced:
            raise self._refuse(caller, plan, decision, model)
        priority = None
        if draws and model is not None:
            priority = await self._draw_priority(caller, model, cost)
        exceeded = None
        if not decision.admitted:
            line, left = plan.lines[decision.refused[0]], decision.levels[decision.refused[0]]
            exceeded = limit_exceeded(line.scope, line.limiter, left // line.bucket.unit, line.bucket.limit)
        elif ramp:
            exceeded = "organization/ramp"
        return Admission(
            self.store, plan, cost, decision.levels, exceeded=exceeded, priority=priority, clock=self._clock
        )

    def _plan(self, caller: Principal, kind: LimitedPart, model: str | None, *, fast: bool) -> Plan:
        snapshot = self._snapshots.snapshot
        if snapshot is not self._planned_with or len(self._plans) > _MOST_PLANS:
            self._plans.clear()
            self._shut.clear()
            self._planned_with = snapshot
        key = (caller.organization_id, caller.workspace_id, caller.api_key_id, kind, model, fast)
        plan = self._plans.get(key)
        if plan is None:
            group = self._group(kind, model)
            plan = self._plans[key] = make_plan(self.config, self.table, snapshot, caller, group, fast=fast)
        return plan

    def _group(self, kind: LimitedPart, model: str | None) -> Group:
        return self.groups.of_model(model or "") if kind == "messages" else self.groups.of_type(kind)

    def _check_shut(self, caller: Principal, plan: Plan, model: str | None) -> None:
        shut = self._shut.get(id(plan))
        if shut is None:
            return
        wait = shut.until - self._steady()
        if wait > 0:
            raise self._refusal(caller, plan, shut.decision._replace(wait=wait), model, shut.at)
        del self._shut[id(plan)]

    def _refuse(self, caller: Principal, plan: Plan, decision: Decision, model: str | None) -> LimitExceededError:
        at = self._clock()
        only = plan.lines[decision.refused[0]] if len(decision.refused) == 1 else None
        if only is not None and only.counts == REQUESTS and decision.wait is not None and len(self._shut) < _MOST_SHUT:
            # No request gives its place back, so until then the answer is known.
            self._shut[id(plan)] = _Shut(plan, self._steady() + decision.wait, decision, at)
        return self._refusal(caller, plan, decision, model, at)

    def _refusal(
        self, caller: Principal, plan: Plan, decision: Decision, model: str | None, at: float
    ) -> LimitExceededError:
        line = plan.lines[decision.refused[0]]
        left = decision.levels[decision.refused[0]] // line.bucket.unit
        error = refusal(caller, line.scope, line.limiter, line.bucket.limit, model, decision.wait, left)
        for name, value in limit_headers(plan, decision.levels, [at] * len(decision.levels)):
            error.headers[name.decode()] = value.decode()
        return error

    def _ramp_wait(self, caller: Principal, plan: Plan) -> int | None:
        if self._ramp is None:
            return None
        for line in plan.lines:
            if line.counts == REQUESTS and line.scope == "organization":
                return self._ramp.admit(line.bucket.key, line.bucket.limit, self._steady())
        return None

    async def _draw_priority(self, caller: Principal, model: str, cost: tuple[int, ...]) -> Priority | None:
        """Draw from the commitment where it has room; the request is a standard one otherwise."""
        commitment, uncached, reserved = self._commitments[model], cost[INPUT], cost[OUTPUT]
        where = f"{{{caller.organization_id}}}:priority:{model}"
        buckets: tuple[Bucket, Bucket] = (
            bucket(f"{where}:input", commitment.input_tokens_per_minute),
            bucket(f"{where}:output", commitment.output_tokens_per_minute),
        )
        try:
            decision = await self.store.take(
                [(buckets[0], uncached, max(1, uncached)), (buckets[1], reserved, max(1, reserved))]
            )
        except BucketsAwayError:
            # The request is in, and has been charged.
            return None
        return Priority(buckets, decision.levels, self._clock(), (uncached, reserved), drawn=decision.admitted)
