from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from installations import installation, locked, output_of, query, start_python
from understudy.organization.authenticator import REFRESH_WAIT, KeyAuthenticator
from understudy.organization.keys import mint
from understudy.organization.service import Organizations
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret

_CREATE_KEY = """
import asyncio, sys
from pathlib import Path
from understudy.organization.service import Organizations
from understudy.settings import SecuritySettings, StorageSettings
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret

async def main():
    settings = StorageSettings(data_dir=Path(sys.argv[1]))
    db = Database(settings)
    print((await Organizations(db, RootSecret.load(SecuritySettings(), settings)).create_key("cli")).secret)
    await db.dispose()

asyncio.run(main())
"""


@asynccontextmanager
async def started(db: Database, root: RootSecret) -> AsyncGenerator[KeyAuthenticator]:
    authenticator = KeyAuthenticator(db, root)
    await authenticator.start()
    try:
        yield authenticator
    finally:
        await authenticator.stop()


def count_looks(authenticator: KeyAuthenticator, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    looks: list[float] = []
    following = authenticator._following
    look = following.look

    async def counted() -> None:
        looks.append(time.monotonic())
        await look()

    monkeypatch.setattr(following, "look", counted)
    return looks


async def test_a_key_stands_for_its_organization_and_workspace(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        api, admin = await organizations.create_key("a"), await organizations.create_key("b", "admin")
        async with started(db, root) as authenticator:
            for new in (api, admin):
                principal = await authenticator.authenticate(new.secret)
                assert principal is not None
                assert principal.kind == new.key.kind
                assert principal.api_key_id == new.key.id
                assert principal.organization_id == new.key.organization_id
                assert principal.workspace_id == new.key.workspace_id


async def test_the_default_workspace_is_the_installation_s_whatever_order_rows_have(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        await Organizations(db, root).create_key("a")
        async with db.begin() as connection:
            for at, name in ((0, "older"), (9e9, "newer")):
                await connection.exec_driver_sql(
                    "INSERT INTO organizations (id, name, created_at) VALUES (?, ?, ?)", (name, name, at)
                )
                await connection.exec_driver_sql(
                    "INSERT INTO workspaces (id, organization_id, name, is_default, created_at) VALUES (?, ?, ?, 1, ?)",
                    (f"wrkspc_{name}", name, name, at),
                )
        # Where the server's own keys belong, too.
        own = (await Organizations(db, root).create_key("b")).key.workspace_id
        async with started(db, root) as authenticator:
            found = authenticator.of_workspace(None)
            assert found is not None
            assert found.workspace_id == own == "wrkspc_older"


async def test_a_key_made_by_another_process_works_at_once(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root), started(db, root) as authenticator:
        process = start_python(_CREATE_KEY, str(tmp_path))
        secret = (await asyncio.to_thread(output_of, process)).strip()
        assert await authenticator.authenticate(secret) is not None
        # And one that the next look has not seen yet.
        new = await Organizations(db, root).create_key("now")
        assert await authenticator.authenticate(new.secret) is not None


async def test_abuse_04_a_revocation_is_in_force_on_all_servers_within_a_second(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root), installation(tmp_path) as (other_db, _):
        organizations = Organizations(db, root)
        key, kept = await organizations.create_key("a"), await organizations.create_key("b")
        async with started(db, root) as one, started(other_db, root) as two:
            assert await one.authenticate(key.secret)
            assert await two.authenticate(key.secret)
            await organizations.revoke_key(key.key.id)
            revoked_at = time.monotonic()
            while await one.authenticate(key.secret) or await two.authenticate(key.secret):
                await asyncio.sleep(0.005)
                assert time.monotonic() - revoked_at < 5
            # Waiting for the look that refuses the key counts too, and a loaded machine may be slow.
            assert time.monotonic() - revoked_at < 1.0 + REFRESH_WAIT
            assert await one.authenticate(kept.secret)
            assert await two.authenticate(kept.secret)


async def bad_secrets(organizations: Organizations, db: Database) -> dict[str, str]:
    """One secret of each bad kind."""
    new = {name: await organizations.create_key(name) for name in ("archived", "disabled", "good")}
    new["expired"] = await organizations.create_key("expired", expires_at=time.time() + 0.2)
    await organizations.revoke_key(new["archived"].key.id)
    async with db.begin() as connection:
        statement = "UPDATE api_keys SET status = 'inactive' WHERE id = ?"
        await connection.exec_driver_sql(statement, (new["disabled"].key.id,))
        await connection.exec_driver_sql("UPDATE organization_changes SET revision = revision + 1")
    await asyncio.sleep(0.25)
    good = new["good"].secret
    return {
        "malformed": "x",
        "empty": "",
        "long": "sk-understudy-api-" + "a" * 60_000,
        "not text": "sk-understudy-api-\udc80\x00é",
        "unknown": mint("api"),
        "wrong checksum": good[:-1] + ("0" if good[-1] != "0" else "1"),
        **{name: new[name].secret for name in ("archived", "disabled", "expired")},
    }


async def test_abuse_03_every_kind_of_bad_key_takes_the_same_way_and_time(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        bad = await bad_secrets(Organizations(db, root), db)
        async with started(db, root) as authenticator:
            times: dict[str, list[float]] = {kind: [] for kind in bad}
            for _ in range(5):
                for kind, secret in bad.items():
                    begun = time.perf_counter()
                    assert await authenticator.authenticate(secret) is None
                    times[kind].append(time.perf_counter() - begun)
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    # Each waits for one look, at most one in 0.1 s: what the kinds differ in takes microseconds.
    assert max(medians.values()) - min(medians.values()) < 0.05, medians
    assert all(0.05 < median < REFRESH_WAIT for median in medians.values()), medians


async def test_many_bad_keys_share_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with installation(tmp_path) as (db, root), started(db, root) as authenticator:
        looks = count_looks(authenticator, monkeypatch)
        begun = time.monotonic()
        for _ in range(3):
            answers = await asyncio.gather(*(authenticator.authenticate(f"bad {n}") for n in range(300)))
            assert set(answers) == {None}
        assert len(looks) <= (time.monotonic() - begun) / 0.1 + 2


async def test_a_good_key_asks_the_database_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with installation(tmp_path) as (db, root):
        key = await Organizations(db, root).create_key("a")
        async with started(db, root) as authenticator:
            looks = count_looks(authenticator, monkeypatch)
            for _ in range(1000):
                assert await authenticator.authenticate(key.secret)
            assert len(looks) <= 1


async def test_a_key_is_refused_from_the_moment_it_expires(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        expires_at = time.time() + 0.5
        key = await Organizations(db, root).create_key("a", expires_at=expires_at)
        async with started(db, root) as authenticator:
            assert await authenticator.authenticate(key.secret)
            await asyncio.sleep(expires_at - time.time() + 0.001)
            assert await authenticator.authenticate(key.secret) is None


async def test_while_the_database_is_locked_keys_go_on_being_accepted_and_refused(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        key = await Organizations(db, root).create_key("a")
        async with started(db, root) as authenticator:
            with locked(tmp_path):
                begun = time.monotonic()
                while time.monotonic() - begun < 1.0:
                    before = time.perf_counter()
                    assert await authenticator.authenticate(key.secret)
                    assert time.perf_counter() - before < 0.1
                    await asyncio.sleep(0.01)
                assert await authenticator.authenticate("bad") is None


async def test_while_the_database_does_not_answer_the_last_keys_serve_and_bad_ones_wait_half_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        key = await organizations.create_key("a")
        async with started(db, root) as authenticator:
            connect = db.connect
            answers = asyncio.Event()

            @asynccontextmanager
            async def stuck() -> AsyncGenerator[Any]:
                await answers.wait()
                async with connect() as connection:
                    yield connection

            monkeypatch.setattr(db, "connect", stuck)
            await asyncio.sleep(0.3)
            begun = time.monotonic()
            assert await authenticator.authenticate("bad") is None
            assert REFRESH_WAIT - 0.05 < time.monotonic() - begun < REFRESH_WAIT + 0.3
            assert await authenticator.authenticate(key.secret)
            answers.set()
            await organizations.revoke_key(key.key.id)
            await asyncio.sleep(1.0)
            assert await authenticator.authenticate(key.secret) is None


async def test_a_failing_database_is_logged_once_and_followed_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with installation(tmp_path) as (db, root), started(db, root) as authenticator:
        with monkeypatch.context() as patched:
            patched.setattr(db, "connect", lambda: 1 / 0)
            await asyncio.sleep(1.2)
        assert [record.getMessage() for record in caplog.records] == [
            "keys cannot be read, the last ones known go on serving: ZeroDivisionError"
        ]
        new = await Organizations(db, root).create_key("a")
        assert await authenticator.authenticate(new.secret)


async def test_after_a_rotation_keys_of_the_old_root_secret_still_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old, rotating, new = (RootSecret(values) for values in (["o" * 32], ["n" * 32, "o" * 32], ["n" * 32]))
    async with installation(tmp_path) as (db, _):
        before = await Organizations(db, old).create_key("before")
        after = await Organizations(db, rotating).create_key("after")
        async with started(db, rotating) as authenticator:
            assert await authenticator.authenticate(before.secret)
            assert await authenticator.authenticate(after.secret)
        caplog.clear()
        async with started(db, new) as authenticator:
            assert await authenticator.authenticate(before.secret) is None
            assert await authenticator.authenticate(after.secret)
    assert [record.getMessage() for record in caplog.records] == [
        f"1 keys need the root secret {old.key_id}, which is not given"
    ]


async def test_the_last_use_is_written_without_making_servers_load_their_keys_anew(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        key = await organizations.create_key("a")
        async with started(db, root) as authenticator:
            revision = query(tmp_path, "SELECT revision FROM organization_changes")
            before = time.time()
            await authenticator.authenticate(key.secret)
            with pytest.raises(RuntimeError):
                async with db.begin() as connection:
                    await authenticator.write_last_used(connection)
                    raise RuntimeError
            assert authenticator.used.keys() == {key.key.id}
            async with db.begin() as connection:
                committed = await authenticator.write_last_used(connection)
            committed()
            assert authenticator.used == {}
        (listed,) = await organizations.list_keys()
        assert listed.last_used_at is not None
        assert before <= listed.last_used_at <= time.time()
        assert query(tmp_path, "SELECT revision FROM organization_changes") == revision


async def test_an_older_use_never_replaces_a_newer_one(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        key = await organizations.create_key("a")
        authenticator = KeyAuthenticator(db, root)
        for at in (200.0, 100.0):
            authenticator.used = {key.key.id: at}
            async with db.begin() as connection:
                await authenticator.write_last_used(connection)
        assert (await organizations.list_keys())[0].last_used_at == 200.0


async def test_stopping_lets_waiting_requests_go(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        authenticator = KeyAuthenticator(db, root)
        await authenticator.start()
        waiting = asyncio.create_task(authenticator.authenticate("bad"))
        await asyncio.sleep(0.01)
        await authenticator.stop()
        assert await asyncio.wait_for(waiting, 1) is None
        assert await authenticator.authenticate("bad") is None
