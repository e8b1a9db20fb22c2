from __future__ import annotations

import asyncio
import logging
import time
import uuid
from pathlib import Path

import pytest

from installations import all_bytes, installation, output_of, query, start_python
from understudy.organization.service import Organizations
from understudy.wire.errors import InvalidRequestError, NotFoundError

_ENSURE = """
import asyncio, sys
from pathlib import Path
from understudy.organization.service import Organizations
from understudy.settings import SecuritySettings, StorageSettings
from understudy.storage.database import Database
from understudy.storage.migrate import migrate
from understudy.storage.secrets import RootSecret, check_root_secret

async def main():
    settings = StorageSettings(data_dir=Path(sys.argv[1]))
    db = Database(settings)
    await migrate(db)
    root = RootSecret.load(SecuritySettings(), settings)
    await check_root_secret(db, root)
    print(await Organizations(db, root).ensure_installation())
    await db.dispose()

asyncio.run(main())
"""


async def test_the_organization_and_its_default_workspace_are_made_once(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        made = await asyncio.gather(*(organizations.ensure_installation() for _ in range(5)))
    assert len(set(made)) == 1
    assert str(uuid.UUID(made[0].organization_id)) == made[0].organization_id
    assert made[0].workspace_id.startswith("wrkspc_01")
    assert query(tmp_path, "SELECT name, is_default, archived_at FROM workspaces") == [("Default", 1, None)]


async def test_processes_that_start_an_installation_at_once_find_one_organization(tmp_path: Path) -> None:
    processes = [start_python(_ENSURE, str(tmp_path / "data")) for _ in range(3)]
    assert len({output_of(process) for process in processes}) == 1
    assert query(tmp_path / "data", "SELECT count(*) FROM organizations") == [(1,)]


async def test_keys_are_made_listed_counted_and_revoked(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        first = await organizations.create_key("first")
        admin = await organizations.create_key("admin", "admin", expires_at=time.time() + 60)
        home = await organizations.ensure_installation()
        assert (first.key.workspace_id, admin.key.workspace_id) == (home.workspace_id, None)
        assert first.key.id.startswith("apikey_01")
        assert await organizations.list_keys() == [first.key, admin.key]
        assert [await organizations.count_keys(kind) for kind in (None, "api", "admin")] == [2, 1, 1]
        revoked = await organizations.revoke_key(first.key.id)
        assert (revoked.id, revoked.status, revoked.is_live(time.time())) == (first.key.id, "archived", False)
        assert (await organizations.revoke_key(first.key.id)).status == "archived"
        assert await organizations.count_keys() == 1
        assert [key.status for key in await organizations.list_keys()] == ["archived", "active"]


async def test_replacing_a_key_archives_those_of_its_name_and_kind_only(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        await organizations.create_key("dev")
        await organizations.create_key("dev")
        await organizations.create_key("dev", "admin")
        await organizations.create_key("other")
        new = await organizations.replace_key("dev")
        listed = [(key.name, key.kind, key.status) for key in await organizations.list_keys()]
        assert listed == [
            ("dev", "api", "archived"),
            ("dev", "api", "archived"),
            ("dev", "admin", "active"),
            ("other", "api", "active"),
            ("dev", "api", "active"),
        ]
        assert (await organizations.list_keys())[-1] == new.key


async def test_every_write_raises_the_changes_number_and_a_failed_one_does_not(tmp_path: Path) -> None:
    numbers: list[object] = []
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)

        def note() -> None:
            numbers.append(query(tmp_path, "SELECT revision FROM organization_changes")[0][0])

        note()
        key = await organizations.create_key("a")
        note()
        await organizations.replace_key("a")
        note()
        await organizations.revoke_key(key.key.id)
        note()
        with pytest.raises(NotFoundError):
            await organizations.revoke_key("apikey_none")
        note()
    assert numbers == [0, 1, 2, 3, 3]


async def test_an_expired_key_is_not_counted(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        await organizations.create_key("brief", expires_at=time.time() + 0.2)
        assert await organizations.count_keys() == 1
        await asyncio.sleep(0.25)
        assert await organizations.count_keys() == 0


@pytest.mark.parametrize("name", ["", "x" * 501, "line\nfeed", "escape\x1b[31m", "null\0", "\u202eright to left"])
async def test_abuse_59_a_key_name_that_could_forge_a_line_of_log_is_refused(tmp_path: Path, name: str) -> None:
    async with installation(tmp_path) as (db, root):
        for make in (Organizations(db, root).create_key, Organizations(db, root).replace_key):
            with pytest.raises(InvalidRequestError, match=r"^name: "):
                await make(name)


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE api_keys; --", '" OR ""="', "%", "' UNION SELECT hash FROM api_keys --"]
)
async def test_abuse_59_names_and_ids_are_never_read_as_sql(tmp_path: Path, text: str) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        other = await organizations.create_key("other")
        made = await organizations.replace_key(text)
        with pytest.raises(NotFoundError):
            await organizations.revoke_key(text)
        assert await organizations.list_keys() == [other.key, made.key]


@pytest.mark.parametrize("expires_at", [0.0, -1.0, float("inf"), float("nan")])
async def test_a_key_cannot_expire_in_the_past_or_at_no_time(tmp_path: Path, expires_at: float) -> None:
    async with installation(tmp_path) as (db, root):
        with pytest.raises(InvalidRequestError, match=r"^expires_at: "):
            await Organizations(db, root).create_key("x", expires_at=expires_at)


async def test_abuse_01_no_key_secret_is_stored_anywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        made = [await organizations.create_key("one"), await organizations.replace_key("one", "admin")]
        shown = [repr(made), str(made), repr(organizations), repr(await organizations.list_keys())]
        stored = all_bytes(tmp_path)
    stored += all_bytes(tmp_path)  # once more, now that the write-ahead log is folded in
    printed = "".join(shown) + caplog.text + "".join(capfd.readouterr())
    for new in made:
        random_part = new.secret.rpartition("-")[2]
        # Not even half of it, nor the checksum with the characters before that the hint does not show.
        for part in (new.secret, random_part[:24], random_part[-24:], random_part[3:-4]):
            assert part.encode() not in stored
            assert part not in printed


async def test_abuse_02_a_secret_is_returned_once_and_then_only_hinted_at(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        new = await organizations.create_key("one")
        (listed,) = await organizations.list_keys()
        assert not hasattr(listed, "secret")
        assert listed.partial_key_hint == f"{new.secret[:21]}...{new.secret[-4:]}"
