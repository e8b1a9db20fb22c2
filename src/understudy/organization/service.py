"""Organizations, workspaces and API keys: what the commands and the Admin API do with them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.organization import keys
from understudy.organization.keys import KeyKind
from understudy.organization.tables import api_keys, organization_changes, organizations, workspaces
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
            await _raise_revision(connection)
            return await _ensure_installation(connection)

    async def create_key(self, name: str, kind: KeyKind = "api", expires_at: float | None = None) -> NewKey:
        """A new active key in the default workspace (admin keys: in none).

        `expires_at`: seconds since the epoch. Raises InvalidRequestError for a name or time that cannot be.
        """
        _check(name, expires_at)
        async with self._db.begin() as connection:
            return await self._insert_key(connection, await _raise_revision(connection), name, kind, expires_at)

    async def replace_key(self, name: str, kind: KeyKind = "api") -> NewKey:
        """A new active key; those of this name and kind that were active are archived in the same transaction."""
        _check(name, None)
        async with self._db.begin() as connection:
            revision = await _raise_revision(connection)
            former = and_(api_keys.c.name == name, api_keys.c.kind == kind, api_keys.c.status == "active")
            await connection.execute(update(api_keys).where(former).values(status="archived", revision=revision))
            return await self._insert_key(connection, revision, name, kind, None)

    async def revoke_key(self, key_id: str) -> ApiKey:
        """Archive a key for ever: servers refuse it within a second. Raises NotFoundError for an unknown id."""
        async with self._db.begin() as connection:
            revision = await _raise_revision(connection)
            values = {"status": "archived", "revision": revision}
            await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(values))
            row = (await connection.execute(select(*_API_KEY_COLUMNS).where(api_keys.c.id == key_id))).one_or_none()
            if row is None:
                raise NotFoundError("API key not found")
            return _api_key(row)

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

    async def _insert_key(
        self, connection: AsyncConnection, revision: int, name: str, kind: KeyKind, expires_at: float | None
    ) -> NewKey:
        installation = await _ensure_installation(connection)
        secret = keys.mint(kind)
        key = ApiKey(
            id=new_id("apikey_"),
            organization_id=installation.organization_id,
            workspace_id=installation.workspace_id if kind == "api" else None,
            kind=kind,
            name=name,
            partial_key_hint=keys.partial_key_hint(secret),
            status="active",
            created_at=time.time(),
            last_used_at=None,
            expires_at=expires_at,
        )
        values: dict[str, Any] = {field: getattr(key, field) for field in ApiKey.__dataclass_fields__}
        values |= {"hash": self._hash.digest(secret.encode()).hex(), "hash_key_id": self._hash.key_id}
        await connection.execute(insert(api_keys).values(**values, revision=revision))
        return NewKey(key, secret)


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


async def _raise_revision(connection: AsyncConnection) -> int:
    """The number of this change. The row's lock makes all writers take turns until they commit."""
    statement = (
        update(organization_changes)
        .values(revision=organization_changes.c.revision + 1)
        .returning(organization_changes.c.revision)
    )
    return (await connection.execute(statement)).scalar_one()


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
    await connection.execute(insert(workspaces).values(**workspace, is_default=True, created_at=now))
    return made
