"""The Message Batches API in process: two workspaces, over a database and a store of its own. Nothing is worked off:
batches end by rows that a test writes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func, select, update

from asgi import Answer, InProcess, Records
from installations import installation
from understudy.batches.batch import results_name
from understudy.batches.config import BatchesConfig
from understudy.batches.endpoints import BatchesEndpoints
from understudy.batches.service import BatchService
from understudy.batches.sweeper import BatchSweeper
from understudy.batches.tables import batch_chunks, message_batches
from understudy.http.envelope import Envelope, limited
from understudy.http.limiting import UNLIMITED, Limits
from understudy.http.principal import Principal, WorkspaceGrant
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database

ORGANIZATION = "00000000-0000-4000-8000-000000000001"
PATH = "/v1/messages/batches"
HOST = "http://api.test:8484"
PARAMS = {"model": "claude-opus-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
NOBODY = "msgbatch_011C3jev6tGXVSnbRQjhmG5t"


class Keys:
    """`a` and `b` are keys of two workspaces of one organization."""

    async def authenticate(self, secret: str, address: str = "", /) -> Principal | None:
        del address
        if secret not in {"a", "b"}:
            return None
        grant = WorkspaceGrant("workspace_user", "us", ("us", "global"))
        return Principal(ORGANIZATION, f"wrkspc_{secret}", f"apikey_{secret}", actor_id="user_x", grant=grant)


@dataclass
class Clock:
    """Seconds since the epoch, plus what a test adds."""

    added: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.added


@dataclass
class BatchesApi(InProcess):
    db: Database
    service: BatchService
    sweeper: BatchSweeper
    clock: Clock
    records: Records
    app: Any = field(repr=False)

    async def ask(
        self,
        method: str,
        path: str = "",
        *,
        key: str = "a",
        body: bytes | Sequence[bytes] = b"",
        query: str = "",
        **headers: str,
    ) -> Answer:
        """`path` is what follows that of batches."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"x-api-key": key, "anthropic-version": "2026-10-21", "host": HOST.removeprefix("http://"), **named}
        return await self.call(method, PATH + path, given, body, query.encode())

    async def send(self, body: Any, **options: Any) -> Answer:
        """POST a body: bytes as they are, or a value as JSON."""
        given = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.ask("POST", body=given, **{"content_type": "application/json", **options})

    async def create(self, *ids: str, **options: Any) -> Any:
        """A new batch's object."""
        answer = await self.send(batch_of(*ids or ("one", "two")), **options)
        assert answer.status == 200, answer.body
        return answer.json()

    async def retrieve(self, batch_id: str, **options: Any) -> Any:
        answer = await self.ask("GET", f"/{batch_id}", **options)
        assert answer.status == 200, answer.body
        return answer.json()

    async def end(self, batch_id: str, results: bytes = b'{"custom_id":"one"}\n', **counts: int) -> None:
        """What whoever works a batch off does at its end."""
        async with self.db.connect() as connection:
            where = message_batches.c.id == batch_id
            workspace_id = (await connection.execute(select(message_batches.c.workspace_id).where(where))).scalar_one()
        name = results_name(workspace_id, batch_id)
        await self.service.blobs.put(name, results)
        async with self.db.begin() as connection:
            values = {"status": "ended", "ended_at": self.clock(), "results_blob": name, **counts}
            await connection.execute(update(message_batches).where(where).values(**values))

    async def stored(self) -> list[str]:
        """Names of all blobs, and of what is not whole."""
        names = [blob.name async for blob in self.service.blobs.list("batches")]
        directory = self.service.blobs.directory
        return names + ([] if directory is None else [str(path) for path in directory.rglob("batches/**/*#*")])

    async def rows(self, table: Any) -> int:
        async with self.db.connect() as connection:
            return (await connection.execute(select(func.count()).select_from(table))).scalar_one()

    async def nothing_is_left(self) -> None:
        assert await self.stored() == []
        assert (await self.rows(message_batches), await self.rows(batch_chunks)) == (0, 0)

    async def lines(self, batch_id: str) -> list[bytes]:
        """The stored requests of a batch of the first workspace."""
        stored = await self.service.blobs.read(f"batches/wrkspc_a/{batch_id}/requests")
        assert stored.endswith(b"\n")
        return stored.split(b"\n")[:-1]


@asynccontextmanager
async def batches_api(
    data_dir: Path, blobs: str | None = None, *, limits: Limits = UNLIMITED, **config: Any
) -> AsyncGenerator[BatchesApi]:
    """`config`: of BatchesConfig."""
    async with installation(data_dir) as (db, _):
        clock = Clock()
        service = BatchService(db, Blobs(blobs, data_dir), BatchesConfig(**config), clock=clock)

        async def nothing() -> None:
            pass

        records = Records()
        app = Envelope(
            api_routes=limited("batch", BatchesEndpoints(service).routes()),
            other_routes=[],
            authenticator=Keys(),
            request_log=records,
            start=nothing,
            stop=nothing,
            limits=limits,
        )
        yield BatchesApi(db, service, BatchSweeper(db, service), clock, records, app)


def batch_of(*ids: str) -> Any:
    return {"requests": [{"custom_id": custom_id, "params": PARAMS} for custom_id in ids]}


def error_of(answer: Answer) -> tuple[int, str, str]:
    """Status, type and message of an error."""
    error = answer.json()["error"]
    return answer.status, error["type"], error["message"]
