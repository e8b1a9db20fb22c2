"""The organization as it names itself. The Admin API shows the name; only the Console sets it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select, update
from typing_extensions import TypedDict

from understudy.http.principal import Principal
from understudy.organization.bodies import STRICT, Name, Shape
from understudy.organization.roles import require
from understudy.organization.store import Actor, Store
from understudy.organization.tables import organizations


class _RenameParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: Name


RENAME: Final = Shape(_RenameParams)


class Naming:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def me(self, principal: Principal) -> dict[str, Any]:
        """The organization of a key or person."""
        require(principal, "organization:read")
        query = select(organizations.c.name).where(organizations.c.id == principal.organization_id)
        async with self._store.connect() as connection:
            return _shown(principal.organization_id, (await connection.execute(query)).scalar_one())

    async def rename(self, principal: Principal, actor: Actor, name: str) -> dict[str, Any]:
        """For those who make workspaces; the change is in the audit log."""
        require(principal, "workspaces:write")
        id_, of = principal.organization_id, organizations.c
        async with self._store.change(id_, actor) as change:
            before: str = (await change.connection.execute(select(of.name).where(of.id == id_))).scalar_one()
            await change.connection.execute(update(organizations).where(of.id == id_).values(name=name))
            await change.log(
                "organization_renamed", "organization", id_, before=_shown(id_, before), after=_shown(id_, name)
            )
        return _shown(id_, name)


def _shown(id_: str, name: str) -> dict[str, Any]:
    return {"id": id_, "type": "organization", "name": name}
