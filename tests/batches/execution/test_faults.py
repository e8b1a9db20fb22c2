"""What must not stop the others: one batch, one engine, one client, or a database that goes away for a while."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from installations import query
from understudy.batches.finishing import Finisher
from understudy.batches.leases import OpenBatch
from understudy.engines.routing import Backend, Mapped, MappedTarget, Routing, Slots
from understudy.storage.blobs import BlobsError
from understudy.wire.errors import InternalError, OverloadedError

from .making import asking, caller
from .rig import QUICK, Rig, ScriptedEngine, rig


class Outage:
    """On PostgreSQL nobody may connect, and who has is thrown out. On SQLite the file cannot be opened any more."""

    def __init__(self, made: Rig) -> None:
        self._url = made.db.engine.url
        self._name = str(self._url.database)

    async def _ask(self, *statements: str) -> None:
        url = self._url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def begin(self) -> None:
        await self._ask(
            f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'",
        )

    async def end(self) -> None:
        await self._ask(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")


@pytest.mark.each_database
async def test_a_database_that_goes_away_while_a_batch_runs_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(text: str) -> str:
        await asyncio.sleep(0.02)
        return text

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking(f"number {place}") for place in range(600)])
        made.runner(replace(QUICK, concurrency=20))
        await made.until(lambda: len(engine.asked) > 150)
        if made.db.dialect == "postgresql":
            outage = Outage(made)
            await outage.begin()
            await asyncio.sleep(0.8)
            await outage.end()
        else:
            with monkeypatch.context() as patch:

                def away() -> None:
                    raise OSError("away")

                patch.setattr(made.db, "begin", away)
                patch.setattr(made.db, "connect", away)
                await asyncio.sleep(0.8)
        # What was answered meanwhile is not asked for again.
        lines = await made.ended(batch_id)
        assert await made.counts(batch_id) == {"succeeded": 600}
        assert [line["result"]["message"]["content"][0]["text"] for line in lines][::100] == [
            f"number {place}" for place in range(0, 600, 100)
        ]
        assert len(engine.asked) == 600
    rows = query(tmp_path, 'SELECT count(*), count(DISTINCT request_id) FROM "usage"')
    assert rows == [(600, 600)]


async def test_an_engine_without_a_place_keeps_no_batch_of_another_engine_waiting(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def answer(text: str) -> str:
        await gate.wait()
        return text

    stuck, quick = ScriptedEngine(answer), ScriptedEngine()
    backends = {"stuck": Backend(stuck, slots=Slots(2)), "quick": Backend(quick)}
    mapped = [
        Mapped("claude-haiku-4-5", (MappedTarget("stuck", "model"),)),
        Mapped("claude-opus-5-5", (MappedTarget("quick", "model"),)),
    ]
    async with rig(tmp_path, Routing(None, mapped=mapped, backends=backends)) as made:
        slow = await made.make([asking()] * 2_000, principal=caller("wrkspc_slow"))
        made.runner(replace(QUICK, concurrency=10))
        await made.until(lambda: stuck.at_once == 1)
        await asyncio.sleep(0.2)
        fast = await made.make([asking(model="claude-opus-5-5")] * 300, principal=caller("wrkspc_fast"))
        await made.ended(fast)
        await made.cancel(slow)
        gate.set()
        await made.ended(slow)


async def test_a_batch_whose_results_cannot_be_written_keeps_no_other_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[str] = []
    finish = Finisher.finish

    async def breaking(self: Finisher, batch_id: str) -> object:
        if batch_id in broken:
            raise BlobsError("gone")
        return await finish(self, batch_id)

    monkeypatch.setattr(Finisher, "finish", breaking)
    async with rig(tmp_path) as made:
        broken.append(await made.make([asking()]))
        others = [await made.make([asking()]) for _ in range(3)]
        made.runner()
        for batch_id in others:
            await made.ended(batch_id)
        assert (await made.row(broken[0]))["status"] == "in_progress"
        ids, broken[:] = list(broken), []
        await made.ended(ids[0])


async def test_more_batches_than_are_looked_at_together_all_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.batches.leases._MOST_ENDING", 3)
    engine = ScriptedEngine()
    async with rig(tmp_path, engine) as made:
        ids = [await made.make([asking()], principal=caller(f"wrkspc_{number % 5}")) for number in range(40)]
        made.runner(replace(QUICK, concurrency=5))
        for batch_id in ids:
            await made.ended(batch_id)
    # None was taken away from who worked on it.
    assert len(engine.asked) == 40


async def test_requests_of_a_dead_model_keep_no_others_of_their_chunk_waiting(tmp_path: Path) -> None:
    async def dead(text: str) -> str:
        raise OverloadedError

    dying, alive = ScriptedEngine(dead), ScriptedEngine()
    backends = {"dying": Backend(dying), "alive": Backend(alive)}
    mapped = [
        Mapped("claude-haiku-4-5", (MappedTarget("dying", "model"),)),
        Mapped("claude-opus-5-5", (MappedTarget("alive", "model"),)),
    ]
    async with rig(tmp_path, Routing(None, mapped=mapped, backends=backends)) as made:
        await made.make([*[asking()] * 80, *[asking(model="claude-opus-5-5")] * 20])
        made.runner(replace(QUICK, concurrency=5))
        async with asyncio.timeout(10):
            while len(alive.asked) < 20:
                made.clock.now += 20
                await asyncio.sleep(0.02)


async def test_what_waited_long_for_a_busy_engine_is_not_given_up_when_it_breaks_once(tmp_path: Path) -> None:
    failures: list[type[OverloadedError | InternalError]] = [InternalError, *[OverloadedError] * 10]

    async def answer(text: str) -> str:
        if failures:
            raise failures.pop()
        return text

    async with rig(tmp_path, ScriptedEngine(answer)) as made:
        batch_id = await made.make([asking()])
        made.runner()
        async with asyncio.timeout(20):
            while (await made.row(batch_id))["status"] != "ended":
                made.clock.now += 61
                await asyncio.sleep(0.02)
        assert await made.counts(batch_id) == {"succeeded": 1}


async def test_few_results_are_held_while_they_are_written_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.batches.finishing._BYTES_OF_A_PAGE", 50_000)
    held: list[int] = []
    page = Finisher._page

    async def weighed(self: Finisher, batch_id: str, start: int) -> list[object]:
        found = await page(self, batch_id, start)
        held.append(sum(len(row.line) for row in found))
        return list(found)

    async def answer(text: str) -> str:
        return text * (1 if int(text) < 50 else 10_000)

    monkeypatch.setattr(Finisher, "_page", weighed)
    async with rig(tmp_path, ScriptedEngine(answer)) as made:
        batch_id = await made.make([asking(str(10 + place)) for place in range(100)])
        made.runner()
        await made.ended(batch_id)
    assert max(held) <= 50_000


async def test_no_requests_are_begun_while_many_results_are_unwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.batches.runner._MOST_UNWRITTEN", 40_000)

    async def answer(text: str) -> str:
        return "x" * 5_000

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking()] * 100)
        runner = made.runner(replace(QUICK, concurrency=4))
        write = runner._writing._recording.write
        let_go = asyncio.Event()

        async def stalls(*given: object) -> object:
            await let_go.wait()
            return await write(*given)  # type: ignore[arg-type]

        runner._writing._recording.write = stalls  # type: ignore[method-assign,assignment]
        await asyncio.sleep(0.4)
        assert 8 <= len(engine.asked) <= 13
        let_go.set()
        await made.ended(batch_id)


async def test_a_runner_without_batches_asks_nothing_until_it_is_woken(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        asked = 0
        ending = made.leases.ending

        async def counted(now: float) -> list[OpenBatch]:
            nonlocal asked
            asked += 1
            return await ending(now)

        made.leases.ending = counted  # type: ignore[method-assign]
        runner = made.runner()
        await made.until(lambda: runner.is_idle)
        await asyncio.sleep(0.1)
        assert asked == 0
        await made.ended(await made.make([asking()]))
        await made.until(lambda: runner.is_idle)
        # Nor is anything remembered.
        assert runner._claiming._known == {}
        before = asked
        await asyncio.sleep(0.1)
        assert asked == before


def test_a_server_without_batches_loads_nothing_that_works_them_off() -> None:
    script = (
        "import sys, understudy.app.application\n"
        "print([name for name in sys.modules if name.startswith(('understudy.batches.', 'sqlalchemy.dialects.post'))])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "batches.service" in told
    for name in ("runner", "leases", "finishing", "requests", "splitting", "dialects.postgresql"):
        assert name not in told, name
