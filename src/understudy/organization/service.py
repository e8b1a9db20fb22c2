"""What the commands do: the installation's one organization, and its keys."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.organization import keys
from understudy.organization.api_keys.creating import insert_key
from understudy.organization.keys import KeyKind
from understudy.organization.store import COMMAND_LINE, Change, raise_revision
from understudy.organization.tables import api_keys, organizations, workspaces
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.ids import new_id

_MOST_NAME_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Installation:
    """The one organization of this installation and its default workspace."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown. Times are seconds since the epoch; `workspace_id` is None for admin keys."""

    id: str
    organization_id: str
    workspace_id: str | None
    kind: KeyKind
    name: str
    partial_key_hint: str
    status: Literal["active", "inactive", "archived"]
    created_at: float
    last_used_at: float | None
    expires_at: float | None

    def is_live(self, now: float) -> bool:
        """Whether the key is accepted at `now`."""
        return self.status == "active" and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. The secret stands nowhere else and cannot be had again."""

    key: ApiKey
    secret: str = field(repr=False)


_API_KEY_COLUMNS = [api_keys.c[name] for name in ApiKey.__dataclass_fields__]


class Organizations:
    """Reads and writes organizations, workspaces and keys. Every write is one transaction that servers notice."""

    def __init__(self, db: Database, root: RootSecret) -> None:
        self._db = db
        self._hash = keys.KeyHash(root.key_id, root.derive(keys.HASH_PURPOSE))

    async def ensure_installation(self) -> Installation:
        """The organization and its default workspace, made if they are not there yet."""
        async with self._db.connect() as connection:
            found = await _installation(connection)
        if found is not None:
            return found
        async with self._db.begin() as connection:
            # Also makes two servers that start at once take turns.
            await raise_revision(connection)
            return await _ensure_installation(connection)

    async def create_key(self, name: str, kind: KeyKind = "api", expires_at: float | None = None) -> NewKey:
        """A new active key in the default workspace (admin keys: in none).

        `expires_at`: seconds since the epoch. Raises InvalidRequestError for a name or time that cannot be.
        """
        _check(name, expires_at)
        async with self._change() as (change, installation):
            return await self._insert_key(change, installation, name, kind, expires_at)

    async def replace_key(self, name: str, kind: KeyKind = "api") -> NewKey:
        """A new active key; those of this name and kind that were active are archived in the same transaction."""
        _check(name, None)
        async with self._change() as (change, installation):
            former = and_(api_keys.c.name == name, api_keys.c.kind == kind, api_keys.c.status == "active")
            ids = (await change.connection.execute(select(api_keys.c.id).where(former))).scalars().all()
            for key_id in ids:
                await _archive(change, key_id, "active")
            return await self._insert_key(change, installation, name, kind, None)

    async def revoke_key(self, key_id: str) -> ApiKey:
        """Archive a key for ever: servers refuse it within a second. Raises NotFoundError for an unknown id."""
        async with self._change() as (change, _):
            this = select(*_API_KEY_COLUMNS).where(api_keys.c.id == key_id)
            row = (await change.connection.execute(this)).one_or_none()
            if row is None:
                raise NotFoundError("API key not found")
            await _archive(change, key_id, row.status)
            return _api_key((await change.connection.execute(this)).one())

    async def list_keys(self) -> list[ApiKey]:
        """All keys, archived ones too, the oldest first."""
        async with self._db.connect() as connection:
            order = (api_keys.c.created_at, api_keys.c.id)
            rows = (await connection.execute(select(*_API_KEY_COLUMNS).order_by(*order))).all()
        return [_api_key(row) for row in rows]

    async def count_keys(self, kind: KeyKind | None = None) -> int:
        """How many keys are accepted now, of `kind` or of any."""
        where = live(time.time())
        if kind is not None:
            where = and_(where, api_keys.c.kind == kind)
        async with self._db.connect() as connection:
            return (await connection.execute(select(func.count()).select_from(api_keys).where(where))).scalar_one()

    @asynccontextmanager
    async def _change(self) -> AsyncGenerator[tuple[Change, Installation]]:
        async with self._db.begin() as connection:
            revision = await raise_revision(connection)
            installation = await _ensure_installation(connection)
            yield Change(connection, installation.organization_id, revision, time.time(), COMMAND_LINE), installation

    async def _insert_key(
        self, change: Change, installation: Installation, name: str, kind: KeyKind, expires_at: float | None
    ) -> NewKey:
        workspace_id = installation.workspace_id if kind == "api" else None
        row, secret = await insert_key(
            change, self._hash, name=name, kind=kind, workspace_id=workspace_id, expires_at=expires_at
        )
        return NewKey(ApiKey(**{name: getattr(row, name) for name in ApiKey.__dataclass_fields__}), secret)


def live(now: float) -> ColumnElement[bool]:
    """The condition under which a key is accepted at `now`, seconds since the epoch."""
    return and_(api_keys.c.status == "active", or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now))


def _api_key(row: Any) -> ApiKey:
    return ApiKey(*row)


def _check(name: str, expires_at: float | None) -> None:
    if not 1 <= len(name) <= _MOST_NAME_CHARACTERS or not name.isprintable():
        # Line feeds and escapes would end up in terminals and logs.
        raise InvalidRequestError(f"name: must be 1 to {_MOST_NAME_CHARACTERS} printable characters")
    if expires_at is not None and not time.time() < expires_at < float("inf"):
        raise InvalidRequestError("expires_at: must be in the future")


async def _archive(change: Change, key_id: str, status: str) -> None:
    values = {"status": "archived", "revision": change.revision}
    await change.connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(values))
    await change.log("api_key_updated", "api_key", key_id, before={"status": status}, after={"status": "archived"})


async def _installation(connection: AsyncConnection) -> Installation | None:
    statement = (
        select(workspaces.c.organization_id, workspaces.c.id)
        .where(workspaces.c.is_default, workspaces.c.archived_at.is_(None))
        .order_by(workspaces.c.created_at, workspaces.c.id)
        .limit(1)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Installation(row.organization_id, row.id)


async def _ensure_installation(connection: AsyncConnection) -> Installation:
    found = await _installation(connection)
    if found is not None:
        return found
    made = Installation(str(uuid.uuid4()), new_id("wrkspc_"))
    now = time.time()
    organization = {"id": made.organization_id, "name": "Default", "created_at": now}
    await connection.execute(insert(organizations).values(organization))
    workspace = {"id": made.workspace_id, "organization_id": made.organization_id, "name": "Default"}
    workspace["compartment_id"] = str(uuid.uuid4())
    await connection.execute(insert(workspaces).values(**workspace, is_default=True, created_at=now))
    return made
