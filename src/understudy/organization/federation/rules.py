"""What may be done with federation rules. Rules: the official SDK 2.12.0 and the guide "Manage WIF" (2026-08)."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.federation.conditions import check_condition
from understudy.organization.federation.issuers import WORKLOAD_SCOPES, find_issuer
from understudy.organization.federation.matching import check_match
from understudy.organization.federation.shapes import (
    DEFAULT_TOKEN_LIFETIME,
    Match,
    RuleCreateParams,
    RuleListParams,
    RuleUpdateParams,
    rule,
)
from understudy.organization.pages import Cursors, Order, cursor_page
from understudy.organization.roles import require
from understudy.organization.service_accounts.service import archived, changed, made, refuse_taken
from understudy.organization.service_accounts.service import find as find_account
from understudy.organization.store import Actor, Change, Store, to_json
from understudy.organization.tables import (
    federation_issuers,
    federation_rule_workspaces,
    federation_rules,
    service_accounts,
    workspaces,
)
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.ids import new_id

_SCOPES: Final = WORKLOAD_SCOPES | frozenset({"workspace:manage_tunnels", "org:admin"})


class Rules:
    def __init__(self, store: Store, cursors: Cursors) -> None:
        self._store, self._cursors = store, cursors

    async def list(self, principal: Principal, params: RuleListParams) -> dict[str, Any]:
        """A page, newest first."""
        require(principal, "federation:read")
        with_archived, issuer_id = params.get("include_archived", False), params.get("issuer_id")
        query = _RULES.where(federation_rules.c.organization_id == principal.organization_id)
        if not with_archived:
            query = query.where(federation_rules.c.archived_at.is_(None))
        if issuer_id is not None:
            query = query.where(federation_rules.c.issuer_id == issuer_id)
        async with self._store.connect() as connection:
            page = await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=Order(federation_rules.c.created_at, federation_rules.c.id),
                bound=("federation_rules", principal.organization_id, with_archived, issuer_id),
                render=lambda row: {"row": row},
            )
            rows = [shown["row"] for shown in page["data"]]
            page["data"] = [rule(row, await workspaces_of(connection, row.id)) for row in rows]
        return page

    async def retrieve(self, principal: Principal, rule_id: str) -> dict[str, Any]:
        require(principal, "federation:read")
        async with self._store.connect() as connection:
            return await _show(connection, principal.organization_id, rule_id)

    async def create(self, principal: Principal, actor: Actor, params: RuleCreateParams) -> dict[str, Any]:
        """400 for what it refers to and is not there, and for a match that is too wide; 409 for a taken name."""
        require(principal, "federation:write")
        everywhere, workspace_id = params.get("applies_to_all_workspaces", False), params.get("workspace_id")
        if not everywhere and workspace_id is None:
            raise InvalidRequestError("workspace_id: Field required unless applies_to_all_workspaces is true")
        await _check_condition(params["match"])
        async with self._store.change(principal.organization_id, actor) as change:
            await refuse_taken(change, federation_rules, params["name"])
            issuer = await _referred(change, "issuer_id", params["issuer_id"], find_issuer)
            check_match(params["match"], issuer.issuer_url)
            account_id = params["target"]["service_account_id"]
            scope = await _check_scope(change, principal, params["oauth_scope"], account_id)
            rule_id = new_id("fdrl_")
            values = {
                "id": rule_id,
                "organization_id": principal.organization_id,
                "issuer_id": params["issuer_id"],
                "service_account_id": account_id,
                "name": params["name"],
                "description": params.get("description"),
                "match": to_json(dict(params["match"])),
                "oauth_scope": scope,
                "token_lifetime_seconds": params.get("token_lifetime_seconds", DEFAULT_TOKEN_LIFETIME),
                "applies_to_all_workspaces": everywhere,
                **made(change),
            }
            await change.connection.execute(insert(federation_rules).values(values))
            if workspace_id is not None:
                await enable(change, rule_id, workspace_id)
            shown = await _show(change.connection, principal.organization_id, rule_id)
            await change.log("federation_rule_created", "federation_rule", rule_id, after=shown)
        return shown

    async def update(
        self, principal: Principal, actor: Actor, rule_id: str, params: RuleUpdateParams
    ) -> dict[str, Any]:
        """`match` and `target` are replaced as a whole; the issuer stays. 400 for an archived rule."""
        require(principal, "federation:write")
        await _check_condition(params.get("match"))
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_managed(change, principal, rule_id)
            before = await _show(change.connection, principal.organization_id, rule_id)
            values: dict[str, Any] = changed(change)
            if params.get("name") is not None:
                await refuse_taken(change, federation_rules, params.get("name") or "", rule_id)
                values["name"] = params.get("name")
            if "description" in params:
                values["description"] = params["description"] or ""
            match = params.get("match")
            if match is not None:
                issuer = await find_issuer(change.connection, principal.organization_id, row.issuer_id)
                check_match(match, issuer.issuer_url)
                values["match"] = to_json(dict(match))
            target = params.get("target")
            account_id = row.service_account_id if target is None else target["service_account_id"]
            if target is not None or params.get("oauth_scope") is not None:
                scope = params.get("oauth_scope") or row.oauth_scope
                values["oauth_scope"] = await _check_scope(change, principal, scope, account_id)
                values["service_account_id"] = account_id
            if params.get("token_lifetime_seconds") is not None:
                values["token_lifetime_seconds"] = params.get("token_lifetime_seconds")
            values |= await _replace_workspaces(change, rule_id, params)
            where = federation_rules.c.id == rule_id
            await change.connection.execute(update(federation_rules).where(where).values(values))
            after = await _show(change.connection, principal.organization_id, rule_id)
            await change.log("federation_rule_updated", "federation_rule", rule_id, before=before, after=after)
        return after

    async def archive(self, principal: Principal, actor: Actor, rule_id: str) -> dict[str, Any]:
        """Its workspaces are taken from it. Tokens that it gave live on until they expire. Again changes nothing."""
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_managed(change, principal, rule_id, archived_too=True)
            before = await _show(change.connection, principal.organization_id, rule_id)
            if row.archived_at is not None:
                return before
            theirs = federation_rule_workspaces.c.federation_rule_id == rule_id
            await change.connection.execute(delete(federation_rule_workspaces).where(theirs))
            where = federation_rules.c.id == rule_id
            values = {**archived(change), "applies_to_all_workspaces": False}
            await change.connection.execute(update(federation_rules).where(where).values(values))
            after = await _show(change.connection, principal.organization_id, rule_id)
            await change.log("federation_rule_archived", "federation_rule", rule_id, before=before, after=after)
        return after


_RULES = (
    select(
        federation_rules,
        federation_issuers.c.name.label("issuer_name"),
        service_accounts.c.name.label("service_account_name"),
    )
    .join(federation_issuers, federation_issuers.c.id == federation_rules.c.issuer_id)
    .join(service_accounts, service_accounts.c.id == federation_rules.c.service_account_id)
)


async def find_rule(connection: AsyncConnection, organization_id: str, rule_id: str) -> Any:
    """The rule's row, archived or not, with its issuer's and account's names. 404 for any other id."""
    where = (federation_rules.c.id == rule_id) & (federation_rules.c.organization_id == organization_id)
    row = (await connection.execute(_RULES.where(where))).one_or_none()
    if row is None:
        raise NotFoundError("Federation rule not found")
    return row


