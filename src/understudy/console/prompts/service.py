"""Saved prompts. Each belongs to a workspace, and is everybody's who may develop there; to others it is not there.

Versions are numbered from 1 and never changed. Making, renaming and deleting a prompt, and making a version, are
audited; what people try out, test cases and results, is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.console.prompts.shapes import (
    CreateParams,
    ListParams,
    VersionParams,
    listed_version,
    prompt,
    prompt_version,
)
from understudy.console.tables import console_evaluations, console_prompt_versions, console_prompts
from understudy.http.principal import Owner, Principal
from understudy.http.row_pages import Order
from understudy.organization.pages import CursorParams, Cursors, cursor_page
from understudy.organization.store import Actor, Change, Store, from_json, to_json
from understudy.storage.insert import insert_ignoring
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.ids import new_id

MOST_PROMPTS: Final = 1_000
"""Of a workspace."""

MOST_VERSIONS: Final = 500
"""Of a prompt."""

Part = Literal["test_cases", "results"]

_BY_TIME: Final = Order(console_prompts.c.created_at, console_prompts.c.id)
_BY_NUMBER: Final = Order(console_prompt_versions.c.version, console_prompt_versions.c.prompt_id)
_LISTED: Final = [console_prompt_versions.c[name] for name in ("prompt_id", "version", "created_at", "created_by")]


class Prompts:
    def __init__(self, store: Store, cursors: Cursors) -> None:
        self._store = store
        self._cursors = cursors

    async def list(self, principal: Principal, params: ListParams) -> dict[str, Any]:
        """A page of the caller's workspace, newest first."""
        workspace_id = Owner.of(principal).workspace_id
        async with self._store.connect() as connection:
            page = await cursor_page(
                connection,
                select(console_prompts).where(console_prompts.c.workspace_id == workspace_id),
                params,
                self._cursors,
                order=_BY_TIME,
                bound=["prompts", workspace_id],
                render=prompt,
            )
        return _with_more(page)

    async def create(self, principal: Principal, actor: Actor, params: CreateParams) -> dict[str, Any]:
        """In the caller's workspace. 400 for one too many."""
        workspace_id = Owner.of(principal).workspace_id
        of = console_prompts.c
        async with self._store.change(principal.organization_id, actor) as change:
            count = select(func.count()).select_from(console_prompts).where(of.workspace_id == workspace_id)
            if (await change.connection.execute(count)).scalar_one() >= MOST_PROMPTS:
                raise InvalidRequestError(f"A workspace has at most {MOST_PROMPTS} prompts")
            values = {
                "id": new_id("prompt_"),
                "organization_id": principal.organization_id,
                "workspace_id": workspace_id,
                "name": params["name"],
                "created_at": change.now,
                "updated_at": change.now,
                "created_by": principal.actor_id,
                "latest_version": 0,
            }
            await change.connection.execute(insert(console_prompts).values(values))
            row = await _find(change.connection, principal, str(values["id"]))
            if "request" in params:
                variables = params.get("variables", {})
                await _add_version(change, principal, row, {"request": params["request"], "variables": variables})
                row = await _find(change.connection, principal, row.id)
            made = prompt(row)
            await change.log("prompt_created", "prompt", row.id, after=made)
        return made

    async def retrieve(self, principal: Principal, prompt_id: str) -> dict[str, Any]:
        async with self._store.connect() as connection:
            return prompt(await _find(connection, principal, prompt_id))

    async def rename(self, principal: Principal, actor: Actor, prompt_id: str, name: str) -> dict[str, Any]:
        async with self._store.change(principal.organization_id, actor) as change:
            before = prompt(await _find(change.connection, principal, prompt_id))
            values = {"name": name, "updated_at": change.now}
            this = console_prompts.c.id == prompt_id
            await change.connection.execute(update(console_prompts).where(this).values(values))
            after = prompt(await _find(change.connection, principal, prompt_id))
            await change.log("prompt_updated", "prompt", prompt_id, before=before, after=after)
        return after

    async def delete(self, principal: Principal, actor: Actor, prompt_id: str) -> dict[str, Any]:
        """With its versions, test cases and results."""
        async with self._store.change(principal.organization_id, actor) as change:
            before = prompt(await _find(change.connection, principal, prompt_id))
            # The prompt first, as whoever writes what belongs to it takes hold of it first: the rest goes with it.
            await change.connection.execute(delete(console_prompts).where(console_prompts.c.id == prompt_id))
            await change.log("prompt_deleted", "prompt", prompt_id, before=before)
        return {"id": prompt_id, "type": "prompt_deleted"}

    async def versions(self, principal: Principal, prompt_id: str, params: CursorParams) -> dict[str, Any]:
        """A page, newest first, without their requests."""
        async with self._store.connect() as connection:
            await _find(connection, principal, prompt_id)
            page = await cursor_page(
                connection,
                select(*_LISTED).where(console_prompt_versions.c.prompt_id == prompt_id),
                params,
                self._cursors,
                order=_BY_NUMBER,
                bound=["prompt versions", prompt_id],
                render=listed_version,
            )
        return _with_more(page)

    async def version(self, principal: Principal, prompt_id: str, number: str) -> dict[str, Any]:
        """One version; `latest` is a number too."""
        async with self._store.connect() as connection:
            found = await _find(connection, principal, prompt_id)
            wanted = found.latest_version if number == "latest" else _number(number)
            return prompt_version(await _version(connection, prompt_id, wanted))

    async def add_version(
        self, principal: Principal, actor: Actor, prompt_id: str, params: VersionParams
    ) -> dict[str, Any]:
        """400 for one too many."""
        async with self._store.change(principal.organization_id, actor) as change:
            row = await _find(change.connection, principal, prompt_id)
            made = await _add_version(change, principal, row, params)
            after = {"prompt_id": prompt_id, "version": made["version"]}
            await change.log("prompt_version_created", "prompt", prompt_id, after=after)
        return made

    async def evaluation(self, principal: Principal, prompt_id: str, part: Part) -> dict[str, Any]:
        """The test cases, or the results of the last evaluation."""
        async with self._store.connect() as connection:
            await _find(connection, principal, prompt_id)
            query = select(console_evaluations).where(console_evaluations.c.prompt_id == prompt_id)
            row = (await connection.execute(query)).one_or_none()
        return {"data": [] if row is None else from_json(getattr(row, part)), "has_more": False, "next_page": None}

    async def set_evaluation(
        self, principal: Principal, prompt_id: str, part: Part, given: list[Any]
    ) -> dict[str, Any]:
        """Instead of those before."""
        nothing = {"prompt_id": prompt_id, "test_cases": "[]", "results": "[]", "updated_at": self._store.clock()}
        async with self._store.db.begin() as connection:
            # Held, so that it is not deleted meanwhile.
            await _find(connection, principal, prompt_id, held=True)
            there = insert_ignoring(self._store.db, console_evaluations, ["prompt_id"]).values(nothing)
            await connection.execute(there)
            values = {part: to_json(given), "updated_at": nothing["updated_at"]}
            this = console_evaluations.c.prompt_id == prompt_id
            await connection.execute(update(console_evaluations).where(this).values(values))
        return {"data": given, "has_more": False, "next_page": None}


