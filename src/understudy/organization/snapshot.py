"""All that decides about credentials, as it was at one moment: who there is, and what each key may do."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal, WorkspaceGrant
from understudy.organization.roles import (
    AUTOMATION,
    IN_DEFAULT,
    IN_DEFAULT_OTHERWISE,
    INHERITED,
    ORGANIZATION,
    WORKSPACE,
)
from understudy.organization.store import from_json
from understudy.organization.tables import (
    api_keys,
    service_accounts,
    users,
    workspace_members,
    workspace_service_accounts,
    workspaces,
)
from understudy.organization.tokens import AccessToken

_ADMIN_KEY: Final = ORGANIZATION["owner"]
_FOREVER: Final = float("inf")

_log = logging.getLogger("understudy.organization.authenticator")


class Entry(NamedTuple):
    digest: bytes
    expires_at: float  # infinity: never
    principal: Principal
    api_key_id: str


class _Actor(NamedTuple):
    organization_id: str
    permissions: frozenset[str]
    grants: Mapping[str, WorkspaceGrant]  # by workspace
    signed_out_at: float = 0.0

    def unbound(self, actor_id: str, api_key_id: str | None) -> Principal:
        """Whoever may choose among the actor's workspaces, as far as the actor may develop there."""
        return Principal(
            self.organization_id,
            None,
            api_key_id,
            actor_id=actor_id,
            permissions=self.permissions,
            workspaces={id_: one for id_, one in self.grants.items() if "inference" in WORKSPACE[one.role]},
        )


class Person(NamedTuple):
    """A present user. `grants` are of all workspaces where the user is anybody; `signed_out_at`: seconds since the
    epoch, 0 if never."""

    principal: Principal
    grants: Mapping[str, WorkspaceGrant]
    signed_out_at: float


