"""Which buckets a request draws from: worked out once for a caller and a group, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from understudy.http.principal import Principal
from understudy.limits.bucket import DAY, MINUTE, MOST, Bucket, bucket
from understudy.limits.config import KeyBudget, LimitsConfig, Mode
from understudy.limits.groups import Group, LimiterType
from understudy.limits.refusals import Scope
from understudy.limits.snapshot import Snapshot
from understudy.limits.tiers import Limits, TierTable

# What a limiter counts: places in the amounts of a request.
REQUESTS: Final = 0
INPUT: Final = 1  # tokens that were not read from the cache
ALL_INPUT: Final = 2
OUTPUT: Final = 3
TOKENS: Final = 4  # INPUT and OUTPUT
SHOWN: Final = 5  # nothing: the bucket only appears in the headers

_COUNTS: Final = {
    "requests_per_minute": REQUESTS,
    "requests_per_hour": REQUESTS,
    "requests_per_day": REQUESTS,
    "input_tokens_per_minute": ALL_INPUT,
    "input_tokens_per_minute_cache_aware": INPUT,
    "output_tokens_per_minute": OUTPUT,
    "tokens_per_minute": TOKENS,
    "tokens_per_day": TOKENS,
    "fast_itpmca": INPUT,
    "fast_otpm": OUTPUT,
    "tool_uses_per_second": REQUESTS,
}
# Those of other names are a minute's.
_PERIODS: Final = {"_per_second": 1, "_per_hour": 3_600, "_per_day": DAY}
_FAST: Final = frozenset({"fast_itpmca", "fast_otpm"})
_NOT_FAST: Final = frozenset(
    {"input_tokens_per_minute", "input_tokens_per_minute_cache_aware", "output_tokens_per_minute"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One limiter that a request draws from."""

    bucket: Bucket
    counts: int
    scope: Scope
    limiter: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All limiters of a request, the organization's first. The tuples are places of lines, for the headers."""

    group: Group
    mode: Mode
    lines: tuple[Line, ...]
    requests: tuple[int, ...]
    input: tuple[int, ...]
    output: tuple[int, ...]
    workspace_tokens: tuple[int, ...]
    fast_input: tuple[int, ...]
    fast_output: tuple[int, ...]


def organization_limits(config: LimitsConfig, table: TierTable, snapshot: Snapshot, of: str, group: Group) -> Limits:
    """The limits of an organization for a group."""
    tier = table.tier(snapshot.tiers.get(of, config.tier))
    if tier.unlimited:
        return {}
    limits = tier.limits(group)
    added: list[tuple[LimiterType, int | None]] = []
    if limits is None:
        other = config.other_models
        added.append(("requests_per_minute", other.requests_per_minute))
        added.append((group.input_type, other.input_tokens_per_minute))
        added.append(("output_tokens_per_minute", other.output_tokens_per_minute))
    if group.type == "model_group":
        added.append(("fast_itpmca", config.fast.input_tokens_per_minute))
        added.append(("fast_otpm", config.fast.output_tokens_per_minute))
    return {**(limits or {}), **{limiter: value for limiter, value in added if value is not None}}


class _Lines:
    """Lines of one organization. `dedicated`: the request is a fast one, and fast mode has limits of its own; standard
    token limits are then not charged, but still told."""

    def __init__(self, config: LimitsConfig, organization_id: str, *, dedicated: bool = False) -> None:
        self._config = config
        self._prefix = f"{{{organization_id}}}:"
        self._dedicated = dedicated
        self.lines: list[Line] = []

    def add(self, scope: Scope, where: str, limiter: str, limit: int) -> None:
        counts = _COUNTS.get(limiter)
        if counts is None or (limiter in _FAST and not self._dedicated):
            # enqueued_batch_requests is kept by who runs batches.
            return
        period = next((seconds for end, seconds in _PERIODS.items() if limiter.endswith(end)), MINUTE)
        burst = 1.0
        if period == MINUTE:
            burst = self._config.burst if counts == REQUESTS else self._config.token_burst
        if self._dedicated and limiter in _NOT_FAST:
            counts = SHOWN
        of = bucket(f"{self._prefix}{where}:{limiter}", limit, period, burst)
        self.lines.append(Line(of, counts, scope, limiter))


def key_budget(config: LimitsConfig, snapshot: Snapshot, api_key_id: str) -> KeyBudget:
    """What a key may use: its own budget, and where that says nothing the installation's."""
    own = snapshot.budgets.get(api_key_id)
    if own is None:
        return config.key_budget
    return KeyBudget(
        *(given if given is not None else default for given, default in zip(own, config.key_budget, strict=True))
    )


def make_plan(
    config: LimitsConfig, table: TierTable, snapshot: Snapshot, caller: Principal, group: Group, *, fast: bool
) -> Plan:
    """The plan of `caller`'s requests to `group`."""
    of, workspace_id, api_key_id = caller.organization_id, caller.workspace_id, caller.api_key_id
    limits = organization_limits(config, table, snapshot, of, group)
    made = _Lines(config, of, dedicated=fast and not _FAST.isdisjoint(limits))
    for limiter, limit in limits.items():
        made.add("organization", group.id, limiter, limit)
    mode = config.mode
    if workspace_id is not None:
        mode = snapshot.modes.get(workspace_id, mode)
        for limiter, limit in snapshot.workspace_limits.get(workspace_id, {}).get(group.id, {}).items():
            # One that is no lower than the organization's changes nothing.
            if limit < limits.get(limiter, MOST + 1):
                made.add("workspace", f"{workspace_id}:{group.id}", limiter, limit)
    if api_key_id is not None and group.type == "model_group":
        for limiter, budget in key_budget(config, snapshot, api_key_id)._asdict().items():
            if budget is not None:
                made.add("api_key", api_key_id, limiter, budget)
    lines = made.lines

    def places(*limiters: str, scope: Scope | None = None) -> tuple[int, ...]:
        return tuple(
            place
            for place, line in enumerate(lines)
            if line.limiter in limiters and line.scope != "api_key" and scope in {None, line.scope}
        )

    return Plan(
        group=group,
        mode=mode,
        lines=tuple(lines),
        requests=places("requests_per_minute"),
        input=places("input_tokens_per_minute", "input_tokens_per_minute_cache_aware"),
        output=places("output_tokens_per_minute"),
        workspace_tokens=places("tokens_per_minute", scope="workspace"),
        fast_input=places("fast_itpmca"),
        fast_output=places("fast_otpm"),
    )
