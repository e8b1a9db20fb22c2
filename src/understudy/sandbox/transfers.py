"""Files into a container, out of it and listed, by its helper."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing, suppress
from typing import Final

from understudy.sandbox import helper
from understudy.sandbox.channel import (
    ChannelClosedError,
    Output,
    Patience,
    PatienceError,
    closing_descriptor,
    read_pieces,
    words,
    write_all,
)
from understudy.sandbox.interface import PathError, QuotaError, SandboxError, StoredFile
from understudy.sandbox.machine import ContainerProcess
from understudy.sandbox.watching import Excess

# Seconds for what stands in pipes when a command has ended and what it left in the background has not.
REST: Final = 0.02

_MOST_LISTED: Final = 10_000
# Bytes of their list, which no honest container comes near.
_MOST_OF_LIST: Final = 4 * 1024 * 1024
_MOST_ERRORS: Final = 4096
# Seconds in which files are written, read and listed, without a pause of their source.
_FILES: Final = 300.0
_SUM: Final = re.compile("[0-9a-f]{64}")


class Transfers:
    """The files of one container; see interface.Sandbox. `awake` wakes it, `disk` is its size in bytes, `excess` says
    which limit it was ended for, once it was."""

    def __init__(
        self, awake: Callable[[], Awaitable[ContainerProcess]], disk: int, excess: Callable[[], Excess | None]
    ) -> None:
        self._awake = awake
        self._disk = disk
        self._excess = excess

    async def put(self, path: str, data: AsyncIterable[bytes] | bytes, mode: int) -> None:
        _check(path)
        process = await self._awake()
        with closing(Output(_MOST_ERRORS, _MOST_ERRORS)) as errors:
            theirs, ours = os.pipe2(os.O_CLOEXEC)
            with closing_descriptor(ours):
                os.set_blocking(ours, False)
                ended = _ask(process, "P", [path, oct(mode)[2:]], [errors, errors, theirs])
                patience = Patience(_FILES)
                try:
                    with suppress(BrokenPipeError):
                        if isinstance(data, bytes):
                            await write_all(ours, data, patience)
                        else:
                            async for piece in data:
                                await write_all(ours, piece, patience)
                        await write_all(ours, b".", patience)
                except PatienceError:
                    raise await _stuck(process, path) from None
            await self._done(process, ended, errors, path)

    async def get(self, path: str) -> AsyncIterator[bytes]:
        _check(path)
        process = await self._awake()
        with closing(Output(_MOST_ERRORS, _MOST_ERRORS)) as errors:
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            with closing_descriptor(ours):
                os.set_blocking(ours, False)
                ended = _ask(process, "G", [path], [theirs, errors])
                left = self._disk
                try:
                    async for piece in read_pieces(ours, Patience(_FILES)):
                        left -= len(piece)
                        if left < 0:
                            # No file is that large.
                            raise await _stuck(process, path)
                        yield piece
                except PatienceError:
                    raise await _stuck(process, path) from None
            await self._done(process, ended, errors, path)

    async def files(self, below: str) -> list[StoredFile]:
        _check(below)
        process = await self._awake()
        with (
            closing(Output(_MOST_OF_LIST, _MOST_OF_LIST)) as out,
            closing(Output(_MOST_ERRORS, _MOST_ERRORS)) as errors,
        ):
            ended = _ask(process, "L", [below, str(_MOST_LISTED), str(2 * self._disk)], [out, errors])
            await self._done(process, ended, errors, below)
            await out.rest(REST)
        return sorted(listed(out.data(), below), key=lambda file: file.path)

    async def _done(self, process: ContainerProcess, ended: asyncio.Future[int], errors: Output, path: str) -> None:
        try:
            async with asyncio.timeout(_FILES):
                status = await ended
        except (TimeoutError, ChannelClosedError):
            await process.kill()
            if self._excess() == "disk":
                raise QuotaError(f"{path}: the container's disk is full") from None
            raise SandboxError(f"{path}: the container was ended") from None
        if not status:
            return
        await errors.rest(REST)
        said = errors.data().decode("utf-8", "replace") or path
        if status == helper.PATH_REFUSED:
            raise PathError(said)
        if status == helper.FULL:
            raise QuotaError(f"{path}: the container's disk is full")
        raise SandboxError(f"{path}: {said}")


def _ask(
    process: ContainerProcess, kind: str, request: Sequence[str], files: Sequence[int | Output]
) -> asyncio.Future[int]:
    try:
        return process.channel.send(kind, [words(request), *files])
    except ChannelClosedError:
        raise SandboxError("The container was ended.") from None


async def _stuck(process: ContainerProcess, path: str) -> SandboxError:
    await process.kill()
    return SandboxError(f"{path}: the container was ended")


def _check(path: str) -> None:
    if "\0" in path:
        raise PathError("a path cannot hold a zero byte")


def listed(data: bytes, below: str) -> list[StoredFile]:
    """What the helper told of files; what makes no sense is left out."""
    top = [part for part in below.split("/") if part not in ("", ".")]
    found: list[StoredFile] = []
    for line in data.split(b"\0")[:-1]:
        parts = line.split(b" ", 2)
        with suppress(ValueError, IndexError):
            size, digest, path = int(parts[0]), parts[1].decode("ascii"), parts[2].decode("utf-8")
            within = path.split("/")
            if _SUM.fullmatch(digest) and within[: len(top) + 1] == ["", *top] and not {"", ".", ".."} & {*within[1:]}:
                found.append(StoredFile(path, max(0, size), digest))
    return found
