"""Blobs on a local directory and in memory. On S3 they are tried with the files that are kept in them (tests/files)."""

from __future__ import annotations

import asyncio
import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from understudy.settings import SettingsError
from understudy.storage.blobs import BlobNotFoundError, Blobs, BlobsError

SIZES = [0, 1, 70_000, 1024 * 1024, 1024 * 1024 + 1, 9_000_001]


@pytest.fixture(params=["directory", "file://", "memory:///"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    url = {"directory": None, "file://": f"file://{tmp_path}/else where"}.get(request.param, request.param)
    return Blobs(url, tmp_path)


@pytest.mark.parametrize("size", SIZES)
async def test_a_blob_is_read_as_it_was_written(blobs: Blobs, size: int) -> None:
    data = random.Random(size).randbytes(size)
    async with blobs.writing("room/a") as writer:
        for start in range(0, size, 65_536):
            await writer.write(data[start : start + 65_536])
    assert (writer.size, writer.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert await blobs.read("room/a") == data
    if size > 10:
        assert b"".join([piece async for piece in await blobs.stream("room/a", 3, size - 4)]) == data[3:-4]
        assert b"".join([piece async for piece in await blobs.stream("room/a", 5)]) == data[5:]


async def test_blobs_are_listed_by_prefix_and_deleted(blobs: Blobs) -> None:
    for name in ("one/a", "one/b/c", "oneself/d"):
        await blobs.put(name, b"x" * 7)
    assert sorted([(blob.name, blob.size) async for blob in blobs.list("one")]) == [("one/a", 7), ("one/b/c", 7)]
    await blobs.delete(["one/a", "one/b/c", "never/was"])
    assert [blob.name async for blob in blobs.list("one")] == []
    assert [blob.name async for blob in blobs.list("nothing/here")] == []
    for missing in ("one/a", "never/was"):
        with pytest.raises(BlobNotFoundError):
            await blobs.stream(missing)


@pytest.mark.parametrize("size", [10, 3_000_000, 9_000_000])
async def test_a_block_that_raises_leaves_nothing(tmp_path: Path, size: int) -> None:
    blobs = Blobs(None, tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with blobs.writing("room/a") as writer:
            for _ in range(0, size, 65_536):
                await writer.write(b"x" * 65_536)
            raise ZeroDivisionError
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_block_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(None, tmp_path)
    written = asyncio.Event()

    async def write() -> None:
        async with blobs.writing("room/a") as writer:
            for _ in range(100):
                await writer.write(b"x" * 65_536)
            written.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await written.wait()
    assert any("#" in path.name for path in tmp_path.rglob("*"))
    writing.cancel()
    await asyncio.wait({writing})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_store_that_fails_half_way_is_told_and_asked_to_forget(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        calls.append(f"{request.method} {'?'.join(sorted(request.query))}")
        if request.method == "POST" and "uploads" in request.query:
            found = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
            return web.Response(text=found, content_type="application/xml")
        return web.Response(
            status=204 if request.method == "DELETE" else 403 if len(calls) > 2 else 200, headers={"etag": '"x"'}
        )

    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*runner.addresses[0][:2]))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    blobs = Blobs("s3://bucket", tmp_path)
    try:
        with pytest.raises(BlobsError):
            async with blobs.writing("room/a") as writer:
                for _ in range(400):
                    await writer.write(b"x" * 65_536)
    finally:
        await runner.cleanup()
    assert calls[0] == "POST uploads"
    assert "DELETE uploadId" in calls


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/srv/blobs", "without a scheme"),
        ("ftp://host/x", "ftp is not supported"),
        ("s3://", "needs the name of a bucket"),
        ("file://relative/path", "file:///absolute/path"),
        ("file:///", "file:///absolute/path"),
    ],
)
def test_a_url_that_cannot_be_is_refused_at_the_start(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=said):
        Blobs(url, tmp_path)


def test_a_directory_that_cannot_be_made_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match=r"storage\.blobs"):
        Blobs(f"file://{tmp_path}/file/blobs", tmp_path).check()


def test_nothing_is_imported_before_a_blob_is_touched(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; import asyncio\n"
        "from understudy.storage.blobs import Blobs\n"
        "import understudy.files.endpoints, understudy.files.sweeper\n"
        "blobs = Blobs(None, Path(sys.argv[1])); blobs.check()\n"
        "async def idle():\n"
        "    assert [b async for b in blobs.list('files')] == []\n"
        "    await blobs.delete([]); await blobs.clear_unfinished('files', 1)\n"
        "asyncio.run(idle())\n"
        "print('obstore' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "data")], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"
