"""Reading and changing what belongs to an organization. Every change is one transaction, numbered and audited."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.organization.clock import Clock
from understudy.organization.maxima import DEFAULT, Maxima
from understudy.organization.tables import audit_log, organization_changes
from understudy.storage.database import Database
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.ids import fresh_id

_LONGEST_AGENT: Final = 500


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, and whence; as it stands in the audit log.

    `type` is `user`, `service_account`, `admin_key`, `api_key`, `command_line` or `system`.
    """

    type: str
    id: str | None = None
    api_key_id: str | None = None
    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


COMMAND_LINE: Final = Actor("command_line")


def actor_of(exchange: Exchange) -> Actor:
    """The actor of a request whose caller is known."""
    principal = principal_of(exchange)
    return actor_from(exchange, _type_of(principal), principal.actor_id, principal.api_key_id)


def actor_from(exchange: Exchange, type_: str, id_: str | None = None, api_key_id: str | None = None) -> Actor:
    """An actor that a request does not tell of, where the request comes from."""
    client = exchange.scope.get("client")
    agent = exchange.header(b"user-agent")
    return Actor(
        type=type_,
        id=id_,
        api_key_id=api_key_id,
        address=client[0] if client else None,
        user_agent=None if agent is None else _plain(agent[:_LONGEST_AGENT]),
        request_id=exchange.request_id,
    )


def principal_of(exchange: Exchange) -> Principal:
    """The caller; only for routes that are asked when it is known.

    Also where NUL stops, in ids and filters: no id has one, and PostgreSQL takes none.
    """
    principal = exchange.principal
    if principal is None:
        raise RuntimeError("the caller is not known yet")
    if any("\0" in value for value in exchange.path_params.values()):
        raise NotFoundError
    if b"%00" in exchange.scope["query_string"]:
        raise InvalidRequestError("Query parameters must not hold NUL characters")
    return principal


@dataclass(slots=True)
class Change:
    """A transaction that writes, its number, and its one time for all that it writes. `most`: how many of its objects
    the organization may have."""

    connection: AsyncConnection
    organization_id: str
    revision: int
    now: float
    actor: Actor
    most: Maxima = DEFAULT

    async def log(
        self,
        action: str,
        object_type: str,
        object_id: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write what was done to the audit log. `before` and `after` are the object as the API shows it."""
        actor = self.actor
        # Changes take turns, so a clock that steps back is seen here.
        theirs = select(audit_log.c.at).where(audit_log.c.organization_id == self.organization_id)
        newest = theirs.order_by(audit_log.c.number.desc()).limit(1)
        last: float | None = (await self.connection.execute(newest)).scalar()
        await self.connection.execute(
            insert(audit_log).values(
                # Counted ones begin anew with each scenario, and the log is for ever.
                id=fresh_id("audit_"),
                organization_id=self.organization_id,
                at=max(self.now, last or 0.0),
                actor_type=actor.type,
                actor_id=actor.id,
                api_key_id=actor.api_key_id,
                address=actor.address,
                user_agent=actor.user_agent,
                request_id=actor.request_id,
                action=action,
                object_type=object_type,
                object_id=object_id,
                before=to_json(before),
                after=to_json(after),
            )
        )


class Store:
    """The database as the organization's rooms use it."""

    def __init__(self, db: Database, clock: Clock = time.time, most: Maxima = DEFAULT) -> None:
        self.db = db
        self.clock = clock
        self._most = most

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection that reads."""
        return self.db.connect()

    @asynccontextmanager
    async def change(self, organization_id: str, actor: Actor) -> AsyncGenerator[Change]:
        """A transaction whose changes all servers notice. It is rolled back when the block raises."""
        async with self.db.begin() as connection:
            revision = await raise_revision(connection)
            yield Change(connection, organization_id, revision, self.clock(), actor, self._most)


async def raise_revision(connection: AsyncConnection) -> int:
    """The number of this change. The row's lock makes all writers take turns until they commit."""
    statement = (
        update(organization_changes)
        .values(revision=organization_changes.c.revision + 1)
        .returning(organization_changes.c.revision)
    )
    return (await connection.execute(statement)).scalar_one()


def to_json(value: Mapping[str, Any] | list[Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def from_json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _type_of(principal: Principal) -> str:
    if principal.actor_id is not None:
        return "service_account" if principal.actor_id.startswith("svac_") else "user"
    return "admin_key" if principal.kind == "admin" else "api_key"


def _plain(text: str) -> str:
    """Escapes and line feeds would end up in terminals."""
    return "".join(character if character.isprintable() else "�" for character in text)
