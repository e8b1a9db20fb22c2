"""Models from Hugging Face, or from whatever speaks as it does (`HF_ENDPOINT`), kept in a directory of ours.

A download that broke off goes on where it ended. A file stands under its name only when it is whole and its SHA-256
is the one that the repository lists. The routes: https://huggingface.co/docs/hub/api and its `resolve` URLs.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import quote

import orjson

from understudy import __version__

from .failures import ModelLoadError
from .repository import ListedFile, Listing, Spec, choose, parse_listing, parse_spec

if TYPE_CHECKING:
    import aiohttp

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes of it that are here, and all its bytes."""

_ENDPOINT: Final = "https://huggingface.co"
_MOST_LISTING: Final = 16 * 1024 * 1024
_PIECE: Final = 1024 * 1024
# Seconds before each further try of a file. Each try that brought something begins the count again.
_PAUSES: Final = (0.5, 2.0, 5.0, 15.0)
# Seconds without a byte.
_IDLE: Final = 60.0
_LOCK_LOOK: Final = 0.2


async def resolve_model(
    spec: str,
    cache_dir: Path,
    *,
    progress: Progress | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> Path:
    """The file of the model: `spec` is its path, or `org/repo`, `org/repo:Q4_K_M` or `org/repo:file.gguf`.

    `endpoint` None is HF_ENDPOINT or Hugging Face itself, `token` None is HF_TOKEN. Without a network, or with
    HF_HUB_OFFLINE, what was downloaded before is taken. Raises ModelLoadError.
    """
    parsed = parse_spec(spec)
    if parsed is None:
        return _local(spec)
    hub = _Hub(
        endpoint or os.environ.get("HF_ENDPOINT") or _ENDPOINT,
        token or os.environ.get("HF_TOKEN"),
        cache_dir / parsed.repository.replace("/", "--"),
        progress,
    )
    return await hub.resolve(parsed)


class _Unreachable(Exception):  # noqa: N818 - part of this module only
    """No answer, or one that broke off."""


class _Hub:
    """One repository: what it lists, and the copies of its files in `directory`."""

    def __init__(self, endpoint: str, token: str | None, directory: Path, progress: Progress | None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._headers = {"User-Agent": f"understudy/{__version__}", "Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._directory = directory
        self._progress = progress

    async def resolve(self, spec: Spec) -> Path:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=15.0, sock_read=_IDLE)
        try:
            # An operator's own proxy settings hold here.
            async with aiohttp.ClientSession(timeout=timeout, headers=self._headers, trust_env=True) as session:
                listing = await self._listing(session, spec)
                chosen = choose(listing, spec)
                self._check_room(listing, chosen)
                for file in chosen:
                    await self._fetch(session, spec, listing, file)
                return self._path(listing, chosen[0])
        except OSError as error:
            raise ModelLoadError(f"The model cannot be kept in {self._directory}: {error}.") from error

    async def _listing(self, session: aiohttp.ClientSession, spec: Spec) -> Listing:
        """What the repository lists now, or where that cannot be asked, what it listed last."""
        kept = self._directory / "listing.json"
        try:
            if os.environ.get("HF_HUB_OFFLINE", "0").lower() not in ("", "0", "false", "no"):
                raise _Unreachable("HF_HUB_OFFLINE is set")
            body = await self._get(session, f"/api/models/{spec.repository}/revision/main?blobs=true", spec)
        except _Unreachable as error:
            if kept.is_file():
                return parse_listing(_json(kept.read_bytes()))
            raise ModelLoadError(
                f"The model {spec.repository} is not here and cannot be downloaded from {self._endpoint}: {error}."
            ) from error
        listing = parse_listing(_json(body))
        self._directory.mkdir(parents=True, exist_ok=True)
        new = kept.with_suffix(f".{os.getpid()}")
        new.write_bytes(body)
        new.replace(kept)
        return listing

    async def _get(self, session: aiohttp.ClientSession, path: str, spec: Spec) -> bytes:
        import aiohttp

        try:
            async with session.get(self._endpoint + path) as response:
                self._check_status(response, spec)
                body = await response.content.read(_MOST_LISTING)
                while piece := await response.content.read(_PIECE):
                    body += piece
                    if len(body) > _MOST_LISTING:
                        raise ModelLoadError("The model repository's list of files is too long.")
                return body
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _Unreachable(str(error) or type(error).__name__) from error

    def _check_status(self, response: aiohttp.ClientResponse, spec: Spec) -> None:
        if response.status in (401, 403):
            raise ModelLoadError(
                f"The repository {spec.repository} does not exist or needs a token that may read it: set HF_TOKEN."
            )
        if response.status == 404:
            raise ModelLoadError(f"There is no repository {spec.repository} at {self._endpoint}.")
        if response.status not in (200, 206):
            raise _Unreachable(f"it answers with status {response.status}")

    def _path(self, listing: Listing, file: ListedFile) -> Path:
        return self._directory / listing.commit / file.path

    def _check_room(self, listing: Listing, files: list[ListedFile]) -> None:
        missing = sum(file.size for file in files if not self._path(listing, file).is_file())
        if missing and (free := shutil.disk_usage(self._directory).free) < missing:
            raise ModelLoadError(f"The model has {missing} bytes, and {self._directory} has room for {free}.")

    async def _fetch(self, session: aiohttp.ClientSession, spec: Spec, listing: Listing, file: ListedFile) -> None:
        """Have the whole file under its name."""
        path = self._path(listing, file)
        if path.is_file() and path.stat().st_size == file.size:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        url = f"{self._endpoint}/{spec.repository}/resolve/{listing.commit}/{quote(file.path)}"
        with path.with_name(path.name + ".part").open("ab") as part:
            await _lock(part)
            # Another process may have been at it meanwhile, and then this name is no longer the file's.
            if path.is_file() and path.stat().st_size == file.size:
                return
            tries = 0
            while True:
                before = _size(part)
                try:
                    await self._fill(session, spec, url, part, file)
                    break
                except _Unreachable as error:
                    tries = 0 if _size(part) > before else tries + 1
                    if tries >= len(_PAUSES):
                        raise ModelLoadError(
                            f"The download of {file.path} broke off: {error}. The next try goes on from there."
                        ) from error
                    await asyncio.sleep(_PAUSES[tries])
            digest = await asyncio.to_thread(_digest, Path(part.name))
            if file.sha256 is not None and digest != file.sha256:
                part.truncate(0)
                raise ModelLoadError(f"What was downloaded of {file.path} is not what the repository lists (SHA-256).")
            await asyncio.to_thread(_finish, part, path)

    async def _fill(
        self, session: aiohttp.ClientSession, spec: Spec, url: str, part: BinaryIO, file: ListedFile
    ) -> None:
        """Append what is missing. Raises _Unreachable where that does not come."""
        import aiohttp

        have = part.seek(0, os.SEEK_END)
        if have > file.size:
            have = part.truncate(0)
        self._tell(file, have)
        if have == file.size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            async with session.get(url, headers=headers) as response:
                self._check_status(response, spec)
                if response.status == 200 or not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                    if response.status == 206:
                        raise _Unreachable("it answers with another range")
                    have = part.truncate(0)
                while data := await response.content.read(_PIECE):
                    have += len(data)
                    if have > file.size:
                        part.truncate(0)
                        raise _Unreachable("it sends more than the repository lists")
                    await asyncio.to_thread(part.write, data)
                    self._tell(file, have)
        except (aiohttp.ClientError, TimeoutError, ConnectionError, ValueError) as error:
            raise _Unreachable(str(error) or type(error).__name__) from error
        finally:
            part.flush()
        if have < file.size:
            raise _Unreachable("it ended too early")

    def _tell(self, file: ListedFile, have: int) -> None:
        if self._progress is not None:
            self._progress(file.path, have, file.size)


async def _lock(file: BinaryIO) -> None:
    """One process at a time. The lock ends with the process that has it."""
    import fcntl

    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            await asyncio.sleep(_LOCK_LOOK)


def _local(spec: str) -> Path:
    path = Path(spec).expanduser()
    if not path.is_file():
        raise ModelLoadError(f"There is no model at {path}.")
    return path


def _size(file: BinaryIO) -> int:
    file.flush()
    return os.fstat(file.fileno()).st_size


def _finish(part: BinaryIO, path: Path) -> None:
    os.fsync(part.fileno())
    Path(part.name).replace(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except ValueError:
        return None
