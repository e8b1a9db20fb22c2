"""Keys with what the Admin API leaves out: when each was used last, and what it cost this month."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import or_, select

from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.http.query import read_query
from understudy.http.row_pages import Order
from understudy.organization.api_keys.shapes import status
from understudy.organization.bodies import Shape
from understudy.organization.clock import rfc3339, rfc3339_or_none
from understudy.organization.pages import CursorParams, Cursors, cursor_page
from understudy.organization.roles import workspaces_with
from understudy.organization.store import Store
from understudy.organization.tables import api_keys
from understudy.usage.money import plain
from understudy.usage.sums import month_of, spent_in

_PARAMS: Final = Shape(CursorParams)
_ORDER: Final = Order(api_keys.c.created_at, api_keys.c.id)


class KeyList:
    """`clock`: seconds since the epoch."""

    def __init__(self, store: Store, cursors: Cursors, clock: Callable[[], float]) -> None:
        self._store = store
        self._cursors = cursors
        self._clock = clock

    async def list(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        """GET …/api_keys: newest first, of the workspaces whose keys the caller may see, and the caller's own; admin
        keys too for who sees all. `cost` is in dollars, null for who sees no usage there."""
        params = read_query(exchange, _PARAMS.adapter)
        now, organization_id = self._clock(), principal.organization_id
        visible, priced = workspaces_with(principal, "api_keys:read"), workspaces_with(principal, "usage:read")
        query = select(api_keys).where(api_keys.c.organization_id == organization_id)
        if visible is not None:
            seen = [api_keys.c.workspace_id.in_(sorted(visible))]
            if principal.actor_id is not None:
                seen += [of == principal.actor_id for of in (api_keys.c.principal_id, api_keys.c.created_by_id)]
            query = query.where(or_(*seen))

        def shown(row: Any) -> dict[str, Any]:
            cost = None
            if priced is None or row.workspace_id in priced:
                cost = plain(spent.get((organization_id, "api_key", row.id), 0))
            return {
                "type": "api_key_usage",
                "id": row.id,
                "kind": row.kind,
                "name": row.name,
                "partial_key_hint": row.partial_key_hint,
                "status": status(row, now),
                "workspace_id": row.workspace_id,
                "principal_id": row.principal_id,
                "created_by_id": row.created_by_id,
                "created_at": rfc3339(row.created_at),
                "expires_at": rfc3339_or_none(row.expires_at),
                "last_used_at": rfc3339_or_none(row.last_used_at),
                "cost": cost,
            }

        async with self._store.connect() as connection:
            spent = await spent_in(connection, month_of(now), organization_id)
            return await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=_ORDER,
                bound=["api key usage", organization_id, principal.actor_id],
                render=shown,
            )