async def _find(connection: AsyncConnection, principal: Principal, prompt_id: str, *, held: bool = False) -> Any:
    """The row of a prompt in one of the caller's workspaces. 404 for any other id."""
    query = select(console_prompts).where(
        console_prompts.c.id == prompt_id, console_prompts.c.organization_id == principal.organization_id
    )
    if held:
        query = query.with_for_update(key_share=True, read=True)
    row = (await connection.execute(query)).one_or_none()
    if row is None or row.workspace_id not in (principal.workspaces or ()):
        raise NotFoundError("Prompt not found")
    return row


async def _version(connection: AsyncConnection, prompt_id: str, number: int) -> Any:
    of = console_prompt_versions.c
    query = select(console_prompt_versions).where(of.prompt_id == prompt_id, of.version == number)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError("Version not found")
    return row


async def _add_version(change: Change, principal: Principal, row: Any, params: VersionParams) -> dict[str, Any]:
    number = row.latest_version + 1
    if number > MOST_VERSIONS:
        raise InvalidRequestError(f"A prompt has at most {MOST_VERSIONS} versions")
    values: Mapping[str, Any] = {
        "prompt_id": row.id,
        "version": number,
        "created_at": change.now,
        "created_by": principal.actor_id,
        "request": to_json(params["request"]),
        "variables": to_json(params.get("variables", {})),
    }
    await change.connection.execute(insert(console_prompt_versions).values(values))
    latest = {"latest_version": number, "updated_at": change.now}
    await change.connection.execute(update(console_prompts).where(console_prompts.c.id == row.id).values(latest))
    return prompt_version(await _version(change.connection, row.id, number))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise NotFoundError("Version not found")
    return int(text)


def _with_more(page: dict[str, Any]) -> dict[str, Any]:
    return {"data": page["data"], "has_more": page["next_page"] is not None, "next_page": page["next_page"]}
