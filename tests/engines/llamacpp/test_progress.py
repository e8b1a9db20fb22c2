"""How far a model is loaded, as the engines' listing says it."""

from __future__ import annotations

import asyncio
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gguf.models import model_file
from understudy.engines.llamacpp.progress import TakenIn, share, size_of, taken_in
from understudy.engines.llamacpp.supervisor import LlamaWorker, WorkerSettings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's figures are those of Linux")


def test_pages_of_a_file_that_is_mapped_are_taken_in_and_bytes_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "big"
    size = 8 * 1024 * 1024
    file.write_bytes(os.urandom(1024) * (size // 1024))
    before = taken_in()
    assert before is not None
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for place in range(0, size // 2, mmap.PAGESIZE):
            mapped[place]
        now = taken_in()
        assert now is not None
        assert 0.4 < share(before, now._replace(read=before.read), size) < 0.8
    file.read_bytes()
    now = taken_in()
    assert now is not None
    assert share(before, now._replace(mapped=before.mapped), size) >= 0.99


def test_a_share_is_never_less_than_nothing_nor_more_than_all() -> None:
    before = TakenIn(100, 100)
    assert share(before, TakenIn(50, 100), 10) == 0.0
    assert share(before, TakenIn(500, 100), 10) == 1.0
    assert share(before, TakenIn(500, 100), 0) == 0.0


def test_of_a_process_that_has_ended_nothing_is_known() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert taken_in(process.pid) is None


def test_a_model_is_as_large_as_all_its_files(tmp_path: Path) -> None:
    for place in (1, 2):
        (tmp_path / f"m-0000{place}-of-00002.gguf").write_bytes(b"x" * 10)
    (tmp_path / "other.gguf").write_bytes(b"y" * 5)
    assert size_of(tmp_path / "m-00001-of-00002.gguf", tmp_path / "other.gguf") == 25
    assert size_of(tmp_path / "gone.gguf", None) == 0
    odd = tmp_path / "m[1]-00001-of-00001.gguf"
    odd.write_bytes(b"z" * 3)
    assert size_of(odd, None) == 3


async def test_progress_goes_up_while_a_model_is_loaded_and_then_is_none() -> None:
    worker = LlamaWorker(WorkerSettings(model_file("tiny"), n_ctx=512, n_parallel=1, n_threads=1))
    assert worker.load_progress is None
    starting = asyncio.create_task(worker.start())
    seen: list[float] = []
    try:
        while not starting.done():
            progress = worker.load_progress
            if progress is not None:
                seen.append(progress)
            await asyncio.sleep(0.005)
        await starting
        assert worker.load_progress is None
    finally:
        await worker.stop()
    assert seen[0] == 0.0 and seen == sorted(seen)
    assert 0.5 < seen[-1] <= 1.0
