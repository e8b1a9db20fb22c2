"""What may be done with issuers. Rules: the official SDK 2.12.0 and the guide "Manage WIF" (2026-08)."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.net.client import Fetcher
from understudy.organization.federation.jwks import KeySource, check_jwks
from understudy.organization.federation.matching import check_match
from understudy.organization.federation.shapes import (
    DEFAULT_JWT_LIFETIME,
    IssuerCreateParams,
    IssuerUpdateParams,
    Jwks,
    issuer,
)
from understudy.organization.pages import Cursors, Order, cursor_page
from understudy.organization.roles import may, require
from understudy.organization.rows import find_row, write_row
from understudy.organization.service_accounts.service import (
    archived,
    changed,
    made,
    refuse_referenced,
    refuse_taken,
)
from understudy.organization.service_accounts.shapes import ArchivableListParams
from understudy.organization.store import Actor, Change, Store, from_json, to_json
from understudy.organization.tables import federation_issuers, federation_rules
from understudy.wire.errors import InvalidRequestError, PermissionDeniedError
from understudy.wire.ids import new_id

WORKLOAD_SCOPES: Final = frozenset({"workspace:developer", "workspace:inference"})
"""What a workload may hand out, and what it may change the issuer of."""


class Issuers:
    def __init__(self, store: Store, cursors: Cursors, fetcher: Fetcher | None, keys: KeySource | None = None) -> None:
        self._store, self._cursors, self._fetcher = store, cursors, fetcher
        self._keys = KeySource(fetcher) if keys is None else keys

    async def list(self, principal: Principal, params: ArchivableListParams) -> dict[str, Any]:
        """A page, newest first."""
        require(principal, "federation:read")
        with_archived = params.get("include_archived", False)
        query = select(federation_issuers).where(federation_issuers.c.organization_id == principal.organization_id)
        if not with_archived:
            query = query.where(federation_issuers.c.archived_at.is_(None))
        async with self._store.connect() as connection:
            return await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=Order(federation_issuers.c.created_at, federation_issuers.c.id),
                bound=("federation_issuers", principal.organization_id, with_archived),
                render=self._show,
            )

    async def retrieve(self, principal: Principal, issuer_id: str) -> dict[str, Any]:
        require(principal, "federation:read")
        async with self._store.connect() as connection:
            return self._show(await find_issuer(connection, principal.organization_id, issuer_id))

    def _show(self, row: Any) -> dict[str, Any]:
        return issuer(row, self._keys.status(from_json(row.jwks), row.issuer_url))

    async def create(self, principal: Principal, actor: Actor, params: IssuerCreateParams) -> dict[str, Any]:
        """409 for a name that is taken, 400 for keys that cannot be had."""
        require(principal, "federation:write")
        jwks: Jwks = params.get("jwks", {"type": "discovery"})
        check_jwks(jwks, params["issuer_url"], self._fetcher)
        check_jti = params.get("check_jti")
        async with self._store.change(principal.organization_id, actor) as change:
            await refuse_taken(change, federation_issuers, params["name"])
            issuer_id = new_id("fdis_")
            values = {
                "id": issuer_id,
                "organization_id": principal.organization_id,
                "name": params["name"],
                "issuer_url": params["issuer_url"],
                "jwks": to_json(jwks),
                "check_jti": True if check_jti is None else check_jti,
                "max_jwt_lifetime_seconds": params.get("max_jwt_lifetime_seconds") or DEFAULT_JWT_LIFETIME,
                **made(change),
            }
            await change.connection.execute(insert(federation_issuers).values(values))
            shown = issuer(await find_issuer(change.connection, principal.organization_id, issuer_id))
            await change.log("federation_issuer_created", "federation_issuer", issuer_id, after=shown)
        return shown

    async def update(
        self, principal: Principal, actor: Actor, issuer_id: str, params: IssuerUpdateParams
    ) -> dict[str, Any]:
        """400 for an archived one, and where a live rule would become too wide; 403 for a workload, see above."""
        require(principal, "federation:write")
        if params.get("jwks_polling_disabled"):
            raise InvalidRequestError("jwks_polling_disabled: only false is accepted")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_issuer(change.connection, principal.organization_id, issuer_id)
            if row.archived_at is not None:
                raise InvalidRequestError("The federation issuer is archived")
            rules = await _live_rules(change, issuer_id)
            privileged = any(not set(rule.oauth_scope.split()) <= WORKLOAD_SCOPES for rule in rules)
            if privileged and not may(principal, "privileges:grant"):
                raise PermissionDeniedError("The issuer backs a rule with a scope that a workload may not manage")
            url, jwks = params.get("issuer_url") or row.issuer_url, params.get("jwks")
            if jwks is not None or url != row.issuer_url:
                check_jwks(jwks or from_json(row.jwks), url, self._fetcher)
            for rule in rules if url != row.issuer_url else ():
                check_match(from_json(rule.match), url)
            name = params.get("name")
            if name is not None:
                await refuse_taken(change, federation_issuers, name, issuer_id)
            values: dict[str, Any] = {
                "name": name,
                "issuer_url": url,
                "jwks": to_json(jwks),
                "check_jti": params.get("check_jti"),
                "max_jwt_lifetime_seconds": params.get("max_jwt_lifetime_seconds"),
            }
            given = {key: value for key, value in values.items() if value is not None}
            return await _write(change, row, given | changed(change), "federation_issuer_updated")

    async def archive(self, principal: Principal, actor: Actor, issuer_id: str) -> dict[str, Any]:
        """Again changes nothing. 400 while a live rule refers to it."""
        require(principal, "federation:write")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_issuer(change.connection, principal.organization_id, issuer_id)
            if row.archived_at is not None:
                return issuer(row)
            await refuse_referenced(change, federation_rules.c.issuer_id == issuer_id)
            return await _write(change, row, archived(change), "federation_issuer_archived")


async def find_issuer(connection: AsyncConnection, organization_id: str, issuer_id: str) -> Any:
    """The issuer's row, archived or not. 404 for any other id."""
    return await find_row(connection, federation_issuers, organization_id, issuer_id, "Federation issuer")


async def _live_rules(change: Change, issuer_id: str) -> Any:
    where = (federation_rules.c.issuer_id == issuer_id) & federation_rules.c.archived_at.is_(None)
    query = select(federation_rules.c.oauth_scope, federation_rules.c.match).where(where)
    return (await change.connection.execute(query)).all()


async def _write(change: Change, row: Any, values: dict[str, Any], action: str) -> dict[str, Any]:
    return await write_row(change, federation_issuers, row, values, issuer, action)
