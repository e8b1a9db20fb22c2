from __future__ import annotations

import hashlib
import hmac
import pickle
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installations import installation, output_of, query, start_python
from understudy.settings import SecuritySettings, SettingsError, StorageSettings
from understudy.storage.secrets import RootSecret, RootSecretError, check_root_secret

OLD, NEW, NEWER, FOREIGN = ("old-" * 8, "new-" * 8, "newer" * 8, "else" * 8)

_LOAD = """
import sys
from pathlib import Path
from understudy.settings import SecuritySettings, StorageSettings
from understudy.storage.secrets import RootSecret

print(RootSecret.load(SecuritySettings(), StorageSettings(data_dir=Path(sys.argv[1]))).key_id)
"""


def load(data_dir: Path, given: str | None = None) -> RootSecret:
    security = SecuritySettings.model_validate({"root_secret": given})
    return RootSecret.load(security, StorageSettings(data_dir=data_dir))


def test_the_first_start_makes_a_secret_that_only_this_user_can_read(tmp_path: Path) -> None:
    made = load(tmp_path / "data")
    path = tmp_path / "data" / "root.secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().strip()) == 64
    assert load(tmp_path / "data").derive("x") == made.derive("x")
    assert load(tmp_path / "other").derive("x") != made.derive("x")


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    processes = [start_python(_LOAD, str(tmp_path / "data")) for _ in range(4)]
    assert len({output_of(process) for process in processes}) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    load(tmp_path)
    (tmp_path / "root.secret").chmod(mode)
    with pytest.raises(RootSecretError, match=f"mode {mode:04o}.* chmod 600"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"short\n", "at least 32 characters"), (b"\xff" * 40, "not UTF-8")]
)
def test_a_secret_file_that_cannot_be_one_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    load(tmp_path)
    (tmp_path / "root.secret").write_bytes(content)
    with pytest.raises(RootSecretError, match=says):
        load(tmp_path)


@pytest.mark.parametrize("given", ["", ",", "a" * 31, f"{NEW},{'a' * 31}"])
def test_a_secret_that_is_too_short_is_refused_without_being_shown(tmp_path: Path, given: str) -> None:
    with pytest.raises(RootSecretError, match="at least 32 characters") as raised:
        load(tmp_path, given)
    assert "aaa" not in str(raised.value)
    assert issubclass(RootSecretError, SettingsError)
    assert not (tmp_path / "root.secret").exists()


def test_the_first_of_several_secrets_is_for_what_is_new_and_all_are_for_verifying(tmp_path: Path) -> None:
    old, both = load(tmp_path, OLD), load(tmp_path, f" {NEW} , {OLD},")
    assert both.key_ids == [load(tmp_path, NEW).key_id, old.key_id]
    assert both.derive("x") == load(tmp_path, NEW).derive("x")
    assert both.derive_all("x") == [(both.key_id, both.derive("x")), (old.key_id, old.derive("x"))]


@given(
    purpose=st.text(st.characters(exclude_categories=["Cs"])), other=st.text(st.characters(exclude_categories=["Cs"]))
)
def test_each_purpose_gets_a_key_of_its_own_by_hkdf(purpose: str, other: str) -> None:
    root = RootSecret([NEW])
    extracted = hmac.new(b"understudy root secret 1", NEW.encode(), hashlib.sha256).digest()
    expected = hmac.new(extracted, b"derive " + purpose.encode() + b"\x01", hashlib.sha256).digest()
    assert root.derive(purpose) == expected
    assert (root.derive(other) == expected) == (other == purpose)


def test_nothing_shows_a_secret_or_what_is_derived_from_it(tmp_path: Path) -> None:
    root = load(tmp_path, f"{NEW},{OLD}")
    shown = f"{root!r} {root!s} {root.key_ids}"
    assert NEW not in shown
    assert OLD not in shown
    assert root.derive("key id").hex()[:16] not in shown
    assert all(len(key_id) == 16 for key_id in root.key_ids)
    with pytest.raises(TypeError):
        pickle.dumps(root)


def known(data_dir: Path) -> list[str]:
    ((key_ids,),) = query(data_dir, "SELECT root_key_ids FROM installation")
    return str(key_ids).split(",")


async def test_a_replica_with_another_secret_refuses_to_start(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        await check_root_secret(db, root)
        await check_root_secret(db, root)
        foreign = RootSecret([FOREIGN])
        with pytest.raises(RootSecretError, match="is not this installation's") as raised:
            await check_root_secret(db, foreign)
        assert foreign.key_id in str(raised.value)
        assert root.key_id in str(raised.value)
        assert known(tmp_path) == root.key_ids


async def test_after_a_rotation_the_old_secret_alone_is_refused(tmp_path: Path) -> None:
    old, rotating, new = RootSecret([OLD]), RootSecret([NEW, OLD]), RootSecret([NEW])
    async with installation(tmp_path) as (db, _):
        for root in (old, rotating, new):
            await check_root_secret(db, root)
            assert known(tmp_path) == root.key_ids
        with pytest.raises(RootSecretError):
            await check_root_secret(db, old)
        await check_root_secret(db, RootSecret([NEWER, NEW]))
        await check_root_secret(db, RootSecret([NEWER]))


async def test_a_replica_that_still_has_the_old_secret_does_not_turn_a_rotation_back(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        await check_root_secret(db, RootSecret([OLD]))
        await check_root_secret(db, RootSecret([NEW, OLD]))
        await check_root_secret(db, RootSecret([OLD]))
        assert known(tmp_path) == RootSecret([NEW, OLD]).key_ids
        await check_root_secret(db, RootSecret([NEW]))


async def test_a_rotation_may_first_spread_the_new_secret_and_then_use_it(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        for values in ([OLD], [OLD, NEW], [NEW, OLD], [NEW]):
            await check_root_secret(db, RootSecret(values))
            assert known(tmp_path) == RootSecret(values).key_ids
