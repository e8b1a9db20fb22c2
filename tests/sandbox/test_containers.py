"""Containers as a service: whose they are, how long they last, how many there are, and what a restart leaves."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from installations import installation
from sandbox.boxes import SMALL
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.containers import ContainerService
from understudy.sandbox.interface import Owner, SandboxUnavailableError
from understudy.sandbox.place import Place
from understudy.sandbox.selftest import Outcome
from understudy.storage.database import Database
from understudy.wire.errors import InvalidRequestError, NotFoundError, OverloadedError

ALICE = Owner("org", "wrkspc_a")
BOB = Owner("org", "wrkspc_b")
OTHER = Owner("other", "wrkspc_a")
DAY = 86_400.0


@dataclass
class Clock:
    added: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.added


@pytest.fixture(autouse=True)
def _tested(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The self-test has tests of its own."""
    if "self_test" in request.keywords:
        return

    async def passes(machine: Any, config: SandboxConfig, directory: Path) -> Outcome:
        directory.rmdir() if not any(directory.iterdir()) else None
        return Outcome(machine.tier, ())

    monkeypatch.setattr("understudy.sandbox.readiness.self_test", passes)


@asynccontextmanager
async def service(
    db: Database, clock: Clock | None = None, *, shared: bool = False, **changes: Any
) -> AsyncGenerator[ContainerService]:
    made = ContainerService(db, replace(SMALL, **changes), db.data_dir, shared=shared, clock=clock or Clock())
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@pytest_asyncio.fixture
async def db(tmp_path: Path, bubblewrap: None) -> AsyncGenerator[Database]:
    async with installation(tmp_path / "data") as (database, _):
        yield database


async def sh(containers: ContainerService, owner: Owner, container_id: str, text: str) -> str:
    async with containers.use(owner, container_id) as (_, sandbox):
        done = await sandbox.exec(["sh", "-c", text], timeout=20)
        return done.stdout + done.stderr


@pytest.mark.each_database
async def test_a_container_is_made_used_and_deleted(db: Database) -> None:
    async with service(db) as containers:
        made = await containers.create(ALICE)
        assert made.id.startswith("container_01")
        assert made.expires_at - made.created_at == timedelta(seconds=SMALL.shown_lifetime)
        async with containers.use(ALICE, made.id) as (container, sandbox):
            assert (container.id, container.created_at) == (made.id, made.created_at)
            assert container.expires_at > made.expires_at
            assert (await sandbox.exec(["echo", "hi"], timeout=20)).stdout == "hi\n"
        await containers.delete(ALICE, made.id)
        with pytest.raises(NotFoundError):
            await sh(containers, ALICE, made.id, "true")
        assert not (db.data_dir / "sandbox" / "containers" / made.id).exists()


@pytest.mark.each_database
async def test_another_workspace_has_the_answer_of_an_id_that_never_was(db: Database) -> None:
    async with service(db) as containers:
        made = await containers.create(ALICE)
        for stranger in (BOB, OTHER):
            said: list[str] = []
            for container_id in (made.id, "container_011CUnknownUnknownUnknown"):
                with pytest.raises(NotFoundError) as refused:
                    await sh(containers, stranger, container_id, "true")
                said.append(refused.value.message.replace(container_id, ""))
                with pytest.raises(NotFoundError):
                    await containers.delete(stranger, container_id)
            assert said[0] == said[1]
        assert await sh(containers, ALICE, made.id, "echo mine") == "mine\n"


@pytest.mark.each_database
async def test_a_use_renews_what_is_shown_and_thirty_days_end_it(db: Database) -> None:
    clock = Clock()
    async with service(db, clock) as containers:
        made = await containers.create(ALICE)
        clock.added = 29.99 * DAY
        async with containers.use(ALICE, made.id) as (container, _):
            # Never later than its end.
            assert container.expires_at - made.created_at == timedelta(seconds=SMALL.kept)
        clock.added = 30.01 * DAY
        with pytest.raises(InvalidRequestError, match="expired"):
            await sh(containers, ALICE, made.id, "true")
        await containers.sweep()
        assert not (db.data_dir / "sandbox" / "containers" / made.id).exists()
        with pytest.raises(InvalidRequestError, match="expired"):
            await sh(containers, ALICE, made.id, "true")
        clock.added = 61 * DAY
        await containers.sweep()
        with pytest.raises(NotFoundError):
            await sh(containers, ALICE, made.id, "true")


