"""/_understudy/admin/limits: how full the buckets are, tiers, modes and key budgets, and why a request was limited.

None of this is in the real API; limits of workspaces are set by the Admin API (organization/rate_limits).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, Final, NotRequired

from pydantic import Field
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.routing import BaseRoute, Route
from typing_extensions import TypedDict

from understudy.control.acting import Action, acting
from understudy.control.report_params import Time, bound_by
from understudy.control.request_admin import request_page
from understudy.http.credentials import Caller
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.http.query import read_query
from understudy.limits.bucket import MOST
from understudy.limits.buckets import BucketsAwayError
from understudy.limits.config import NO_BUDGET, KeyBudget, Mode
from understudy.limits.levels import Level, Overview
from understudy.limits.limiter import Limiter
from understudy.limits.overrides import set_key_budget, set_tier, set_workspace_mode
from understudy.limits.plans import key_budget
from understudy.limits.refusals import parse_exceeded
from understudy.limits.watch import OverridesWatch
from understudy.organization.bodies import STRICT, Shape, read_body
from understudy.organization.pages import CursorParams, Cursors
from understudy.organization.roles import require
from understudy.organization.store import Store, actor_of
from understudy.organization.tables import api_keys, workspaces
from understudy.usage.money import plain
from understudy.usage.request_log import Search
from understudy.usage.sums import spent_ever
from understudy.wire.errors import NotFoundError, OverloadedError

PATH: Final = "/_understudy/admin/limits"

# Decisions are looked for so far back, unless a request's id or a time is given; they have no index of their own.
_DAY: Final = 86_400.0

_Units = Annotated[int, Field(ge=0, le=MOST)] | None
_Id = Annotated[str, Field(min_length=1, max_length=256)]


class TierBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    tier: _Id | None


class ModeBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    mode: Mode | None


class BudgetBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    requests_per_minute: NotRequired[_Units]
    tokens_per_minute: NotRequired[_Units]
    requests_per_day: NotRequired[_Units]
    tokens_per_day: NotRequired[_Units]


class DecisionParams(CursorParams):
    request_id: NotRequired[_Id]
    workspace_id: NotRequired[_Id]
    api_key_id: NotRequired[_Id]
    model: NotRequired[_Id]
    since: NotRequired[Time]


_TIER: Final = Shape(TierBody)
_MODE: Final = Shape(ModeBody)
_BUDGET: Final = Shape(BudgetBody)
_DECISIONS: Final = Shape(DecisionParams)


class LimitsAdmin:
    """`clock`: seconds since the epoch. `watch` is the limiter's own, so that what is set is in force here at once."""

    def __init__(
        self,
        store: Store,
        cursors: Cursors,
        limiter: Limiter,
        watch: OverridesWatch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._cursors = cursors
        self._limiter = limiter
        self._overview = Overview(limiter.config, limiter.table, limiter.groups, limiter.store)
        self._watch = watch
        self._clock = clock

    async def levels(self, _: Exchange, principal: Principal) -> dict[str, Any]:
        """GET …/limits: the tier and the mode, and every bucket as it is now. 529 where buckets cannot be reached."""
        require(principal, "limits:read")
        await self._watch.look()
        snapshot, organization_id = self._watch.snapshot, principal.organization_id
        try:
            levels = await self._overview.levels(snapshot, organization_id)
        except BucketsAwayError:
            raise OverloadedError("The shared rate limits cannot be reached") from None
        of = snapshot.organizations
        return {
            "type": "limits",
            "mode": self._limiter.config.mode,
            "tier": self._tier(organization_id),
            **await self._progress(organization_id),
            "workspace_modes": {id_: mode for id_, mode in snapshot.modes.items() if of.get(id_) == organization_id},
            "levels": [_level(each) for each in levels],
        }

    async def set_tier(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        """POST …/limits/tier: the organization's tier from now on; null: the one that its spending has reached."""
        require(principal, "limits:write")
        wanted = (await read_body(exchange, _TIER))["tier"]
        organization_id = principal.organization_id
        await self._watch.look()
        before = self._tier(organization_id)
        async with self._store.change(organization_id, actor_of(exchange)) as change:
            await set_tier(change.connection, self._limiter.table, organization_id, wanted)
            after = {"name": wanted}
            await change.log(
                "organization_tier_set", "organization", organization_id, before={"name": before["name"]}, after=after
            )
        await self._watch.look()
        return self._tier(organization_id)

    async def set_mode(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        """POST …/limits/workspaces/{workspace_id}: whether its limits are enforced; null: as the installation does."""
        # Not the workspace's own administrators: they would let themselves off.
        require(principal, "limits:write")
        mode = (await read_body(exchange, _MODE))["mode"]
        id_, organization_id = exchange.path_params["workspace_id"], principal.organization_id
        await self._watch.look()
        async with self._store.change(organization_id, actor_of(exchange)) as change:
            await _check_owner(change.connection, workspaces, id_, organization_id, "Workspace not found")
            before = {"mode": self._watch.snapshot.modes.get(id_)}
            await set_workspace_mode(change.connection, organization_id, id_, mode)
            await change.log("workspace_limit_mode_set", "workspace", id_, before=before, after={"mode": mode})
        await self._watch.look()
        in_force = self._watch.snapshot.modes.get(id_, self._limiter.config.mode)
        return {"type": "workspace_limits", "workspace_id": id_, "mode": mode, "mode_in_force": in_force}

    async def budget(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        """GET …/limits/api_keys/{api_key_id}: what a key may use on top of what its organization may."""
        require(principal, "limits:read")
        id_ = exchange.path_params["api_key_id"]
        async with self._store.connect() as connection:
            await _check_owner(connection, api_keys, id_, principal.organization_id, "API key not found")
        await self._watch.look()
        return self._budget(id_)

    async def set_budget(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        """POST …/limits/api_keys/{api_key_id}: bounds that are null or absent follow the configuration's."""
        require(principal, "limits:write")
        given = KeyBudget(**await read_body(exchange, _BUDGET))
        id_, organization_id = exchange.path_params["api_key_id"], principal.organization_id
        await self._watch.look()
        async with self._store.change(organization_id, actor_of(exchange)) as change:
            await _check_owner(change.connection, api_keys, id_, organization_id, "API key not found")
            before = self._watch.snapshot.budgets.get(id_, NO_BUDGET)._asdict()
            await set_key_budget(change.connection, organization_id, id_, given)
            await change.log("api_key_limits_set", "api_key", id_, before=before, after=given._asdict())
        await self._watch.look()
        return self._budget(id_)

    async def decisions(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        """GET …/limits/decisions: requests that a limit refused, or would have if it were enforced, newest first."""
        require(principal, "usage:read")
        params = read_query(exchange, _DECISIONS.adapter)
        request_id, since = params.get("request_id"), params.get("since")
        if since is None and request_id is None:
            since = self._clock() - _DAY
        equal: dict[str, str | int] = {
            name: str(value) for name, value in params.items() if name in {"workspace_id", "api_key_id", "model"}
        }
        asked = Search(
            principal.organization_id, request_id=request_id, since=since, equal=equal, exceeded_a_limit=True
        )
        return await request_page(
            self._store,
            asked,
            params,
            self._cursors,
            bound_by("limit decisions", principal.organization_id, params),
            _decision,
        )

    def _tier(self, organization_id: str) -> dict[str, Any]:
        tier = self._limiter.tier(organization_id)
        return {"name": tier.name, "display_name": tier.display_name, "table": self._limiter.table.name}

    async def _progress(self, organization_id: str) -> dict[str, Any]:
        """`spent` in all, in US dollars, and the tier that spending leads to; None where it leads no further."""
        async with self._store.connect() as connection:
            spent = plain((await spent_ever(connection, organization_id)).get(organization_id, 0))
        following = self._limiter.table.following(self._limiter.tier(organization_id).name)
        if following is None or organization_id in self._watch.snapshot.kept_tiers:
            return {"spent": spent, "next_tier": None}
        return {
            "spent": spent,
            "next_tier": {
                "name": following.name,
                "display_name": following.display_name,
                "cumulative_spend": str(following.cumulative_spend),
            },
        }

    def _budget(self, id_: str) -> dict[str, Any]:
        snapshot = self._watch.snapshot
        return {
            "type": "api_key_limits",
            "api_key_id": id_,
            **snapshot.budgets.get(id_, NO_BUDGET)._asdict(),
            "in_force": key_budget(self._limiter.config, snapshot, id_)._asdict(),
        }


def _level(level: Level) -> dict[str, Any]:
    group = level.group
    return {
        "scope": level.scope,
        "id": level.id,
        "group": None if group is None else {"id": group.id, "type": group.type, "display_name": group.display_name},
        "limiter": level.limiter,
        "limit": level.limit,
        "remaining": level.remaining,
        "full_in": round(level.full_in, 3),
    }


def _decision(row: Any) -> dict[str, Any]:
    exceeded = parse_exceeded(row.limit_exceeded)
    return {
        "type": "limit_decision",
        "request_id": row.request_id,
        "received_at": row.received_at,
        "path": row.path,
        "workspace_id": row.workspace_id,
        "api_key_id": row.api_key_id,
        "model": row.model,
        "status": row.status,
        # What is only observed is answered as if nothing were.
        "refused": row.status == 429 or (row.status == 400 and exceeded["scope"] == "spend"),
        **exceeded,
    }


async def _check_owner(
    connection: AsyncConnection, table: Table, id_: str, organization_id: str, otherwise: str
) -> None:
    query = select(table.c.id).where(table.c.id == id_, table.c.organization_id == organization_id)
    if (await connection.execute(query)).first() is None:
        raise NotFoundError(otherwise)


def limit_admin_routes(admin: LimitsAdmin, caller: Caller) -> list[BaseRoute]:
    """The routes, for who may on /v1/organizations."""

    def route(path: str, method: str, action: Action) -> Route:
        return Route(PATH + path, acting(caller, action), methods=[method])

    return [
        route("", "GET", admin.levels),
        route("/tier", "POST", admin.set_tier),
        route("/workspaces/{workspace_id}", "POST", admin.set_mode),
        route("/api_keys/{api_key_id}", "GET", admin.budget),
        route("/api_keys/{api_key_id}", "POST", admin.set_budget),
        route("/decisions", "GET", admin.decisions),
    ]
