"""Servers and workers killed as by a power cut, at random points of a batch: each request has one result, and is
billed once."""

from __future__ import annotations

import os
import random
from collections.abc import Generator
from pathlib import Path

import anthropic
import pytest
from anthropic.types.messages import MessageBatch

from files.s3 import S3, s3_server
from generated import LONG
from servers import RunningServer, ServerStarter
from services import Postgres

from .machines import Ask, WorkerProcess, asking_postgres, asking_sqlite, progress, wait_for
from .making import asking

pytestmark = pytest.mark.slow

ITEMS, POINTS = (10_000, 20) if LONG else (2_000, 3)
ENV = {
    "UNDERSTUDY_BATCHES_LEASE": "1",
    "UNDERSTUDY_BATCHES_HEARTBEAT": "0.3",
    "UNDERSTUDY_BATCHES_POLL_INTERVAL": "0.5",
    "UNDERSTUDY_SIMULATOR_TIME_TO_FIRST_TOKEN": "0.08",
    "UNDERSTUDY_LOGGING_REQUESTS": "false",
}


@pytest.fixture(scope="module")
def s3() -> Generator[S3]:
    with s3_server() as server:
        yield server


def create(server: RunningServer, items: int) -> MessageBatch:
    with anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as client:
        requests = [{"custom_id": f"r{place}", "params": asking(f"number {place}")} for place in range(items)]
        return client.messages.batches.create(requests=requests)  # type: ignore[arg-type]


def check(server: RunningServer, batch_id: str, ask: Ask, items: int) -> None:
    with anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as client:
        batch = client.messages.batches.retrieve(batch_id)
        counts = batch.request_counts
        assert (counts.succeeded, counts.processing, counts.errored) == (items, 0, 0)
        results = [line.custom_id for line in client.messages.batches.results(batch_id)]
    assert results == [f"r{place}" for place in range(items)]
    assert ask('SELECT count(*), count(DISTINCT request_id) FROM "usage"') == [(items, items)]
    assert int(ask("SELECT sum(requests) FROM usage_days")[0][0]) == items
    assert wait_for(lambda: ask("SELECT count(*) FROM batch_results") == [(0,)], 20)
    assert wait_for(lambda: ask("SELECT count(*) FROM batch_chunks") == [(0,)], 20)


def points() -> list[int]:
    """At how many results there is a kill; the last one is where results are written together."""
    seed = os.environ.get("UNDERSTUDY_TEST_SEED") or str(random.randrange(10**9))
    print(f"UNDERSTUDY_TEST_SEED={seed}")
    draw = random.Random(seed)
    return [*sorted(draw.randrange(ITEMS) for _ in range(POINTS - 1)), ITEMS]


def test_a_server_that_is_killed_again_and_again_loses_nothing(serve: ServerStarter, tmp_path: Path) -> None:
    server = serve(env=ENV)
    ask = asking_sqlite(server.data_dir / "understudy.db")
    batch = create(server, ITEMS)
    for point in points():
        assert wait_for(lambda point=point: progress(ask, ITEMS) >= point, 120), progress(ask, ITEMS)
        server.kill()
        server = serve(env=ENV, data_dir=server.data_dir)
    ended = "SELECT count(*) FROM message_batches WHERE status = 'ended'"
    assert wait_for(lambda: ask(ended) == [(1,)], 60)
    check(server, batch.id, ask, ITEMS)


def test_two_machines_whose_workers_are_killed_lose_nothing(
    serve: ServerStarter, tmp_path: Path, postgres: Postgres, s3: S3
) -> None:
    url = postgres.database(str(tmp_path))
    shared = {
        **ENV,
        **s3.environment,
        "UNDERSTUDY_STORAGE_DATABASE_URL": url,
        "UNDERSTUDY_STORAGE_BLOBS": s3.bucket(),
        "UNDERSTUDY_SECURITY_ROOT_SECRET": "one secret for all of these machines",
    }
    ask = asking_postgres(postgres, url)
    server = serve(env={**shared, "UNDERSTUDY_BATCHES_RUN": "false"})
    workers = [WorkerProcess(tmp_path / f"machine{number}", shared, tmp_path / f"{number}.log") for number in (0, 1)]
    try:
        for worker in workers:
            worker.start()
        batch = create(server, ITEMS)
        for turn, point in enumerate(points()):
            assert wait_for(lambda point=point: progress(ask, ITEMS) >= point, 120), progress(ask, ITEMS)
            worker = workers[turn % 2]
            worker.kill()
            if turn % 3 == 2:
                server.kill()
                server = serve(env={**shared, "UNDERSTUDY_BATCHES_RUN": "false"})
            worker.start(wait=False)
        ended = "SELECT count(*) FROM message_batches WHERE status = 'ended'"
        assert wait_for(lambda: ask(ended) == [(1,)], 60)
        check(server, batch.id, ask, ITEMS)
    finally:
        for worker in workers:
            worker.kill()


def test_a_worker_that_stalls_beyond_its_lease_writes_nothing_twice(serve: ServerStarter, tmp_path: Path) -> None:
    server = serve(env=ENV)
    ask = asking_sqlite(server.data_dir / "understudy.db")
    worker = WorkerProcess(server.data_dir, ENV, tmp_path / "worker.log")
    try:
        worker.start()
        batch = create(server, 1_000)
        mine = "SELECT count(DISTINCT owner) FROM batch_chunks WHERE state = 1"
        assert wait_for(lambda: ask(mine) == [(2,)], 20)
        worker.pause_apart(server.data_dir / "understudy.db")
        ended = "SELECT count(*) FROM message_batches WHERE status = 'ended'"
        assert wait_for(lambda: ask(ended) == [(1,)], 60)
        worker.resume()
        check(server, batch.id, ask, 1_000)
    finally:
        worker.kill()
