"""What may be done with API keys that there are. Rules: the guides on the Admin API and authentication (2026-08)."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.api_keys.shapes import ApiKeyListParams, ApiKeyUpdateParams, api_key, status
from understudy.organization.maxima import refuse_keys
from understudy.organization.pages import Order, id_page
from understudy.organization.roles import Permission, may, require, workspaces_with
from understudy.organization.store import Actor, Store
from understudy.organization.tables import api_keys, workspaces
from understudy.wire.errors import InvalidRequestError, NotFoundError

_MAKING: Final[Permission] = "api_keys:create"


class ApiKeys:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, principal: Principal, version: str, params: ApiKeyListParams) -> dict[str, Any]:
        """A page, newest first, archived keys too. Admin keys are none of these [guess]."""
        now = self._store.clock()
        query = select(api_keys)
        wanted, workspace_id, maker = (params.get(name) for name in ("status", "workspace_id", "created_by_user_id"))
        if wanted is not None:
            query = query.where(_has_status(wanted, now))
        if workspace_id is not None:
            query = query.where(api_keys.c.workspace_id == workspace_id)
        if maker is not None:
            query = query.where(api_keys.c.created_by_id == maker)
        async with self._store.connect() as connection:
            default = await default_workspace(connection, principal.organization_id)
            return await id_page(
                connection,
                query,
                params,
                order=Order(api_keys.c.created_at, api_keys.c.id),
                within=_visible(principal),
                render=lambda row: api_key(row, now, version, default),
            )

    async def retrieve(self, principal: Principal, version: str, api_key_id: str) -> dict[str, Any]:
        async with self._store.connect() as connection:
            row = await _find(connection, principal, api_key_id)
            default = await default_workspace(connection, principal.organization_id)
        return api_key(row, self._store.clock(), version, default)

    async def update(
        self, principal: Principal, actor: Actor, version: str, api_key_id: str, params: ApiKeyUpdateParams
    ) -> dict[str, Any]:
        """Rename, disable, enable or archive. An archived key stays as it is; an expired one can only be archived.

        Whoever made a key may do so too, but enable it only where that one could make another.
        """
        async with self._store.change(principal.organization_id, actor) as change:
            connection = change.connection
            row = await _find(connection, principal, api_key_id)
            if not may(principal, "api_keys:write", row.workspace_id):
                if principal.actor_id is None or row.created_by_id != principal.actor_id:
                    require(principal, "api_keys:write", row.workspace_id)
                if params.get("status") == "active":
                    if row.principal_id not in (None, principal.actor_id):
                        require(principal, _MAKING)
                    require_making(principal, row.workspace_id)
            default = await default_workspace(connection, principal.organization_id)
            values = {name: value for name, value in params.items() if value is not None}
            wanted = params.get("status")
            current = status(row, change.now)
            if current == "archived" and values and values != {"status": "archived"}:
                raise InvalidRequestError("An archived API key cannot be changed")
            if current == "expired" and wanted not in (None, "archived"):
                raise InvalidRequestError("status: an expired API key can only be archived")
            before = api_key(row, change.now, version, default)
            if all(getattr(row, name) == value for name, value in values.items()):
                return before
            if wanted == "active" and current != "active":
                await refuse_keys(connection, principal.organization_id, row.workspace_id, change.most, change.now)
            where = api_keys.c.id == api_key_id
            await connection.execute(update(api_keys).where(where).values(**values, revision=change.revision))
            after = api_key(await _find(connection, principal, api_key_id), change.now, version, default)
            await change.log("api_key_updated", "api_key", api_key_id, before=before, after=after)
        return after


def require_making(principal: Principal, workspace_id: str | None) -> None:
    """403 for who may not make keys in that workspace, or where none is named, in any."""
    if workspace_id is not None or not (may(principal, _MAKING) or workspaces_with(principal, _MAKING)):
        require(principal, _MAKING, workspace_id)


async def default_workspace(connection: AsyncConnection, organization_id: str) -> str:
    """The id of the organization's default workspace."""
    where = and_(workspaces.c.organization_id == organization_id, workspaces.c.is_default)
    return (await connection.execute(select(workspaces.c.id).where(where).limit(1))).scalar_one()


def _visible(principal: Principal) -> Any:
    """Which keys the caller may see: all, or those of some workspaces and its own."""
    within = and_(api_keys.c.organization_id == principal.organization_id, api_keys.c.kind == "api")
    readable = workspaces_with(principal, "api_keys:read")
    if readable is None:
        return within
    mine = or_(api_keys.c.principal_id == principal.actor_id, api_keys.c.created_by_id == principal.actor_id)
    return and_(within, or_(api_keys.c.workspace_id.in_(readable), mine))


def _has_status(wanted: str, now: float) -> Any:
    expired = and_(api_keys.c.expires_at.is_not(None), api_keys.c.expires_at <= now)
    if wanted == "expired":
        return and_(api_keys.c.status != "archived", expired)
    if wanted == "archived":
        return api_keys.c.status == "archived"
    return and_(api_keys.c.status == wanted, or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now))


async def _find(connection: AsyncConnection, principal: Principal, api_key_id: str) -> Any:
    row = (await connection.execute(select(api_keys).where(api_keys.c.id == api_key_id, _visible(principal)))).first()
    if row is None:
        raise NotFoundError("API key not found")
    return row
