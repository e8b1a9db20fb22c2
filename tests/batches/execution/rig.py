"""A runner over a real database and real blobs, with an engine of the test's and a clock that it sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func, select, update

from asgi import SIGNING_KEYS
from installations import installation
from understudy.batches.batch import results_name
from understudy.batches.config import RunnerConfig
from understudy.batches.leases import Leases
from understudy.batches.runner import Runner
from understudy.batches.tables import batch_chunks, batch_results, message_batches
from understudy.engines.engine import EngineEvent, EngineTurn, Stop, TextDelta
from understudy.engines.routing import Routing
from understudy.http.limiting import UNLIMITED, Limits
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.forwarding import Forwarding
from understudy.messages.preparation import Preparation
from understudy.messages.signatures import Signer
from understudy.settings import HttpSettings, LoggingSettings, StreamSettings, UsageSettings
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.usage.metrics import Metrics
from understudy.usage.recorder import Recorder

from .making import WORKSPACE, make_batch

START = 1_790_000_000.0


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


async def _at_once(text: str) -> str:
    return "Answer to " + text


@dataclass
class ScriptedEngine:
    """Answers each prompt with what `answer` makes of its text; what that raises, it raises."""

    answer: Callable[[str], Awaitable[str]] = _at_once
    name: str = "scripted"
    asked: list[str] = field(default_factory=list[str])
    at_once: int = 0
    most_at_once: int = 0

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        text: str = turn.request["messages"][-1]["content"]
        self.asked.append(text)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = await self.answer(text)
        finally:
            self.at_once -= 1
        yield [TextDelta(answer, 3), Stop("end_turn", 3)]


QUICK = RunnerConfig(poll_interval=0.02, retry_delay=1.0, longest_retry_delay=60.0, drain=1.0)


@dataclass
class Served:
    under_way: int = 0
    begun: int = 0


class Rig:
    def __init__(self, db: Database, directory: Path, routing: Routing, clock: Clock, limits: Limits) -> None:
        self.db = db
        self.clock = clock
        self.blobs = Blobs(None, directory)
        self.metrics = Metrics(routing.names())
        self.recorder = Recorder(db, UsageSettings(), LoggingSettings(requests=False), self.metrics)
        self.leases = Leases(db)
        signer = Signer(SIGNING_KEYS)
        preparation = Preparation(signer, pdfs=None, fetcher=None, clock=clock)
        forwarding = Forwarding(signer, 10.0)
        self.endpoints = MessagesEndpoints(routing, preparation, HttpSettings(), StreamSettings(), forwarding, limits)
        self.traffic = Served()
        self.runners: list[Runner] = []

    def runner(self, config: RunnerConfig = QUICK) -> Runner:
        runner = Runner(
            self.db,
            self.blobs,
            self.leases,
            self.endpoints,
            self.recorder,
            config,
            clock=self.clock,
            traffic=self.traffic,
            observer=self.metrics,
        )
        runner.start()
        self.runners.append(runner)
        return runner

    async def make(self, params: list[dict[str, Any]], **more: Any) -> str:
        batch_id = await make_batch(self.db, self.blobs, params, now=self.clock(), **more)
        for runner in self.runners:
            runner.wake()
        return batch_id

    async def row(self, batch_id: str) -> dict[str, Any]:
        async with self.db.connect() as connection:
            query = select(message_batches).where(message_batches.c.id == batch_id)
            return dict((await connection.execute(query)).mappings().one())

    async def counts(self, batch_id: str) -> dict[str, int]:
        row = await self.row(batch_id)
        return {name: row[name] for name in ("succeeded", "errored", "canceled", "expired") if row[name]}

    async def ended(self, batch_id: str, timeout: float = 20.0) -> list[dict[str, Any]]:
        """The lines of the results, once they are there."""
        async with asyncio.timeout(timeout):
            while (await self.row(batch_id))["status"] != "ended":
                await asyncio.sleep(0.01)
        row = await self.row(batch_id)
        name: str = row["results_blob"]
        assert name.startswith(results_name(row["workspace_id"], batch_id))
        lines = [orjson.loads(line) for line in (await self.blobs.read(name)).splitlines()]
        assert [line["custom_id"] for line in lines] == [f"r{place}" for place in range(row["total"])]
        told = [line["result"]["type"] for line in lines]
        assert {kind: told.count(kind) for kind in set(told)} == await self.counts(batch_id)
        return lines

    async def cancel(self, batch_id: str) -> None:
        async with self.db.begin() as connection:
            await connection.execute(
                update(message_batches)
                .where(message_batches.c.id == batch_id, message_batches.c.status == "in_progress")
                .values(status="canceling", cancel_initiated_at=self.clock())
            )

    async def waits_until(self, batch_id: str, attempt: int) -> float:
        """When the only chunk of a batch may be claimed again, once so many attempts were made."""
        chunk = batch_chunks.c
        query = select(chunk.not_before).where(
            chunk.batch_id == batch_id, chunk.state == 0, chunk.attempt == attempt, chunk.not_before > 0
        )
        async with asyncio.timeout(10):
            while True:
                async with self.db.connect() as connection:
                    found = (await connection.execute(query)).scalar()
                if found is not None:
                    return found
                await asyncio.sleep(0.005)

    async def left(self) -> tuple[int, int]:
        """How many rows of results and of chunks there are."""
        async with self.db.connect() as connection:
            results = (await connection.execute(select(func.count()).select_from(batch_results))).scalar_one()
            chunks = (await connection.execute(select(func.count()).select_from(batch_chunks))).scalar_one()
            return results, chunks

    async def until(self, what: Callable[[], bool], timeout: float = 10.0) -> None:
        async with asyncio.timeout(timeout):
            while not what():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def rig(
    directory: Path, engine: ScriptedEngine | Routing | None = None, limits: Limits = UNLIMITED
) -> AsyncGenerator[Rig]:
    routing = engine if isinstance(engine, Routing) else Routing(engine or ScriptedEngine())
    async with installation(directory) as (db, _):
        made = Rig(db, directory, routing, Clock(), limits)
        await made.recorder.start()
        try:
            yield made
        finally:
            for runner in made.runners:
                await runner.stop()
            await made.recorder.stop()


__all__ = ["QUICK", "START", "WORKSPACE", "Clock", "Rig", "ScriptedEngine", "rig"]
