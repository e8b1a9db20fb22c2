"""Bytes too large for the database: a local directory by default; S3, Google Cloud, Azure or memory by one URL.

A blob is written whole or not at all, a piece at a time and never all of it in memory. The library behind it is
imported when the first blob is touched: a server that never sees one does not pay for it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote, urlsplit

from understudy.settings import SettingsError
from understudy.storage.blob_writer import BlobWriter, Sizes
from understudy.storage.sqlite import make_directory

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

SCHEMES: Final = ("file", "memory", "s3", "gs", "az")

# A part of S3's multipart uploads has at least 5 MiB, so that is what a writer holds twice.
_LOCAL: Final = Sizes(block=512 * 1024, part=1024 * 1024, at_once=2)
_REMOTE: Final = Sizes(block=1024 * 1024, part=5 * 1024 * 1024, at_once=2)
_READ: Final = 256 * 1024
# Names in one request that deletes.
_MOST_AT_ONCE: Final = 500
# What obstore calls a blob in a directory until it is whole.
_UNFINISHED: Final = re.compile(r".+#\d+")
# ENOSPC, EDQUOT, EFBIG. obstore gives their numbers in its text only.
_FULL: Final = re.compile(r"os error (28|122|27)\b")
# Seconds. What a request waits for a store that does not answer; its own patience would be three minutes.
_RETRY: Final[dict[str, Any]] = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
# Plain http is spoken only with an endpoint whose URL says so.
_CLIENT: Final[dict[str, Any]] = {"connect_timeout": "5s", "timeout": "60s", "allow_http": True}


class BlobsError(Exception):
    """Blobs cannot be read or written now. The message is for the log: it may name hosts and paths."""


class BlobsFullError(BlobsError):
    """There is no room left where blobs are kept."""


class BlobNotFoundError(BlobsError):
    """There is no blob of that name."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """`size` in bytes; `modified` in seconds since the epoch."""

    name: str
    size: int
    modified: float


class Blobs:
    """One store of blobs. Names are paths such as `files/wrkspc_…/file_…`, made by us and never by a client.

    `url` is None for `directory`, else file:///dir, memory:///, s3://bucket/prefix, gs://bucket/prefix or
    az://account/container/prefix. Credentials of the latter come from the environment variables of their vendors
    (AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL …). Raises SettingsError for a URL that cannot be one.
    """

    def __init__(self, url: str | None, directory: Path) -> None:
        self._directory: Path | None = directory.expanduser()
        self._url = url
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in SCHEMES:
                raise SettingsError(
                    f"storage.blobs: {parts.scheme or 'a URL without a scheme'} is not supported; use one of "
                    f"{', '.join(scheme + '://' for scheme in SCHEMES)}."
                )
            if parts.scheme in {"s3", "gs", "az"} and not parts.netloc:
                raise SettingsError(f"storage.blobs: {parts.scheme}:// needs the name of a bucket.")
            if parts.scheme == "file" and (parts.netloc or not parts.path.strip("/")):
                raise SettingsError("storage.blobs: a directory is written file:///absolute/path.")
            self._directory = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._sizes = _REMOTE if url is not None and urlsplit(url).scheme in {"s3", "gs", "az"} else _LOCAL
        self._opened: ObjectStore | None = None

    @property
    def directory(self) -> Path | None:
        """Where blobs are files of this machine; None elsewhere."""
        return self._directory

    def check(self) -> None:
        """Make the store of a URL that was given, so that a wrong one is found at the start. Raises SettingsError."""
        if self._url is not None:
            try:
                self._store()
            except BlobsError as error:
                raise SettingsError(f"storage.blobs: {error}") from None

    def _store(self) -> ObjectStore:
        if self._opened is None:
            from obstore.exceptions import BaseError
            from obstore.store import LocalStore, MemoryStore, from_url

            try:
                if self._directory is not None:
                    make_directory(self._directory, "storage.blobs")
                    self._opened = LocalStore(prefix=self._directory, mkdir=True)
                elif self._url is None or self._url.startswith("memory:"):
                    self._opened = MemoryStore()
                else:
                    options: Any = {"retry_config": _RETRY, "client_options": _CLIENT}
                    self._opened = from_url(self._url, **options)
            except (BaseError, OSError, ValueError, SettingsError) as error:
                raise BlobsError(str(error)) from error
        return self._opened

    def writing(self, name: str) -> BlobWriter:
        """`async with blobs.writing(name) as writer: await writer.write(piece)`.

        At the end of the block the blob is there; if the block raises, or is cancelled, nothing is. Raises BlobsError,
        from `write` too.
        """
        return BlobWriter(self._store(), name, self._sizes, translated)

    async def put(self, name: str, data: bytes) -> None:
        """A blob at once. Raises BlobsError."""
        async with self.writing(name) as writer:
            await writer.write(data)

    async def read(self, name: str) -> bytes:
        """A whole blob, for those known to be small enough. Raises BlobsError."""
        try:
            result = await self._store().get_async(name)
            return (await result.bytes_async()).to_bytes()
        except Exception as error:
            raise translated(error) from error

    async def stream(self, name: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """Pieces of a blob from byte `start` up to `end`, not inclusive.

        It is opened before the first piece is asked for: what is missing raises BlobsError here.
        """
        try:
            if end is not None:
                result = await self._store().get_async(name, options={"range": (start, end)})
            elif start:
                result = await self._store().get_async(name, options={"range": {"offset": start}})
            else:
                result = await self._store().get_async(name)
        except Exception as error:
            raise translated(error) from error
        return _pieces(result.stream(min_chunk_size=_READ))

    async def delete(self, names: Sequence[str]) -> None:
        """Delete blobs; one that is not there is none the less gone. Raises BlobsError, with the rest left."""
        if not names or (self._directory is not None and not self._directory.is_dir()):
            return
        store = self._store()
        try:
            if self._sizes is _REMOTE:
                for start in range(0, len(names), _MOST_AT_ONCE):
                    await store.delete_async(names[start : start + _MOST_AT_ONCE])
            else:
                for name in names:
                    with suppress(FileNotFoundError):
                        await store.delete_async(name)
        except FileNotFoundError:
            pass
        except Exception as error:
            raise translated(error) from error

    async def list(self, prefix: str) -> AsyncIterator[StoredBlob]:
        """All whole blobs below `prefix`, which ends where a segment of a path does. Raises BlobsError."""
        if self._directory is not None and not (self._directory / prefix).is_dir():
            return
        try:
            # Its type covers Arrow too, which is not installed.
            stream: AsyncIterator[Sequence[ObjectMeta]] = cast("Any", self._store()).list_async(
                prefix, chunk_size=1_000
            )
            async for found in stream:
                for meta in found:
                    yield StoredBlob(meta["path"], meta["size"], meta["last_modified"].timestamp())
        except GeneratorExit:
            raise
        except Exception as error:
            raise translated(error) from error

    async def clear_unfinished(self, prefix: str, older_than: float) -> int:
        """Delete what writers that were killed left below `prefix`, not touched for `older_than` seconds.

        Returns how many. Elsewhere than in a directory nothing can be seen of them: a bucket needs a lifecycle rule
        that ends incomplete multipart uploads (docs/files.md).
        """
        if self._directory is None:
            return 0
        return await asyncio.to_thread(_clear, self._directory / prefix, time.time() - older_than)


def translated(error: Exception) -> Exception:
    """An error of obstore's or the system's as one of ours; others as they are."""
    from obstore.exceptions import BaseError

    if isinstance(error, BlobsError) or not isinstance(error, (BaseError, OSError, ValueError)):
        return error
    if isinstance(error, FileNotFoundError):
        return BlobNotFoundError(str(error))
    full = _FULL.search(str(error)) or (isinstance(error, OSError) and error.errno in {28, 122, 27})
    return (BlobsFullError if full else BlobsError)(str(error))


async def _pieces(stream: Any) -> AsyncGenerator[bytes]:
    try:
        async for piece in stream:
            yield bytes(piece)
    except GeneratorExit:
        raise
    except Exception as error:
        raise translated(error) from error


def _clear(folder: Path, before: float) -> int:
    cleared = 0
    for path in folder.rglob("*#*") if folder.is_dir() else ():
        with suppress(OSError):
            if _UNFINISHED.fullmatch(path.name) and path.stat().st_mtime < before:
                path.unlink()
                cleared += 1
    return cleared
