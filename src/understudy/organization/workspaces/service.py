"""What may be done with workspaces. Rules: the guide on workspaces (2026-08) and the official SDK 2.12.0."""

from __future__ import annotations

import uuid
from typing import Any, Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.pages import Order, id_page
from understudy.organization.roles import require, workspaces_with
from understudy.organization.rows import find_row, write_row
from understudy.organization.store import Actor, Change, Store, from_json, to_json
from understudy.organization.tables import api_keys, workspaces
from understudy.organization.workspaces.shapes import (
    WorkspaceCreateParams,
    WorkspaceListParams,
    WorkspaceUpdateParams,
    workspace,
)
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.ids import new_id

# A new workspace's colour, in turn; the first is the one that documentation shows [guess: how the real one chooses].
_COLORS: Final = ("#6C5BB9", "#2F7D6B", "#B9785B", "#3F6FB5", "#A8457A", "#7A8B2E")
_UNKNOWN: Final = "Workspace not found"


class Workspaces:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, principal: Principal, params: WorkspaceListParams) -> dict[str, Any]:
        """A page, newest first: those that the caller may read."""
        query = select(workspaces)
        if not params.get("include_archived", False):
            query = query.where(workspaces.c.archived_at.is_(None))
        if not params.get("include_default", False):
            query = query.where(~workspaces.c.is_default)
        if "ids[]" in params:
            query = query.where(workspaces.c.id.in_(params["ids[]"]))
        visible = workspaces_with(principal, "workspaces:read")
        within = workspaces.c.organization_id == principal.organization_id
        if visible is not None:
            within = within & workspaces.c.id.in_(visible)
        async with self._store.connect() as connection:
            return await id_page(
                connection,
                query,
                params,
                order=Order(workspaces.c.created_at, workspaces.c.id),
                within=within,
                render=workspace,
            )

    async def retrieve(self, principal: Principal, workspace_id: str) -> dict[str, Any]:
        async with self._store.connect() as connection:
            return workspace(await find_visible(connection, principal, workspace_id))

    async def create(self, principal: Principal, actor: Actor, params: WorkspaceCreateParams) -> dict[str, Any]:
        """400 for one too many, and for keys or profiles that are not kept here."""
        require(principal, "workspaces:write")
        _refuse_unkept(params)
        residency = params.get("data_residency") or {}
        allowed = residency.get("allowed_inference_geos")
        default = residency.get("default_inference_geo") or "global"
        allowed = None if allowed == "unrestricted" else allowed
        _check_geos(allowed, default)
        async with self._store.change(principal.organization_id, actor) as change:
            active = await _count_active(change.connection, principal.organization_id)
            most = change.most.workspaces
            if active >= most:
                raise InvalidRequestError(f"The organization already has {most} active workspaces, the maximum.")
            values: dict[str, Any] = {
                "id": new_id("wrkspc_"),
                "organization_id": principal.organization_id,
                "name": params["name"],
                "is_default": False,
                "created_at": change.now,
                "display_color": params.get("display_color") or _COLORS[active % len(_COLORS)],
                "compartment_id": str(uuid.uuid4()),
                "workspace_geo": residency.get("workspace_geo") or "us",
                "allowed_inference_geos": to_json(allowed),
                "default_inference_geo": default,
                "tags": to_json(params.get("tags") or {}),
            }
            await change.connection.execute(insert(workspaces).values(values))
            made = workspace(await _find(change.connection, principal.organization_id, values["id"]))
            await change.log("workspace_created", "workspace", made["id"], after=made)
        return made

    async def update(
        self, principal: Principal, actor: Actor, workspace_id: str, params: WorkspaceUpdateParams
    ) -> dict[str, Any]:
        """Tags are merged, and one that is null taken away. The default workspace keeps its name."""
        _refuse_unkept(params)
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_visible(change.connection, principal, workspace_id)
            require(principal, "workspaces:write", workspace_id)
            refuse_archived(row)
            if row.is_default and params.get("name", row.name) != row.name:
                raise InvalidRequestError("The default workspace cannot be renamed")
            values: dict[str, Any] = {}
            if "name" in params:
                values["name"] = params["name"]
            if "display_color" in params:
                values["display_color"] = params["display_color"]
            tags = params.get("tags")
            if tags is not None:
                merged = {**from_json(row.tags), **tags}
                values["tags"] = to_json({key: value for key, value in merged.items() if value is not None})
            values |= _residency(row, params)
            return await _write(change, row, values, "workspace_updated")

    async def archive(self, principal: Principal, actor: Actor, workspace_id: str) -> dict[str, Any]:
        """For ever. All keys of the workspace are archived with it. Again changes nothing."""
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_visible(change.connection, principal, workspace_id)
            require(principal, "workspaces:write")
            if row.is_default:
                raise InvalidRequestError("The default workspace cannot be archived")
            if row.archived_at is not None:
                return workspace(row)
            its_keys = (api_keys.c.workspace_id == workspace_id) & (api_keys.c.status != "archived")
            values = {"status": "archived", "revision": change.revision}
            await change.connection.execute(update(api_keys).where(its_keys).values(values))
            return await _write(change, row, {"archived_at": change.now}, "workspace_archived")


async def find_visible(connection: AsyncConnection, principal: Principal, workspace_id: str) -> Any:
    """The workspace's row. 404 for one that the caller may not read, as for one that there is not."""
    row = await _find(connection, principal.organization_id, workspace_id)
    visible = workspaces_with(principal, "workspaces:read")
    if visible is not None and row.id not in visible:
        raise NotFoundError(_UNKNOWN)
    return row


def refuse_archived(row: Any) -> None:
    if row.archived_at is not None:
        raise InvalidRequestError("The workspace is archived")


async def _find(connection: AsyncConnection, organization_id: str, workspace_id: str) -> Any:
    return await find_row(connection, workspaces, organization_id, workspace_id, "Workspace")


async def _count_active(connection: AsyncConnection, organization_id: str) -> int:
    # The default workspace counts as one of the hundred [guess].
    where = (workspaces.c.organization_id == organization_id) & workspaces.c.archived_at.is_(None)
    return (await connection.execute(select(func.count()).select_from(workspaces).where(where))).scalar_one()


async def _write(change: Change, row: Any, values: dict[str, Any], action: str) -> dict[str, Any]:
    return await write_row(change, workspaces, row, values, workspace, action) if values else workspace(row)


def _residency(row: Any, params: WorkspaceUpdateParams) -> dict[str, Any]:
    given = params.get("data_residency") or {}
    allowed: list[str] | None = from_json(row.allowed_inference_geos)
    wanted = given.get("allowed_inference_geos")
    if wanted is not None:
        allowed = None if wanted == "unrestricted" else list(wanted)
    default = given.get("default_inference_geo") or row.default_inference_geo
    _check_geos(allowed, default)
    changed = {"allowed_inference_geos": to_json(allowed), "default_inference_geo": default}
    return changed if given else {}


def _check_geos(allowed: list[Any] | None, default: str) -> None:
    if allowed is not None and default not in allowed:
        raise InvalidRequestError(
            "data_residency.default_inference_geo: must be a member of allowed_inference_geos unless that is "
            '"unrestricted"'
        )


def _refuse_unkept(params: WorkspaceCreateParams | WorkspaceUpdateParams) -> None:
    # What the real service says to an organization without either [guess].
    if params.get("external_key_id") is not None:
        raise InvalidRequestError("external_key_id: customer-managed encryption keys are not enabled")
    if params.get("user_profile_id") is not None:
        raise InvalidRequestError("user_profile_id: user profile not found")
