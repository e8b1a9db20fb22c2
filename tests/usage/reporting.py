"""The reports' routes over a database with usage rows, called in process, on a clock that stands."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import insert

from asgi import Answer, InProcess, Records
from installations import installation
from understudy.control.spend_limits import SpendLimits, spend_limit_routes
from understudy.control.usage_admin import usage_admin_routes
from understudy.control.usage_reports import usage_routes
from understudy.http.credentials import by_key
from understudy.http.envelope import Envelope
from understudy.http.principal import Principal, WorkspaceGrant
from understudy.http.record import RequestRecord
from understudy.limits.tiers import tier_table
from understudy.organization.store import Store
from understudy.organization.tables import api_keys, organizations, users, workspaces
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.usage.kept_bodies import KeptBodies
from understudy.usage.metrics import Metrics
from understudy.usage.prices import Pricing
from understudy.usage.rows import request_rows
from understudy.usage.writer import RowWriter
from usage_records import record

ORGANIZATION = "0b6d3b3a-4a4f-4d4f-9d4f-1f1f1f1f1f1f"
OTHER_ORGANIZATION = "5c5c5c5c-4a4f-4d4f-9d4f-1f1f1f1f1f1f"
DEFAULT, MARKETING = "wrkspc_01default", "wrkspc_01marketing"
USER, KEY_ID = "user_01ada", "apikey_01first"
SONNET, HAIKU, OPUS = "claude-sonnet-4-5-20250929", "claude-haiku-5-5", "claude-opus-5"

_ALL = frozenset({"usage:read", "spend:read", "spend:write"})
_CALLER = Principal(ORGANIZATION, None, "apikey_01admin", permissions=_ALL, workspaces={})
PRINCIPALS = {
    "reader": _CALLER,
    "nobody": replace(_CALLER, permissions=frozenset[str]()),
    "other": replace(_CALLER, organization_id=OTHER_ORGANIZATION),
    "admin": replace(_CALLER, kind="admin"),
    "manager": replace(
        _CALLER,
        permissions=frozenset({"organization:read"}),
        workspaces={MARKETING: WorkspaceGrant("workspace_admin")},
    ),
    "developer": replace(
        _CALLER,
        permissions=frozenset({"organization:read"}),
        workspaces={MARKETING: WorkspaceGrant("workspace_developer")},
    ),
}


def at(text: str) -> float:
    """A time such as 2026-11-22T10:00:00, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def used(when: str | float, **changes: Any) -> RequestRecord:
    """A record of usage in ORGANIZATION."""
    moment = at(when) if isinstance(when, str) else when
    values = {"organization_id": ORGANIZATION, "workspace_id": DEFAULT, "api_key_id": KEY_ID, "model": SONNET}
    return record(received_at=moment, **{**values, **changes})


class Callers:
    async def authenticate(self, secret: str, address: str = "") -> Principal | None:
        return PRINCIPALS.get(secret)


@dataclass
class Reporting:
    db: Database
    app: Envelope
    pricing: Pricing
    now: float
    kept: KeptBodies

    async def write(self, records: Iterable[RequestRecord]) -> None:
        writer = RowWriter(self.db, Metrics([]), request_log=True, also_write=None)
        await writer.write(request_rows(records, self.pricing))

    async def call(
        self,
        path: str,
        /,
        *,
        method: str = "GET",
        key: str = "reader",
        body: Any = None,
        beta: str | None = None,
        authorization: str | None = None,
        **query: Any,
    ) -> Answer:
        """One request; a list in the query is sent as the SDKs do, `name_` as `name[]`."""
        named = {name.removesuffix("_") + "[]" if name.endswith("_") else name: value for name, value in query.items()}
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
        if beta is not None:
            headers["anthropic-beta"] = beta
        if authorization is not None:
            headers["authorization"] = authorization
        text = urlencode(named, doseq=True).encode()
        return await InProcess.call(
            self,  # pyright: ignore[reportArgumentType]
            method,
            path,
            headers,
            b"" if body is None else json.dumps(body).encode(),
            text,
        )

    async def get(self, path: str, /, **query: Any) -> Any:
        answer = await self.call(path, **query)
        assert answer.status == 200, answer.body
        return answer.json()

    async def usage(self, **query: Any) -> Any:
        return await self.get("/v1/organizations/usage_report/messages", **query)

    async def costs(self, **query: Any) -> Any:
        return await self.get("/v1/organizations/cost_report", **query)


@asynccontextmanager
async def reporting(
    data_dir: Path, now: str = "2026-11-22T12:00:00", pricing: Pricing | None = None
) -> AsyncGenerator[Reporting]:
    async with installation(data_dir) as (db, root):
        await _make_organization(db)

        async def nothing() -> None:
            pass

        kept = KeptBodies(Blobs(None, data_dir))
        made = Reporting(db, None, pricing or Pricing(), at(now), kept)  # pyright: ignore[reportArgumentType]
        store, callers = Store(db), Callers()

        def clock() -> float:
            return made.now

        limits = SpendLimits(store, root, tier_table("2026-10"), clock=clock)
        made.app = Envelope(
            api_routes=[*usage_routes(db, root, clock), *spend_limit_routes(limits)],
            other_routes=usage_admin_routes(store, root, made.kept, by_key(callers), clock),
            authenticator=callers,
            request_log=Records(),
            start=nothing,
            stop=nothing,
        )
        yield made


async def _make_organization(db: Database) -> None:
    made = {"created_at": at("2026-01-01T00:00:00")}
    async with db.begin() as connection:
        for id_ in (ORGANIZATION, OTHER_ORGANIZATION):
            await connection.execute(insert(organizations).values(id=id_, name="Acme", **made))
        for id_, is_default in ((DEFAULT, True), (MARKETING, False)):
            values = {"id": id_, "organization_id": ORGANIZATION, "name": id_, "is_default": is_default}
            await connection.execute(insert(workspaces).values(**values, **made))
        people = (USER, "ada@example.com", ORGANIZATION), ("user_01eve", "eve@example.com", OTHER_ORGANIZATION)
        for id_, email, of in people:
            values = {"id": id_, "organization_id": of, "email": email, "email_key": email, "name": id_}
            await connection.execute(insert(users).values(**values, role="developer", added_at=made["created_at"]))
        key = {"id": KEY_ID, "organization_id": ORGANIZATION, "workspace_id": DEFAULT, "kind": "api", "name": "first"}
        secret = {"hash": "h", "hash_key_id": "k", "partial_key_hint": "sk-…", "status": "active", "revision": 0}
        await connection.execute(insert(api_keys).values(**key, **secret, **made))
