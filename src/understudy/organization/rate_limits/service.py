"""What the Rate Limits API does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.limits.groups import Group, LimiterType
from understudy.limits.levels import Overview, entry_id
from understudy.limits.limiter import Limiter
from understudy.limits.overrides import set_workspace_limits
from understudy.limits.tables import workspace_rate_limits
from understudy.limits.watch import OverridesWatch
from understudy.organization.pages import Cursors
from understudy.organization.rate_limits.shapes import (
    RateLimitListParams,
    RateLimitPageParams,
    WorkspaceRateLimitListParams,
    WorkspaceRateLimitParams,
    organization_rate_limit,
    workspace_rate_limit,
)
from understudy.organization.roles import may, require
from understudy.organization.store import Actor, Store
from understudy.organization.tables import workspaces
from understudy.organization.workspaces.service import find_visible, refuse_archived
from understudy.wire.errors import InvalidRequestError, NotFoundError

_T = TypeVar("_T")

# [guess] both: refusals of this API were never recorded
_UNKNOWN_MODEL: Final = "Model not found, or it has no rate limits"
_UNKNOWN: Final = "Rate limit not found"


class RateLimits:
    """`watch` is the limiter's own, so that what is set here is in force here at once; other servers follow."""

    def __init__(self, store: Store, cursors: Cursors, limiter: Limiter, watch: OverridesWatch) -> None:
        self._store = store
        self._cursors = cursors
        self._groups = limiter.groups
        self._overview = Overview(limiter.config, limiter.table, limiter.groups, limiter.store)
        self._watch = watch

    async def list(self, principal: Principal, version: str, params: RateLimitListParams) -> dict[str, Any]:
        """The organization's limits. 404 for a model that is none or has no limits."""
        require(principal, "limits:read")
        organization_id = principal.organization_id
        await self._watch.look()
        entries = self._overview.organization(self._watch.snapshot, organization_id)
        wanted, model = params.get("group_type"), params.get("model")
        if model is not None:
            group = self._groups.of_name(model)
            entries = [each for each in entries if each.group == group]
            if not entries:
                raise NotFoundError(_UNKNOWN_MODEL)
        return self._page(
            [each for each in entries if wanted is None or each.group.type == wanted],
            params,
            bound=["rate_limits", organization_id, wanted, model],
            id_of=lambda entry: entry.id,
            render=lambda entry: organization_rate_limit(entry, self._groups.names(entry.group), version),
        )

    async def list_of_workspace(
        self, principal: Principal, version: str, workspace_id: str, params: WorkspaceRateLimitListParams
    ) -> dict[str, Any]:
        """What a workspace has of its own; with `include_inherited` all that it is bound by. The default workspace has
        nothing of its own."""
        async with self._store.connect() as connection:
            await _check_readable(connection, principal, workspace_id)
        require(principal, "limits:read", workspace_id)
        await self._watch.look()
        snapshot, organization_id = self._watch.snapshot, principal.organization_id
        wanted, inherited = params.get("group_type"), params.get("include_inherited", False)
        entries = [
            (group, values)
            for group in self._groups.all()
            if group.listed and wanted in {None, group.type}
            if (values := self._overview.workspace(snapshot, organization_id, workspace_id, group, inherited=inherited))
        ]
        return self._page(
            entries,
            params,
            bound=["workspace_rate_limits", organization_id, workspace_id, wanted, inherited],
            id_of=lambda entry: entry[0].id,
            render=lambda entry: workspace_rate_limit(
                workspace_id,
                entry_id(organization_id, entry[0]),
                entry[0],
                self._groups.names(entry[0]),
                entry[1],
                version,
            ),
        )

    async def update(
        self,
        principal: Principal,
        actor: Actor,
        version: str,
        workspace_id: str,
        rate_limit_id: str,
        params: WorkspaceRateLimitParams,
    ) -> dict[str, Any]:
        """Set limits of a workspace, or with null clear them. A value above the organization's is kept, and the lower
        of both is in force. 400 for the default workspace."""
        values = {each["type"]: each["value"] for each in params["limits"]}
        if len(values) < len(params["limits"]):
            raise InvalidRequestError("limits: each type may occur once")
        organization_id = principal.organization_id
        async with self._store.change(organization_id, actor) as change:
            row = await find_visible(change.connection, principal, workspace_id)
            require(principal, "limits:write", workspace_id)
            refuse_archived(row)
            group = self._find(principal, rate_limit_id)
            before = await self._shown(change.connection, organization_id, workspace_id, group, version)
            await set_workspace_limits(
                change.connection,
                self._groups,
                organization_id,
                workspace_id,
                group.id,
                values,
                is_default=row.is_default,
            )
            after = await self._shown(change.connection, organization_id, workspace_id, group, version)
            await change.log("workspace_rate_limits_updated", "workspace", workspace_id, before=before, after=after)
        await self._watch.look()
        return after

    def _find(self, principal: Principal, rate_limit_id: str) -> Group:
        group = self._overview.find(principal.organization_id, rate_limit_id)
        if group is None:
            raise NotFoundError(_UNKNOWN)
        return group

    async def _shown(
        self, connection: AsyncConnection, organization_id: str, workspace_id: str, group: Group, version: str
    ) -> dict[str, Any]:
        """By the rows themselves: others may have written since the snapshot was taken."""
        of = workspace_rate_limits.c
        rows = await connection.execute(
            select(of.limiter_type, of.value)
            .where(of.workspace_id == workspace_id, of.group_id == group.id)
            .order_by(of.limiter_type)
        )
        own: Mapping[LimiterType, int] = {row.limiter_type: row.value for row in rows}
        snapshot = replace(self._watch.snapshot, workspace_limits={workspace_id: {group.id: own}})
        values = self._overview.workspace(snapshot, organization_id, workspace_id, group, inherited=False)
        names = self._groups.names(group)
        return workspace_rate_limit(workspace_id, entry_id(organization_id, group), group, names, values, version)

    def _page(
        self,
        entries: Sequence[_T],
        params: RateLimitPageParams,
        *,
        bound: Sequence[Any],
        id_of: Callable[[_T], str],
        render: Callable[[_T], dict[str, Any]],
    ) -> dict[str, Any]:
        page, begin = params.get("page"), 0
        if page is not None:
            place, last = self._cursors.read(bound, page)
            # The last one shown may be gone meanwhile.
            begin = next((at + 1 for at, each in enumerate(entries) if id_of(each) == last), int(place))
        end = begin + (params.get("limit") or len(entries))
        shown = entries[begin:end]
        following = None
        if end < len(entries) and shown:
            following = self._cursors.make(bound, float(end - 1), id_of(shown[-1]))
        return {"data": [render(each) for each in shown], "next_page": following}


async def _check_readable(connection: AsyncConnection, principal: Principal, workspace_id: str) -> None:
    """404 for a workspace that the caller may not read. Who sees what is spent is of every workspace
    (`workspace_billing`), but reads none of them."""
    if not may(principal, "spend:read"):
        await find_visible(connection, principal, workspace_id)
        return
    of = workspaces.c
    query = select(of.id).where(of.id == workspace_id, of.organization_id == principal.organization_id)
    if (await connection.execute(query)).first() is None:
        raise NotFoundError("Workspace not found")
