"""The root secret: one secret from which the keys for hashes, signatures and encryption are derived."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from understudy.settings import SecuritySettings, SettingsError, StorageSettings
from understudy.storage import sqlite
from understudy.storage.database import Database
from understudy.storage.tables import installation

FILE_NAME = "root.secret"
LEAST_CHARACTERS = 32

_SALT = b"understudy root secret 1"


class RootSecretError(SettingsError):
    """A root secret that cannot be used, or is not this installation's."""


class RootSecret:
    """The current root secret and, while rotating, those before it. Shows nothing of them but their key ids."""

    __slots__ = ("_extracted", "_key_ids")

    def __init__(self, values: Sequence[str]) -> None:
        """`values`: the current secret first. Raises RootSecretError when one is shorter than 32 characters."""
        if not values or any(len(value) < LEAST_CHARACTERS for value in values):
            raise RootSecretError(
                f"security.root_secret: each secret needs at least {LEAST_CHARACTERS} characters; "
                "while rotating, separate the new one and the old ones by commas."
            )
        # HKDF's extract step (RFC 5869): what is kept is not the secret itself.
        unique = list(dict.fromkeys(values))
        self._extracted = [hmac.digest(_SALT, value.encode("utf-8", "surrogatepass"), "sha256") for value in unique]
        self._key_ids = [_expand(extracted, "key id")[:8].hex() for extracted in self._extracted]

    @classmethod
    def load(cls, security: SecuritySettings, storage: StorageSettings) -> RootSecret:
        """From the setting, else from the file `root.secret` in the data directory, which is made if need be."""
        if security.root_secret is not None:
            return cls(_split(security.root_secret.get_secret_value()))
        return cls(_split(_read_or_make(storage.data_dir.expanduser())))

    @property
    def key_id(self) -> str:
        """The current secret's public name: 16 hexadecimal digits that tell nothing of it."""
        return self._key_ids[0]

    @property
    def key_ids(self) -> list[str]:
        """All secrets' key ids, the current one first."""
        return list(self._key_ids)

    def derive(self, purpose: str) -> bytes:
        """32 bytes for `purpose`, from the current secret: for what is newly signed, hashed or encrypted."""
        return _expand(self._extracted[0], "derive " + purpose)

    def derive_all(self, purpose: str) -> list[tuple[str, bytes]]:
        """(key id, 32 bytes) for `purpose` from each secret, the current one first: for verifying."""
        keys = (_expand(extracted, "derive " + purpose) for extracted in self._extracted)
        return list(zip(self._key_ids, keys, strict=True))

    def __repr__(self) -> str:
        return f"RootSecret({', '.join(self._key_ids)})"

    def __reduce__(self) -> str:
        raise TypeError("a root secret is not pickled")


async def check_root_secret(db: Database, root: RootSecret) -> None:
    """Refuse a root secret that is not this installation's, and remember a new one that comes with an old one.

    The first to come is taken as it is. Raises RootSecretError.
    """
    try:
        await _check(db, root)
    except IntegrityError:  # another server was the first, a moment ago
        await _check(db, root)


async def _check(db: Database, root: RootSecret) -> None:
    async with db.begin() as connection:
        now = time.time()
        row = select(installation.c.root_key_ids).where(installation.c.id == 1).with_for_update()
        known_text = (await connection.execute(row)).scalar()
        given = root.key_ids
        if known_text is None:
            values = {"id": 1, "root_key_ids": ",".join(given), "created_at": now, "updated_at": now}
            await connection.execute(insert(installation).values(values))
            return
        known = known_text.split(",")
        if not set(given) & set(known):
            raise RootSecretError(
                f"security.root_secret: its key id {', '.join(given)} is not this installation's ({', '.join(known)}), "
                f"whose keys and signatures it could not verify. Give the root secret the database {db.url} was first "
                "started with; to rotate, give the new one first and the old one behind a comma."
            )
        # A replica that still has an older list must not turn the row back.
        if given != known and (given[0] not in known or given[0] == known[0] or set(given) >= set(known)):
            values = {"root_key_ids": ",".join(given), "updated_at": now}
            await connection.execute(update(installation).where(installation.c.id == 1).values(values))


def _expand(extracted: bytes, info: str) -> bytes:
    """HKDF's expand step for one block of SHA-256 (RFC 5869, section 2.3)."""
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_or_make(directory: Path) -> str:
    sqlite.make_directory(directory, "storage.data_dir")
    path = directory / FILE_NAME
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise RootSecretError(f"The root secret {path} cannot be made: {error.strerror}.") from error
    text = secrets.token_hex(32)
    try:
        os.write(file, text.encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)
    _sync_directory(directory)
    return text


def _read(path: Path) -> str:
    # Another starter may have made the file and not have written it yet; its line feed says that it has.
    deadline = time.monotonic() + 2.0
    while True:
        text = _read_private(path)
        if text.endswith("\n") or (text and time.monotonic() > deadline):
            return text
        if time.monotonic() > deadline:
            raise RootSecretError(f"The root secret {path} is empty. Restore it, or remove it to have a new one made.")
        time.sleep(0.01)


def _read_private(path: Path) -> str:
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise RootSecretError(f"The root secret {path} is not a file.")
            if os.name == "posix" and status.st_mode & 0o077:
                raise RootSecretError(
                    f"The root secret {path} can be read by others (mode {status.st_mode & 0o777:04o}). "
                    f"Run: chmod 600 {path}"
                )
            return os.read(file, 65_536).decode("utf-8")
        finally:
            os.close(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        # From None: a decoding error's repr carries the bytes.
        raise RootSecretError(f"The root secret {path} cannot be read: {reason}.") from None


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":
        file = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
