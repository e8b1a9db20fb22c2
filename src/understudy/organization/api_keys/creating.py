"""Making keys, which the Admin API does not do: our own route and the commands do. The secret is shown once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select

from understudy.http.principal import Principal
from understudy.organization import keys
from understudy.organization.api_keys.service import default_workspace, require_making
from understudy.organization.api_keys.shapes import PRESETS, ApiKeyCreateParams, api_key
from understudy.organization.keys import KeyHash, KeyKind
from understudy.organization.maxima import refuse_keys
from understudy.organization.people.users import find_user
from understudy.organization.roles import ADMINISTRATIVE, require
from understudy.organization.store import Actor, Change, Store
from understudy.organization.tables import api_keys, service_accounts, workspaces
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import InvalidRequestError
from understudy.wire.ids import new_id
from understudy.wire.versions import VERSIONS

_NEWEST = max(VERSIONS)


class KeyMaker:
    """Makes keys for those who may have them."""

    def __init__(self, store: Store, root: RootSecret) -> None:
        self._store = store
        self._hash = KeyHash(root.key_id, root.derive(keys.HASH_PURPOSE))

    async def create(self, principal: Principal, actor: Actor, params: ApiKeyCreateParams) -> dict[str, Any]:
        """The new key as the API shows it, with its secret as `raw_key`. 403 for who may not have it."""
        kind = params.get("kind", "workspace")
        async with self._store.change(principal.organization_id, actor) as change:
            expires_at = _expiry(params, change.now)
            default = await default_workspace(change.connection, principal.organization_id)
            workspace_id, principal_id = params.get("workspace_id"), None
            if kind == "admin":
                require(principal, "admin_keys:create")
                workspace_id = None
            elif kind == "workspace":
                workspace_id = workspace_id or default
                require(principal, "api_keys:create", workspace_id)
            elif kind == "personal":
                principal_id = _needed(params.get("user_id") or principal.actor_id, "user_id")
                await self._check_personal(change, principal, principal_id, workspace_id)
            else:
                principal_id = _needed(params.get("service_account_id"), "service_account_id")
                await self._check_service_account(change, principal, principal_id)
            if workspace_id is not None:
                await _check_workspace(change, workspace_id)
            if kind != "admin":
                await refuse_keys(change.connection, principal.organization_id, workspace_id, change.most, change.now)
            row, secret = await insert_key(
                change,
                self._hash,
                name=params["name"],
                kind="admin" if kind == "admin" else "api",
                workspace_id=workspace_id,
                principal_id=principal_id,
                expires_at=expires_at,
            )
            shown = api_key(row, change.now, _NEWEST, default)
        return {**shown, "kind": kind, "raw_key": secret}

    async def _check_personal(
        self, change: Change, principal: Principal, user_id: str, workspace_id: str | None
    ) -> None:
        """One's own, if one may make keys anywhere it is to work; another's, for who may give what that one has."""
        user = await find_user(change.connection, change.organization_id, user_id)
        if user_id == principal.actor_id:
            require_making(principal, workspace_id)
            return
        require(principal, "api_keys:create")
        if user.role in ADMINISTRATIVE:
            require(principal, "admins:write")

    async def _check_service_account(self, change: Change, principal: Principal, service_account_id: str) -> None:
        require(principal, "api_keys:create")
        where = (
            (service_accounts.c.id == service_account_id)
            & (service_accounts.c.organization_id == change.organization_id)
            & service_accounts.c.archived_at.is_(None)
        )
        query = select(service_accounts.c.organization_role).where(where)
        role = (await change.connection.execute(query)).scalar()
        if role is None:
            raise InvalidRequestError("service_account_id: service account not found")
        if role == "admin":
            require(principal, "privileges:grant")


async def insert_key(
    change: Change,
    key_hash: KeyHash,
    *,
    name: str,
    kind: KeyKind,
    workspace_id: str | None,
    principal_id: str | None = None,
    expires_at: float | None = None,
) -> tuple[Any, str]:
    """The new row and its secret. Says so in the audit log; checks nothing."""
    secret = keys.mint(kind)
    key_id = new_id("apikey_")
    values = {
        "id": key_id,
        "organization_id": change.organization_id,
        "workspace_id": workspace_id,
        "kind": kind,
        "name": name,
        "hash": key_hash.digest(secret.encode()).hex(),
        "hash_key_id": key_hash.key_id,
        "partial_key_hint": keys.partial_key_hint(secret),
        "status": "active",
        "created_at": change.now,
        "expires_at": expires_at,
        "revision": change.revision,
        "principal_id": principal_id,
        "created_by_id": change.actor.id,
    }
    await change.connection.execute(insert(api_keys).values(values))
    row = (await change.connection.execute(select(api_keys).where(api_keys.c.id == key_id))).one()
    after = {**api_key(row, change.now, _NEWEST, ""), "kind": kind}
    await change.log("api_key_created", "api_key", key_id, after=after)
    return row, secret


async def _check_workspace(change: Change, workspace_id: str) -> None:
    where = (
        (workspaces.c.id == workspace_id)
        & (workspaces.c.organization_id == change.organization_id)
        & workspaces.c.archived_at.is_(None)
    )
    if (await change.connection.execute(select(workspaces.c.id).where(where))).first() is None:
        raise InvalidRequestError("workspace_id: workspace not found")


def _needed(value: str | None, name: str) -> str:
    if not value:
        raise InvalidRequestError(f"{name}: Field required")
    return value


def _expiry(params: ApiKeyCreateParams, now: float) -> float | None:
    """When the key expires, fixed here for ever."""
    given = params.get("expires_at")
    if given is None:
        lifetime = PRESETS[params.get("expires_in", "never")]
        return None if lifetime is None else now + lifetime
    if "expires_in" in params:
        raise InvalidRequestError("expires_at: not together with expires_in")
    try:
        at = datetime.fromisoformat(given)
        seconds = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidRequestError("expires_at: must be an RFC 3339 time") from None
    if seconds <= now:
        raise InvalidRequestError("expires_at: must be in the future")
    return seconds
