from __future__ import annotations

import asyncio
import io
import logging
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from installations import installation, locked, query
from understudy.organization.authenticator import KeyAuthenticator
from understudy.organization.service import Organizations
from understudy.settings import LoggingSettings, UsageSettings
from understudy.storage.database import Database
from understudy.usage import recorder as recorder_module
from understudy.usage.metrics import Metrics
from understudy.usage.recorder import Recorder
from understudy.usage.request_lines import RequestLines
from understudy.usage.spill import SpillFile
from usage_records import plain_record, record


class Started:
    def __init__(self, db: Database, **settings: Any) -> None:
        also_write = settings.pop("also_write", None)
        self.printed = io.BytesIO()
        self.metrics = Metrics(["claude-sonnet-4-5"])
        logging_settings = LoggingSettings(requests=settings.pop("requests", True))
        lines = RequestLines(self.printed)
        self.recorder = Recorder(
            db, UsageSettings(**settings), logging_settings, self.metrics, also_write=also_write, lines=lines
        )

    def outcome(self, name: str) -> float:
        for line in self.metrics.render()[0].decode().splitlines():
            if line.startswith(f'understudy_usage_rows_total{{outcome="{name}"}}'):
                return float(line.split()[-1])
        return 0.0


@asynccontextmanager
async def started(db: Database, **settings: Any) -> AsyncGenerator[Started]:
    made = Started(db, **settings)
    await made.recorder.start()
    try:
        yield made
    finally:
        await made.recorder.stop()


def ids(data_dir: Path, table: str = "request_log") -> list[str]:
    return [str(row[0]) for row in query(data_dir, f'SELECT request_id FROM "{table}" ORDER BY id')]


