from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from understudy.files.sweeper import ABANDONED, METADATA_KEPT, Sweeper

from .api import FilesApi, Part, files_api


async def expiring(api: FilesApi, content: bytes = b"x" * 100, *, key: str = "a") -> str:
    answer = await api.send(Part(content), Part(b"3600", "expires_in_seconds"), key=key)
    return answer.json()["id"]


async def test_what_expired_loses_its_bytes_and_later_its_metadata(api: FilesApi) -> None:
    kept = (await api.upload(b"kept"))["id"]
    expired = {await expiring(api), await expiring(api)}
    foreign = await expiring(api, key="b")
    assert await api.sweeper.sweep_expired() == 0
    api.clock.added = 3_601
    assert await api.sweeper.sweep_expired() == 3
    assert await api.stored() == [f"files/wrkspc_a/{kept}"]
    assert (await api.used(), await api.used("wrkspc_b")) == (4, 0)
    listed = {file["id"] for file in (await api.ask("GET", "/v1/files")).json()["data"]}
    assert listed == {kept, *expired}
    assert (await api.ask("GET", f"/v1/files/{foreign}/content", key="b")).status == 404
    # Deleting an expired file removes its metadata at once, and gives nothing back twice.
    assert (await api.ask("DELETE", f"/v1/files/{expired.pop()}")).status == 200
    assert await api.used() == 4
    api.clock.added += METADATA_KEPT
    assert await api.sweeper.sweep_expired() == 0
    assert {file["id"] for file in (await api.ask("GET", "/v1/files")).json()["data"]} == {kept}
    assert (await api.ask("GET", f"/v1/files/{kept}/content")).body == b"kept"


async def test_two_servers_that_sweep_at_once_give_back_once(data_dir: Path) -> None:
    async with files_api(data_dir) as one, files_api(data_dir) as two:
        for _ in range(20):
            await expiring(one)
        await one.upload(b"kept")
        one.clock.added = two.clock.added = 3_601
        assert sum(await asyncio.gather(one.sweeper.sweep_expired(), two.sweeper.sweep_expired())) == 20
        assert await one.used() == 4


async def test_blobs_without_a_file_go_once_they_are_old(api: FilesApi) -> None:
    kept = (await api.upload(b"kept"))["id"]
    await api.service.blobs.put("files/wrkspc_a/file_orphan", b"x" * 10)
    await api.service.blobs.put("files/wrkspc_gone/file_orphan", b"x" * 10)
    await api.service.blobs.put("batches/of_another_room", b"x" * 10)
    assert await api.sweeper.sweep_orphans() == 0
    api.clock.added = ABANDONED + 60
    assert await api.sweeper.sweep_orphans() == 2
    assert await api.stored() == [f"files/wrkspc_a/{kept}"]
    assert await api.service.blobs.read("batches/of_another_room") == b"x" * 10


async def test_what_a_killed_writer_left_goes_once_it_is_old(local: FilesApi) -> None:
    await local.upload()
    folder = local.db.data_dir / "files" / "wrkspc_a"
    old, new, other = folder / "file_a#1", folder / "file_b#12", folder / "file#x"
    for path in (old, new, other):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - ABANDONED - 60))
    assert await local.sweeper.sweep_orphans() == 1
    assert [path.exists() for path in (old, new, other)] == [False, True, True]


async def test_the_sweeper_runs_by_itself_and_survives_an_outage(
    local: FilesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.files.sweeper._EVERY", 0.01)
    sweeper, failures = Sweeper(local.db, local.service), [OSError("away")]
    expire = sweeper.sweep_expired

    async def sometimes() -> int:
        if failures:
            raise failures.pop()
        return await expire()

    monkeypatch.setattr(sweeper, "sweep_expired", sometimes)
    file_id = await expiring(local)
    local.clock.added = 3_601
    sweeper.start()
    try:
        for _ in range(500):
            if not await local.stored():
                break
            await asyncio.sleep(0.01)
    finally:
        await sweeper.stop()
    await asyncio.sleep(0)
    assert await local.stored() == []
    assert (await local.ask("GET", f"/v1/files/{file_id}")).status == 200