class Snapshot:
    """Empty until `load` has made one."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self._actors: dict[str, _Actor] = {}
        # Of who may act in a workspace without any key of ours, by its id; of the default workspace by None too.
        self.in_workspace: dict[str | None, Principal] = {}

    def principal_of(self, token: AccessToken) -> Principal | None:
        """Whom a token stands for, unless its service account or its workspace is gone, or no longer open to it."""
        actor = self._actors.get(token.service_account_id)
        if actor is None or actor.organization_id != token.organization_id:
            return None
        scopes = frozenset(token.scope.split())
        grant = actor.grants.get(token.workspace_id or "")
        if grant is None or "inference" not in WORKSPACE[grant.role]:
            return None
        return Principal(
            token.organization_id,
            token.workspace_id,
            None,
            "oauth",
            actor_id=token.service_account_id,
            # Of an account that is no administrator any more, no token is an administrator's.
            permissions=actor.permissions if "org:admin" in scopes else frozenset(),
            grant=grant,
            scopes=scopes if actor.permissions is AUTOMATION else scopes - {"org:admin"},
        )

    def person(self, user_id: str) -> Person | None:
        """The user, with the principal of a personal key that is bound to no workspace; None once removed."""
        actor = self._actors.get(user_id)
        if actor is None:
            return None
        return Person(actor.unbound(user_id, None), actor.grants, actor.signed_out_at)


async def load(connection: AsyncConnection, known_key_ids: Collection[str], live: Any) -> Snapshot:
    """What there is now. `known_key_ids`: root secrets that are given; `live`: the condition for keys."""
    snapshot = Snapshot()
    places = await _workspaces(connection)
    for id_, place in places.items():
        caller = Principal(place.organization_id, id_, None, grant=place.grants["workspace_developer"])
        snapshot.in_workspace[id_] = caller
        if place.is_default:
            snapshot.in_workspace.setdefault(None, caller)
    snapshot._actors = await _actors(connection, places)  # pyright: ignore[reportPrivateUsage]
    foreign: Counter[str] = Counter()
    for row in (await connection.execute(_KEYS.where(live))).all():
        if row.hash_key_id not in known_key_ids:
            foreign[row.hash_key_id] += 1
            continue
        principal = _principal(row, places, snapshot._actors)  # pyright: ignore[reportPrivateUsage]
        if principal is not None:
            digest = bytes.fromhex(row.hash)
            expires_at = _FOREVER if row.expires_at is None else row.expires_at
            snapshot.entries[digest] = Entry(digest, expires_at, principal, row.id)
    for hash_key_id, count in foreign.items():
        _log.warning("%d keys need the root secret %s, which is not given", count, hash_key_id)
    return snapshot


class _Workspace(NamedTuple):
    organization_id: str
    is_default: bool
    grants: dict[str, WorkspaceGrant]  # by role


def _principal(row: Any, places: Mapping[str, _Workspace], actors: Mapping[str, _Actor]) -> Principal | None:
    """Whom a key stands for; nobody when its workspace is archived, its owner gone, or not to develop there."""
    if row.kind == "admin":
        return Principal(row.organization_id, None, row.id, "admin", permissions=_ADMIN_KEY)
    if row.principal_id is None:
        place = places.get(row.workspace_id)
        if place is None:
            return None
        return Principal(row.organization_id, row.workspace_id, row.id, grant=place.grants["workspace_developer"])
    actor = actors.get(row.principal_id)
    if actor is None:
        return None
    if row.workspace_id is None:
        return actor.unbound(row.principal_id, row.id)
    grant = actor.grants.get(row.workspace_id)
    if grant is None or "inference" not in WORKSPACE[grant.role]:
        return None
    return Principal(row.organization_id, row.workspace_id, row.id, actor_id=row.principal_id, grant=grant)


async def _workspaces(connection: AsyncConnection) -> dict[str, _Workspace]:
    places: dict[str, _Workspace] = {}
    # The first default one is the installation's own (service.py), whatever order the database would give.
    oldest_first = _WORKSPACES.order_by(workspaces.c.created_at, workspaces.c.id)
    for row in (await connection.execute(oldest_first)).all():
        allowed = from_json(row.allowed_inference_geos)
        geos = None if allowed is None else tuple(allowed)
        grants = {role: WorkspaceGrant(role, row.default_inference_geo, geos) for role in WORKSPACE}
        places[row.id] = _Workspace(row.organization_id, row.is_default, grants)
    return places


async def _actors(connection: AsyncConnection, places: Mapping[str, _Workspace]) -> dict[str, _Actor]:
    """Everybody whom a credential can act as."""
    people = (await connection.execute(_USERS)).all()
    workloads = (await connection.execute(_SERVICE_ACCOUNTS)).all()
    roles: dict[str, dict[str, str]] = {}
    if people:
        for row in (await connection.execute(_MEMBERS)).all():
            roles.setdefault(row.user_id, {})[row.workspace_id] = row.workspace_role
    if workloads:
        for row in (await connection.execute(_WORKLOAD_MEMBERS)).all():
            roles.setdefault(row.service_account_id, {})[row.workspace_id] = row.workspace_role
    actors: dict[str, _Actor] = {}
    for row in people:
        grants = _grants(row, roles.get(row.id, {}), places, INHERITED.get(row.role), IN_DEFAULT.get(row.role))
        actors[row.id] = _Actor(row.organization_id, ORGANIZATION[row.role], grants, row.signed_out_at or 0.0)
    for row in workloads:
        # The default workspace is open to every service account, as a user (SDK 2.12.0); that its tokens can be used
        # there for what they were made for says that this is enough for inference [guess].
        grants = _grants(row, roles.get(row.id, {}), places, None, "workspace_developer")
        permissions = AUTOMATION if row.organization_role == "admin" else ORGANIZATION["developer"]
        actors[row.id] = _Actor(row.organization_id, permissions, grants)
    return actors


def _grants(
    row: Any,
    roles: Mapping[str, str],
    places: Mapping[str, _Workspace],
    everywhere: str | None,
    in_default: str | None,
) -> dict[str, WorkspaceGrant]:
    found: dict[str, WorkspaceGrant] = {}
    for id_, place in places.items():
        if place.organization_id != row.organization_id:
            continue
        role = everywhere or roles.get(id_) or (place.is_default and (in_default or IN_DEFAULT_OTHERWISE)) or None
        if role is not None:
            found[id_] = place.grants[role]
    return found


_KEYS = select(
    api_keys.c.id,
    api_keys.c.organization_id,
    api_keys.c.workspace_id,
    api_keys.c.kind,
    api_keys.c.hash,
    api_keys.c.hash_key_id,
    api_keys.c.expires_at,
    api_keys.c.principal_id,
)
_WORKSPACES = select(
    workspaces.c.id,
    workspaces.c.organization_id,
    workspaces.c.is_default,
    workspaces.c.allowed_inference_geos,
    workspaces.c.default_inference_geo,
).where(workspaces.c.archived_at.is_(None))
_USERS = select(users.c.id, users.c.organization_id, users.c.role, users.c.signed_out_at).where(
    users.c.removed_at.is_(None)
)
_SERVICE_ACCOUNTS = select(
    service_accounts.c.id, service_accounts.c.organization_id, service_accounts.c.organization_role
).where(service_accounts.c.archived_at.is_(None))
_MEMBERS = select(workspace_members.c.user_id, workspace_members.c.workspace_id, workspace_members.c.workspace_role)
_WORKLOAD_MEMBERS = select(
    workspace_service_accounts.c.service_account_id,
    workspace_service_accounts.c.workspace_id,
    workspace_service_accounts.c.workspace_role,
)
