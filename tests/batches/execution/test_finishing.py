"""The end of a batch, broken off wherever it can be: what comes after makes of it what would have been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from installations import query
from understudy.batches.finishing import Finisher
from understudy.batches.tables import batch_chunks, batch_results, message_batches

from .making import asking
from .rig import Rig, rig


async def worked_off(made: Rig, results: int, total: int) -> str:
    """A batch whose chunks are done, with so many results, every third of which is an error."""
    batch_id = await made.make([asking()] * total)
    rows = [
        {
            "batch_id": batch_id,
            "index": place,
            "kind": "errored" if place % 3 == 0 else "succeeded",
            "line": b'{"custom_id":"r%d","result":{"type":"%s"}}'
            % (place, b"errored" if place % 3 == 0 else b"succeeded"),
        }
        for place in range(results)
    ]
    async with made.db.begin() as connection:
        await connection.execute(batch_results.insert(), rows)
        await connection.execute(update(batch_chunks).values(state=2))
    return batch_id


class Broken(Exception):
    pass


class BreakingFinisher(Finisher):
    """Breaks off before the `step`th of what it does to the database or to the blob."""

    step = 0

    def _count(self) -> None:
        self.step -= 1
        if self.step == 0:
            raise Broken

    async def _take(self, batch_id: str) -> Any:
        self._count()
        found = await super()._take(batch_id)
        self._count()
        return found

    async def _page(self, batch_id: str, start: int) -> Any:
        self._count()
        return await super()._page(batch_id, start)

    async def _clear(self, batch_id: str) -> None:
        self._count()
        await super()._clear(batch_id)


@pytest.mark.each_database
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
async def test_an_end_that_breaks_off_is_made_again_by_another(tmp_path: Path, step: int) -> None:
    async with rig(tmp_path) as made:
        batch_id = await worked_off(made, 1_200, 1_200)
        first = BreakingFinisher(made.db, made.blobs, made.clock, "first", 30.0)
        first.step = step
        with pytest.raises(Broken):
            await first.finish(batch_id)
        second = Finisher(made.db, made.blobs, made.clock, "second", 30.0)
        row = await made.row(batch_id)
        if row["status"] != "ended":
            if row["finisher"] is not None:
                assert await second.finish(batch_id) is None
            made.clock.now += 31
            ended = await second.finish(batch_id)
            assert ended is not None
            assert (ended.succeeded, ended.errored) == (800, 400)
        lines = await made.ended(batch_id)
        assert len(lines) == 1_200
        await second.clear_leftovers()
        assert await made.left() == (0, 0)


async def test_whose_lease_on_the_end_has_run_out_ends_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        batch_id = await worked_off(made, 10, 10)
        first, second = (Finisher(made.db, made.blobs, made.clock, name, 30.0) for name in ("first", "second"))
        late: list[object] = []

        page = first._page

        async def stalls(batch: str, start: int) -> Any:
            made.clock.now += 31
            late.append(await second.finish(batch_id))
            return await page(batch, start)

        first._page = stalls  # type: ignore[method-assign]
        assert await first.finish(batch_id) is None
        assert late[0] is not None
        await made.ended(batch_id)
        # What the first one wrote is gone.
        assert len([blob async for blob in made.blobs.list("batches")]) == 2


@pytest.mark.parametrize(("status", "kind"), [("canceling", "canceled"), ("in_progress", "expired")])
async def test_what_has_no_result_is_canceled_or_expired(tmp_path: Path, status: str, kind: str) -> None:
    async with rig(tmp_path) as made:
        batch_id = await worked_off(made, 550, 1_300)
        async with made.db.begin() as connection:
            await connection.execute(update(message_batches).values(status=status))
        if kind == "expired":
            made.clock.now += 86_400
        ended = await Finisher(made.db, made.blobs, made.clock, "one", 30.0).finish(batch_id)
        assert ended is not None
        assert getattr(ended, kind) == 750
        lines = await made.ended(batch_id)
        assert lines[-1] == {"custom_id": "r1299", "result": {"type": kind}}


async def test_a_result_that_was_lost_by_a_fault_of_ours_is_an_error(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        batch_id = await worked_off(made, 2, 3)
        await Finisher(made.db, made.blobs, made.clock, "one", 30.0).finish(batch_id)
        lines = await made.ended(batch_id)
        assert lines[2]["result"]["error"]["error"]["type"] == "api_error"


async def test_rows_of_batches_that_go_on_are_no_leftovers(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        await worked_off(made, 5, 5)
        await Finisher(made.db, made.blobs, made.clock, "one", 30.0).clear_leftovers()
        assert await made.left() == (5, 1)
    assert query(tmp_path, "SELECT count(*) FROM message_batches") == [(1,)]