async def test_files_are_there_after_a_restart_of_the_server(db: Database) -> None:
    async with service(db) as containers:
        made = await containers.create(ALICE)
        await sh(containers, ALICE, made.id, "echo 42 > /tmp/number.txt")
    async with service(db) as containers:
        assert await sh(containers, ALICE, made.id, "cat /tmp/number.txt") == "42\n"


async def test_one_run_at_a_time_has_a_container(db: Database) -> None:
    async with service(db, queue_timeout=0.3) as containers:
        made = await containers.create(ALICE)
        async with containers.use(ALICE, made.id):
            with pytest.raises(OverloadedError):
                await sh(containers, ALICE, made.id, "true")
            waiting = asyncio.create_task(sh(containers, ALICE, made.id, "echo then"))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        assert await waiting == "then\n"


async def test_what_a_run_left_in_the_background_ends_with_it(db: Database) -> None:
    async with service(db) as containers:
        made = await containers.create(ALICE)
        await sh(containers, ALICE, made.id, "sleep 1000 & echo > /tmp/x")
        assert await sh(containers, ALICE, made.id, "pgrep sleep || echo none") == "none\n"


async def test_an_idle_container_falls_asleep_and_wakes_with_its_files(db: Database) -> None:
    async with service(db, idle=1) as containers:
        made = await containers.create(ALICE)
        async with containers.use(ALICE, made.id) as (_, sandbox):
            await sandbox.exec(["sh", "-c", "echo kept > /tmp/x"], timeout=20)
            process = sandbox.process  # type: ignore[attr-defined]
        assert Path(f"/proc/{process.first}").exists()
        async with asyncio.timeout(10):
            while Path(f"/proc/{process.first}").exists():
                await asyncio.sleep(0.05)
        assert await sh(containers, ALICE, made.id, "cat /tmp/x") == "kept\n"


async def test_when_too_many_are_awake_the_one_unused_for_longest_sleeps(db: Database) -> None:
    async with service(db, max_running=2, queue_timeout=0.5) as containers:
        ids = [(await containers.create(ALICE)).id for _ in range(3)]
        firsts: list[int] = []
        for container_id in ids:
            async with containers.use(ALICE, container_id) as (_, sandbox):
                await sandbox.exec(["true"], timeout=20)
                firsts.append(sandbox.process.first)  # type: ignore[attr-defined]
        assert [Path(f"/proc/{first}").exists() for first in firsts] == [False, True, True]
        async with containers.use(ALICE, ids[0]), containers.use(ALICE, ids[1]):
            with pytest.raises(OverloadedError):
                await sh(containers, ALICE, ids[2], "true")


@pytest.mark.each_database
async def test_an_organization_that_has_its_number_loses_the_one_unused_for_longest(db: Database) -> None:
    clock = Clock()
    async with service(db, clock, organization_containers=2) as containers:
        one, two = (await containers.create(ALICE)).id, (await containers.create(BOB)).id
        elsewhere = (await containers.create(OTHER)).id
        clock.added += 5
        assert await sh(containers, ALICE, one, "echo used") == "used\n"
        clock.added += 5
        three = (await containers.create(ALICE)).id
        with pytest.raises(InvalidRequestError, match="expired"):
            await sh(containers, BOB, two, "true")
        for owner, container_id in ((ALICE, one), (ALICE, three), (OTHER, elsewhere)):
            assert await sh(containers, owner, container_id, "echo there") == "there\n"
        async with containers.use(ALICE, one), containers.use(ALICE, three):
            with pytest.raises(OverloadedError):
                await containers.create(BOB)


async def test_one_that_is_in_use_is_deleted_when_it_is_free(db: Database) -> None:
    async with service(db, queue_timeout=0.3) as containers:
        made = await containers.create(ALICE)
        async with containers.use(ALICE, made.id) as (_, sandbox):
            with pytest.raises(OverloadedError):
                await containers.delete(ALICE, made.id)
            deleting = asyncio.create_task(containers.delete(ALICE, made.id))
            assert (await sandbox.exec(["echo", "well"], timeout=20)).stdout == "well\n"
        await deleting
        with pytest.raises(NotFoundError):
            await sh(containers, ALICE, made.id, "true")


async def test_one_of_an_earlier_start_is_deleted_by_a_server_that_has_run_nothing_yet(db: Database) -> None:
    async with service(db) as containers:
        made = await containers.create(ALICE)
        await sh(containers, ALICE, made.id, "echo 42 > /tmp/number.txt")
    # No sweep: nobody has looked at the machine.
    later = ContainerService(db, SMALL, db.data_dir)
    await later.delete(ALICE, made.id)
    await later.stop()
    assert not (db.data_dir / "sandbox" / "containers" / made.id).exists()


