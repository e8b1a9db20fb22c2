"""Batches put straight into the database and the blobs, as the route that makes them does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import insert

from understudy.batches.batch import requests_name
from understudy.batches.caller import caller_text
from understudy.batches.tables import batch_chunks, message_batches
from understudy.http.principal import Principal
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.wire.ids import new_id

ORGANIZATION = "6f0c9a52-6d1c-4f5e-9d43-0d9a8f3b7c11"
WORKSPACE = "wrkspc_01aaaaaaaaaaaaaaaaaaaaaa"
CHUNK = 100


def caller(workspace: str = WORKSPACE) -> Principal:
    return Principal(ORGANIZATION, workspace, "apikey_01aaaaaaaaaaaaaaaaaaaaaa")


def asking(text: str = "Hello", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-4-5", "max_tokens": 32, "messages": messages, **more}


async def make_batch(
    db: Database,
    blobs: Blobs,
    params: Sequence[dict[str, Any]],
    *,
    now: float,
    principal: Principal | None = None,
    version: str = "2023-06-01",
    betas: Sequence[str] = (),
    within: float = 86_400.0,
    chunk: int = CHUNK,
) -> str:
    """The id of a batch whose custom ids are `r0`, `r1` …"""
    principal = caller() if principal is None else principal
    workspace = principal.workspace_id or ""
    batch_id = new_id("msgbatch_")
    lines = [b'{"custom_id":"r%d","params":%s}\n' % (place, orjson.dumps(one)) for place, one in enumerate(params)]
    name = requests_name(workspace, batch_id)
    await blobs.put(name, b"".join(lines))
    rows: list[dict[str, Any]] = []
    offset = 0
    for number, first in enumerate(range(0, len(lines), chunk)):
        length = sum(map(len, lines[first : first + chunk]))
        rows.append(
            {
                "batch_id": batch_id,
                "number": number,
                "workspace_id": workspace,
                "first": first,
                "count": len(lines[first : first + chunk]),
                "offset": offset,
                "length": length,
            }
        )
        offset += length
    async with db.begin() as connection:
        await connection.execute(
            insert(message_batches).values(
                id=batch_id,
                organization_id=principal.organization_id,
                workspace_id=workspace,
                api_key_id=principal.api_key_id,
                caller=caller_text(principal),
                anthropic_version=version,
                betas=orjson.dumps(list(betas)).decode(),
                status="in_progress",
                total=len(lines),
                created_at=now,
                expires_at=now + within,
                requests_blob=name,
            )
        )
        await connection.execute(insert(batch_chunks), rows)
    return batch_id
