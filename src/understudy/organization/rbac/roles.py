"""The RBAC roles that there are: one for each role of the organization, and what the one table says that it may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select

from understudy.http.pagination import DEFAULT_LIMIT
from understudy.http.principal import Principal
from understudy.organization.pages import CursorParams, Cursors
from understudy.organization.rbac.shapes import role
from understudy.organization.roles import ORGANIZATION, require
from understudy.organization.store import Store
from understudy.organization.tables import organizations
from understudy.wire.errors import NotFoundError

_PREFIX: Final = "rbac_role_"


class Roles:
    def __init__(self, store: Store, cursors: Cursors) -> None:
        self._store = store
        self._cursors = cursors

    async def list(self, principal: Principal, version: str, params: CursorParams) -> dict[str, Any]:
        require(principal, "rbac:read")
        made_at = await self._made_at(principal)
        shown = [role(_PREFIX + name, _display(name), made_at, version) for name in ORGANIZATION]
        return self._page(shown, params, ("rbac_roles", principal.organization_id))

    async def retrieve(self, principal: Principal, version: str, role_id: str) -> dict[str, Any]:
        require(principal, "rbac:read")
        name = _name(role_id)
        return role(role_id, _display(name), await self._made_at(principal), version)

    async def permissions(self, principal: Principal, role_id: str, params: CursorParams) -> dict[str, Any]:
        require(principal, "rbac:read")
        resource = {"type": "organization", "organization_id": principal.organization_id}
        shown = [
            {"type": "rbac_role_permission", "action": action, "resource": resource}
            for action in sorted(ORGANIZATION[_name(role_id)])
        ]
        return self._page(shown, params, ("rbac_role_permissions", principal.organization_id, role_id))

    def _page(self, shown: Sequence[Any], params: CursorParams, bound: Sequence[str]) -> dict[str, Any]:
        page, limit = params.get("page"), params.get("limit", DEFAULT_LIMIT)
        begin = int(self._cursors.read(bound, page)[0]) if page else 0
        end = begin + limit
        more = end < len(shown)
        return {
            "data": shown[begin:end],
            "next_page": self._cursors.make(bound, end, "") if more else None,
        }

    async def _made_at(self, principal: Principal) -> float:
        query = select(organizations.c.created_at).where(organizations.c.id == principal.organization_id)
        async with self._store.connect() as connection:
            return (await connection.execute(query)).scalar_one()


def _name(role_id: str) -> str:
    name = role_id.removeprefix(_PREFIX)
    if name not in ORGANIZATION or not role_id.startswith(_PREFIX):
        raise NotFoundError("RBAC role not found", details={"error_code": "rbac_role_not_found"})
    return name


def _display(name: str) -> str:
    return name.replace("_", " ").capitalize()
