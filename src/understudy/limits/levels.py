"""What limits are in force, and how full their buckets are: for the Admin API and the Console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from understudy.http.principal import Principal
from understudy.limits.buckets import Buckets
from understudy.limits.config import LimitsConfig
from understudy.limits.groups import Group, Groups, LimiterType, stable_id
from understudy.limits.plans import Line, make_plan, organization_limits
from understudy.limits.refusals import Scope
from understudy.limits.snapshot import Snapshot
from understudy.limits.tiers import Limits, TierTable


class OrganizationRateLimit(NamedTuple):
    """An entry of the Admin API's rate limits. `id` is the same for ever within an organization, and another one in
    each; [guess] its prefix."""

    id: str
    group: Group
    limits: Limits


class WorkspaceValue(NamedTuple):
    """`value` as stored, or the organization's where it is `inherited`; `organization_value` may be no value at all."""

    limiter: LimiterType
    value: int
    organization_value: int | None
    inherited: bool


@dataclass(frozen=True, slots=True)
class Level:
    """One bucket now. `remaining` and `limit` are whole units, `remaining` is negative in debt; `full_in` seconds."""

    scope: Scope
    id: str
    group: Group | None
    limiter: str
    limit: int
    remaining: int
    full_in: float


def entry_id(organization_id: str, group: Group) -> str:
    return stable_id("rl_", f"{organization_id}/{group.id}")


class Overview:
    """Reads what the limiter goes by."""

    def __init__(self, config: LimitsConfig, table: TierTable, groups: Groups, store: Buckets) -> None:
        self._config = config
        self._table = table
        self._groups = groups
        self._store = store

    def organization(self, snapshot: Snapshot, organization_id: str) -> list[OrganizationRateLimit]:
        """All listed groups that have limits, in the data's order."""
        entries: list[OrganizationRateLimit] = []
        for group in self._groups.all():
            limits = organization_limits(self._config, self._table, snapshot, organization_id, group)
            if group.listed and limits:
                entries.append(OrganizationRateLimit(entry_id(organization_id, group), group, limits))
        return entries

    def find(self, organization_id: str, rate_limit_id: str) -> Group | None:
        """The group of an entry's id."""
        return next(
            (each for each in self._groups.all() if each.listed and entry_id(organization_id, each) == rate_limit_id),
            None,
        )

    def workspace(
        self, snapshot: Snapshot, organization_id: str, workspace_id: str, group: Group, *, inherited: bool
    ) -> list[WorkspaceValue]:
        """The limits that a workspace has of its own for a group; with `inherited` also the organization's others."""
        limits = organization_limits(self._config, self._table, snapshot, organization_id, group)
        own = snapshot.workspace_limits.get(workspace_id, {}).get(group.id, {})
        values = [
            WorkspaceValue(limiter, value, limits.get(limiter), inherited=False) for limiter, value in own.items()
        ]
        if inherited:
            values += [
                WorkspaceValue(limiter, value, value, inherited=True)
                for limiter, value in limits.items()
                if limiter not in own
            ]
        return values

    async def levels(self, snapshot: Snapshot, organization_id: str) -> list[Level]:
        """Every bucket of an organization, and those of its workspaces and keys that have limits of their own. Raises
        BucketsAwayError."""
        callers = [Principal(organization_id, None, None)]
        for each, owner in snapshot.organizations.items():
            if owner == organization_id:
                is_key = each in snapshot.budgets
                callers.append(Principal(organization_id, None if is_key else each, each if is_key else None))
        found: dict[str, tuple[Line, str, Group | None]] = {}
        for caller in callers:
            for group in self._groups.all():
                for fast in (False, True):
                    plan = make_plan(self._config, self._table, snapshot, caller, group, fast=fast)
                    for line in plan.lines:
                        of = {"workspace": caller.workspace_id, "api_key": caller.api_key_id}.get(line.scope)
                        where = None if line.scope == "api_key" else group
                        found.setdefault(line.bucket.key, (line, of or organization_id, where))
        parts = await self._store.peek([line.bucket for line, _, _ in found.values()])
        return [
            Level(
                scope=line.scope,
                id=of,
                group=group,
                limiter=line.limiter,
                limit=line.bucket.limit,
                remaining=level // line.bucket.unit,
                full_in=(line.bucket.full - level) / line.bucket.limit * line.bucket.tick / 1000
                if line.bucket.limit
                else 0.0,
            )
            for (line, of, group), level in zip(found.values(), parts, strict=True)
        ]