async def test_twenty_at_once_keep_to_themselves(db: Database) -> None:
    async with service(db) as containers:
        made = [await containers.create(ALICE) for _ in range(20)]
        said = await asyncio.gather(
            *(sh(containers, ALICE, one.id, f"echo {one.id} >> /tmp/x; cat /tmp/x") for one in made)
        )
        assert said == [f"{one.id}\n" for one in made]


async def test_a_run_that_goes_on_while_the_server_stops_wakes_nothing(db: Database) -> None:
    async with service(db) as containers:
        made = await containers.create(ALICE)
        async with containers.use(ALICE, made.id) as (_, sandbox):
            running = asyncio.create_task(sandbox.exec(["sleep", "1000"], timeout=1000))
            await asyncio.sleep(0.3)
            await containers.stop()
            assert (await running).return_code == 137
            with pytest.raises(SandboxUnavailableError, match="stops"):
                await sandbox.exec(["true"], timeout=20)


async def test_who_waits_for_a_container_that_is_removed_does_not_have_it_beside_the_next(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.make()
    lock = place.lock("one")
    assert lock is not None
    late = os.open(place.directory("one") / ".lock", os.O_RDWR)
    opened = os.open
    try:
        place.remove("one")
        next_lock = place.lock("one")
        os.close(lock)
        with pytest.MonkeyPatch.context() as patch:
            # It had opened the lock before that was removed.
            patch.setattr(os, "open", lambda *_: os.dup(late))
            assert place.lock("one") is None
        assert next_lock is not None
        os.close(next_lock)
    finally:
        os.close(late)
    assert os.open is opened


async def test_processes_of_one_server_take_turns_with_a_container(db: Database) -> None:
    async with service(db, shared=True) as one, service(db, shared=True, queue_timeout=0.3) as two:
        made = await one.create(ALICE)
        async with one.use(ALICE, made.id) as (_, sandbox):
            await sandbox.exec(["sh", "-c", "echo first > /tmp/x"], timeout=20)
            with pytest.raises(OverloadedError):
                await sh(two, ALICE, made.id, "true")
        assert await sh(two, ALICE, made.id, "cat /tmp/x") == "first\n"


async def test_a_container_of_another_machine_is_told_apart(db: Database) -> None:
    async with service(db) as containers:
        made = await containers.create(ALICE)
    (db.data_dir / "sandbox" / "place").write_text("another")
    async with service(db) as containers:
        with pytest.raises(InvalidRequestError, match="another server"):
            await sh(containers, ALICE, made.id, "true")


async def test_files_that_belong_to_no_container_are_swept(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.sandbox.held._ABANDONED", -1.0)
    async with service(db) as containers:
        made = await containers.create(ALICE)
        await sh(containers, ALICE, made.id, "echo kept > /tmp/x")
        left = db.data_dir / "sandbox" / "containers" / "container_left"
        left.mkdir()
        (left / "disk").write_bytes(b"x")
        await containers.sweep()
        assert not left.exists()
        assert await sh(containers, ALICE, made.id, "cat /tmp/x") == "kept\n"


# --- machines that run no code ---


async def test_switched_off_is_said(db: Database) -> None:
    async with service(db, mode="off") as containers:
        with pytest.raises(InvalidRequestError, match="switched off"):
            await containers.create(ALICE)
        assert not (db.data_dir / "sandbox").exists()


async def test_without_bubblewrap_it_is_said_what_to_install(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    async with service(db) as containers:
        with pytest.raises(InvalidRequestError, match="apt-get install bubblewrap"):
            await containers.ready()


async def test_strict_is_refused_where_the_tier_is_ordinary(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.sandbox.machine.no_disk", lambda: "no loop device can be had")
    async with service(db, require="strict") as containers:
        with pytest.raises(InvalidRequestError, match=r"sandbox.require is strict, and here .*disk is measured"):
            await containers.create(ALICE)


async def test_a_machine_that_fails_the_self_test_runs_no_code(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> Outcome:
        return Outcome("ordinary", ("network", "more memory"))

    monkeypatch.setattr("understudy.sandbox.readiness.self_test", fails)
    async with service(db) as containers:
        for _ in range(2):
            with pytest.raises(
                InvalidRequestError, match="self-test failed: code in a container had network, more memory"
            ):
                await containers.create(ALICE)