async def find_managed(change: Change, principal: Principal, rule_id: str, *, archived_too: bool = False) -> Any:
    """The same for who would change it: 403 for a workload if the rule hands out more than it may."""
    require(principal, "federation:write")
    row = await find_rule(change.connection, change.organization_id, rule_id)
    if not set(row.oauth_scope.split()) <= WORKLOAD_SCOPES:
        require(principal, "privileges:grant")
    if row.archived_at is not None and not archived_too:
        raise InvalidRequestError("The federation rule is archived")
    return row


async def workspaces_of(connection: AsyncConnection, rule_id: str) -> list[str]:
    table = federation_rule_workspaces
    query = select(table.c.workspace_id).where(table.c.federation_rule_id == rule_id)
    found = await connection.execute(query.order_by(table.c.created_at, table.c.workspace_id))
    return list(found.scalars().all())


async def enable(change: Change, rule_id: str, workspace_id: str) -> None:
    """400 for a workspace that is archived, or none."""
    where = (workspaces.c.id == workspace_id) & (workspaces.c.organization_id == change.organization_id)
    found = select(workspaces.c.id).where(where, workspaces.c.archived_at.is_(None))
    if (await change.connection.execute(found)).first() is None:
        raise InvalidRequestError("workspace_id: workspace not found")
    values = {
        "federation_rule_id": rule_id,
        "workspace_id": workspace_id,
        "created_at": change.now,
        "created_by_id": change.actor.id,
    }
    await change.connection.execute(insert(federation_rule_workspaces).values(values))


async def _check_condition(match: Match | None) -> None:
    """Before a transaction begins: it takes a while."""
    condition = None if match is None else match.get("condition")
    if condition is not None:
        await check_condition(condition)


async def _show(connection: AsyncConnection, organization_id: str, rule_id: str) -> dict[str, Any]:
    row = await find_rule(connection, organization_id, rule_id)
    return rule(row, await workspaces_of(connection, rule_id))


async def _referred(change: Change, name: str, wanted: str, find: Any) -> Any:
    """What a body refers to: 400 if it is not there, or archived."""
    try:
        row = await find(change.connection, change.organization_id, wanted)
    except NotFoundError as error:
        raise InvalidRequestError(f"{name}: {error.message}") from None
    if row.archived_at is not None:
        raise InvalidRequestError(f"{name}: is archived")
    return row


async def _check_scope(change: Change, principal: Principal, oauth_scope: str, account_id: str) -> str:
    """The scopes, each once. `org:admin` is for accounts that are administrators, and for no workload to give."""
    scopes = list(dict.fromkeys(oauth_scope.split()))
    if not scopes or not set(scopes) <= _SCOPES:
        raise InvalidRequestError(f"oauth_scope: must be made of {', '.join(sorted(_SCOPES))}")
    if not set(scopes) <= WORKLOAD_SCOPES:
        require(principal, "privileges:grant")
    account = await _referred(change, "target.service_account_id", account_id, find_account)
    if "org:admin" in scopes and account.organization_role != "admin":
        raise InvalidRequestError("oauth_scope: org:admin needs a service account whose organization_role is admin")
    return " ".join(scopes)


async def _replace_workspaces(change: Change, rule_id: str, params: RuleUpdateParams) -> dict[str, Any]:
    everywhere, workspace_id = params.get("applies_to_all_workspaces"), params.get("workspace_id")
    enabled = await workspaces_of(change.connection, rule_id)
    if workspace_id is not None:
        if len(enabled) > 1:
            raise InvalidRequestError("workspace_id: the rule is enabled for more than one workspace")
        table = federation_rule_workspaces
        await change.connection.execute(delete(table).where(table.c.federation_rule_id == rule_id))
        await enable(change, rule_id, workspace_id)
    elif everywhere is False and not enabled:
        raise InvalidRequestError("applies_to_all_workspaces: no workspace would be left for the rule")
    return {} if everywhere is None else {"applies_to_all_workspaces": everywhere}