async def until(condition: Callable[[], bool], timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "did not come to be"
        await asyncio.sleep(0.02)


@pytest.mark.each_database
async def test_a_request_has_a_row_and_one_that_asked_a_model_a_usage_row_within_moments(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _), started(db) as it:
        asked, plain = record(), plain_record()
        it.recorder.record(asked)
        it.recorder.record(plain)
        await until(lambda: len(ids(tmp_path)) == 2)
        assert ids(tmp_path) == [asked.request_id, plain.request_id]
        assert ids(tmp_path, "usage") == [asked.request_id]
        columns = "model, input_tokens, cache_creation_5m_input_tokens, cache_read_input_tokens, output_tokens"
        assert query(tmp_path, f'SELECT {columns} FROM "usage"') == [("claude-sonnet-4-5", 10, 20, 40, 101)]


@pytest.mark.each_database
async def test_stopping_writes_what_has_come_until_then(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        async with started(db, flush_interval=60) as it:
            records = [record() for _ in range(1234)]
            for one in records:
                it.recorder.record(one)
        assert ids(tmp_path) == [one.request_id for one in records]
        assert it.outcome("written") == 1234


@pytest.mark.each_database
async def test_as_many_rows_as_flush_rows_do_not_wait_for_the_interval(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _), started(db, flush_interval=60, flush_rows=10) as it:
        for _ in range(9):
            it.recorder.record(record())
        await asyncio.sleep(0.3)
        assert ids(tmp_path) == []
        it.recorder.record(record())
        await until(lambda: len(ids(tmp_path)) == 10)


@pytest.mark.each_database
async def test_what_is_recorded_before_the_start_is_written_too(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        it = Started(db)
        it.recorder.record(record())
        await it.recorder.start()
        await it.recorder.stop()
        assert len(ids(tmp_path)) == 1


@pytest.mark.each_database
async def test_without_the_request_log_only_usage_is_kept(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        async with started(db, request_log=False, requests=False) as it:
            it.recorder.record(record())
            it.recorder.record(plain_record())
        assert (len(ids(tmp_path)), len(ids(tmp_path, "usage"))) == (0, 1)
        assert it.printed.getvalue() == b""


async def test_each_request_is_one_line_of_json_and_a_flush_one_write(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        async with started(db) as it:
            for number in range(20):
                it.recorder.record(record(path=f'/v1/messages/\r\n\x1b[2J"{number}'))
        lines = it.printed.getvalue().splitlines()
        assert [orjson.loads(line)["path"] for line in lines] == [
            f'/v1/messages/\\r\\n\\x1b[2J"{number}' for number in range(20)
        ]


async def test_nothing_runs_while_no_requests_come(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _), started(db) as it:
        it.recorder.record(record())
        await until(lambda: len(ids(tmp_path)) == 1)
        await asyncio.sleep(0.2)
        loop: Any = asyncio.get_running_loop()
        wakes = 0
        run_once = loop._run_once

        def counted() -> None:
            nonlocal wakes
            wakes += 1
            run_once()

        loop._run_once = counted
        await asyncio.sleep(1.0)
        del loop._run_once
        assert wakes <= 3


async def test_a_locked_database_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("understudy.storage.sqlite.BUSY_TIMEOUT", 0.3)
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        key = await organizations.create_key("a")
        authenticator = KeyAuthenticator(db, root)
        await authenticator.start()
        async with started(db, also_write=authenticator.write_last_used) as it:
            records = [record() for _ in range(900)]
            with locked(tmp_path):
                for begin in range(0, 900, 30):
                    for one in records[begin : begin + 30]:
                        assert await authenticator.authenticate(key.secret)
                        before = time.perf_counter()
                        it.recorder.record(one)
                        assert time.perf_counter() - before < 0.1
                    await asyncio.sleep(0.1)
                assert ids(tmp_path) == []
            await until(lambda: len(ids(tmp_path)) >= 900)
            assert ids(tmp_path) == [one.request_id for one in records]
            assert len(it.printed.getvalue().splitlines()) == 900
        await authenticator.stop()
        assert (await organizations.list_keys())[0].last_used_at is not None
    assert not list(tmp_path.glob("usage.spill*"))
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert warnings == [
        "the database does not take request rows, they wait: OperationalError",
        "the database takes request rows again",
    ]


async def test_rows_beyond_the_queue_go_to_a_file_and_from_there_to_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.storage.sqlite.BUSY_TIMEOUT", 0.2)
    async with installation(tmp_path) as (db, _), started(db, queue_rows=100, flush_rows=50) as it:
        records = [record() for _ in range(1000)]
        with locked(tmp_path):
            for begin in range(0, 1000, 50):
                for one in records[begin : begin + 50]:
                    it.recorder.record(one)
                await asyncio.sleep(0.01)
            await until(lambda: it.outcome("spilled") == 900)
            assert len(it.recorder._rows) == 100
            assert len((tmp_path / "usage.spill.jsonl").read_bytes().splitlines()) == 900
        await until(lambda: len(ids(tmp_path)) >= 1000)
        assert sorted(ids(tmp_path)) == sorted(one.request_id for one in records)
        assert len(set(ids(tmp_path, "usage"))) == len(ids(tmp_path, "usage")) == 1000
        await until(lambda: not list(tmp_path.glob("usage.spill*")))


async def test_stopping_while_the_database_is_locked_keeps_rows_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.storage.sqlite.BUSY_TIMEOUT", 0.2)
    records = [record() for _ in range(30)]
    async with installation(tmp_path) as (db, _):
        it = Started(db)
        await it.recorder.start()
        with locked(tmp_path):
            for one in records:
                it.recorder.record(one)
            await asyncio.sleep(0.3)
            begun = time.monotonic()
            await it.recorder.stop()
            assert time.monotonic() - begun < 5
        assert ids(tmp_path) == []
        async with started(db, requests=False) as it:
            it.recorder.record(records[0])  # and one row that comes twice
            await until(lambda: len(ids(tmp_path)) >= 30)
        assert sorted(ids(tmp_path)) == sorted(one.request_id for one in records)
        assert not list(tmp_path.glob("usage.spill*"))


async def test_stopping_while_the_database_never_answers_is_bounded_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "STOP_TIMEOUT", 0.5)
    async with installation(tmp_path) as (db, _):
        it = Started(db)
        begin = db.begin

        @asynccontextmanager
        async def stuck() -> AsyncGenerator[AsyncConnection]:
            await asyncio.sleep(60)
            async with begin() as connection:
                yield connection

        with monkeypatch.context() as patched:
            patched.setattr(db, "begin", stuck)
            await it.recorder.start()
            it.recorder.record(record())
            begun = time.monotonic()
            await it.recorder.stop()
            assert time.monotonic() - begun < 4
        async with started(db):
            await until(lambda: len(ids(tmp_path)) == 1)


async def test_a_file_that_was_half_replayed_when_its_server_died_doubles_nothing(tmp_path: Path) -> None:
    records = [record() for _ in range(40)]
    async with installation(tmp_path) as (db, _):
        it = Started(db)
        rows = recorder_module.request_rows(records)
        it.recorder._spill_file.append(rows)
        it.recorder._spill_file.claim()
        await it.recorder._writer.write(rows[:25])
        async with started(db):
            await until(lambda: not list(tmp_path.glob("usage.spill*")))
        assert sorted(ids(tmp_path)) == sorted(one.request_id for one in records)
        assert sorted(ids(tmp_path, "usage")) == sorted(one.request_id for one in records)


@pytest.mark.each_database
async def test_one_row_that_the_database_refuses_does_not_hold_up_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = record(method=None)
    records = [record() for _ in range(99)]
    async with installation(tmp_path) as (db, _):
        async with started(db) as it:
            for one in [*records[:50], bad, *records[50:]]:
                it.recorder.record(one)
        assert ids(tmp_path) == [one.request_id for one in records]
        assert (it.outcome("refused"), it.outcome("written")) == (1, 99)
    assert any(bad.request_id in entry.getMessage() for entry in caplog.records)


async def test_what_else_is_to_be_written_cannot_hold_up_the_rows(tmp_path: Path) -> None:
    async def broken(connection: AsyncConnection) -> Callable[[], None]:
        raise RuntimeError

    async with installation(tmp_path) as (db, _), started(db, also_write=broken) as it:
        it.recorder.record(record())
        await until(lambda: len(ids(tmp_path)) == 1)


async def test_rows_that_can_be_put_nowhere_are_counted_as_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("understudy.storage.sqlite.BUSY_TIMEOUT", 0.2)
    async with installation(tmp_path) as (db, _):
        async with started(db, queue_rows=100, flush_rows=50) as it:
            monkeypatch.setattr("understudy.usage.spill.SpillFile.append", full)
            with locked(tmp_path):
                for _ in range(150):
                    it.recorder.record(record())
                    await asyncio.sleep(0)
                await until(lambda: it.outcome("dropped") == 50)
        assert len(ids(tmp_path)) == 100
    assert any("50 request rows are lost" in entry.getMessage() for entry in caplog.records)


async def test_a_standard_error_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, False)
    lines = RequestLines(os.fdopen(write_end, "wb", buffering=0))
    async with installation(tmp_path) as (db, _):
        it = Recorder(db, UsageSettings(), LoggingSettings(), Metrics([]), lines=lines)
        await it.start()
        for _ in range(1000):  # a pipe holds 64 KB; these are about 600
            it.record(record())
        begun = time.monotonic()
        await it.stop()
        assert time.monotonic() - begun < 5
        assert len(ids(tmp_path)) == 1000
    os.close(read_end)


async def test_invariant_14_a_planted_key_is_in_no_row_line_metric_or_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with installation(tmp_path) as (db, root):
        secret = (await Organizations(db, root).create_key("planted")).secret
        async with started(db) as it:
            it.recorder.record(record(path=f"/v1/{secret}", user_agent=secret, model=secret, stream=None))
            it.recorder.record(record(path=f"/v1/{secret}", user_agent=secret, model=secret))
        assert len(ids(tmp_path)) == 1
        rendered = it.metrics.render()[0]
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    everything += it.printed.getvalue() + rendered + caplog.text.encode()
    assert secret[18:].encode() not in everything


async def test_a_disk_that_hangs_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.storage.sqlite.BUSY_TIMEOUT", 0.2)
    answers = threading.Event()
    append = SpillFile.append

    def hanging(self: SpillFile, rows: Any) -> None:
        assert answers.wait(20)
        append(self, rows)

    monkeypatch.setattr(SpillFile, "append", hanging)
    async with installation(tmp_path) as (db, _):
        async with started(db, queue_rows=100, flush_rows=50, requests=False) as it:
            with locked(tmp_path):
                for _ in range(2000):
                    it.recorder.record(record())
                    await asyncio.sleep(0)
                await until(lambda: not it.recorder._records)
                assert len(it.recorder._overflow) <= 250
            answers.set()
        assert it.outcome("dropped") > 1000
        assert len(ids(tmp_path)) + it.outcome("dropped") == 2000 or list(tmp_path.glob("usage.spill*"))
