"""One blob while it is written: bounded in memory, hashed on the way, whole or not there at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# Bytes below which hashing is not worth a thread.
_SMALL: Final = 64 * 1024


class Sizes(NamedTuple):
    """In bytes: what is handed over at once, and what the store sends at once. `at_once`: how many of the latter."""

    block: int
    part: int
    at_once: int


class _AbortedError(Exception):
    """Tells the store that no more will come; it then takes back what it has."""


class BlobWriter:
    """Made by `Blobs.writing`. `size` is how many bytes were written; `sha256` is known once the block has ended."""

    __slots__ = (
        "_aborting",
        "_digest",
        "_hashing",
        "_name",
        "_pending",
        "_pending_bytes",
        "_queue",
        "_sizes",
        "_store",
        "_task",
        "_translated",
        "sha256",
        "size",
    )

    def __init__(
        self, store: ObjectStore, name: str, sizes: Sizes, translated: Callable[[Exception], Exception]
    ) -> None:
        self._store = store
        self._name = name
        self._sizes = sizes
        self._translated = translated
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._digest = hashlib.sha256()
        self._hashing: asyncio.Future[None] | None = None
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(2)
        self._task: asyncio.Task[None] | None = None
        self._aborting = False
        self.size = 0
        self.sha256 = ""

    async def __aenter__(self) -> BlobWriter:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                await self._finish()
            except BaseException:
                await self._abort()
                await self._take_back()
                raise
        else:
            await self._abort()

    async def write(self, piece: bytes) -> None:
        """Raises BlobsError when the store cannot take it. Waits while the store is behind."""
        self.size += len(piece)
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        # Until there is more than one part the blob may yet be sent in a single request.
        if self._pending_bytes >= (self._sizes.part if self._task is None else self._sizes.block):
            await self._hand_over(await self._taken())

    async def _taken(self) -> bytes:
        """What is pending, on its way into the hash."""
        block = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        await self._hashed()
        if len(block) <= _SMALL:
            self._digest.update(block)
        else:
            # A thread of its own: the next block is received meanwhile.
            self._hashing = asyncio.get_running_loop().run_in_executor(None, self._digest.update, block)
        return block

    async def _hashed(self) -> None:
        hashing, self._hashing = self._hashing, None
        if hashing is not None:
            await hashing

    async def _hand_over(self, block: bytes | None) -> None:
        task = self._task
        if task is None:
            task = self._task = asyncio.get_running_loop().create_task(self._send())
        if not task.done() and not self._queue.full():
            self._queue.put_nowait(block)
            return
        putting = asyncio.ensure_future(self._queue.put(block))
        try:
            await asyncio.wait({putting, task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()
        if task.done():
            # It ends by itself only when it fails.
            await task

    async def _send(self, whole: bytes | None = None) -> None:
        try:
            if whole is not None:
                await self._store.put_async(self._name, whole, use_multipart=False)
                return
            await self._store.put_async(
                self._name,
                self._blocks(),
                use_multipart=True,
                chunk_size=self._sizes.part,
                max_concurrency=self._sizes.at_once,
            )
        except Exception as error:
            raise self._translated(error) from error

    async def _blocks(self) -> AsyncGenerator[bytes]:
        while True:
            block = await self._queue.get()
            if self._aborting:
                raise _AbortedError
            if block is None:
                return
            yield block

    async def _finish(self) -> None:
        last = await self._taken()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._send(last))
        else:
            if last:
                await self._hand_over(last)
            await self._hand_over(None)
        await asyncio.shield(self._task)
        await self._hashed()
        self.sha256 = self._digest.hexdigest()

    async def _abort(self) -> None:
        """Have the store take back its parts. Its task is never cancelled: it would leave them where they are."""
        self._pending.clear()
        task = self._task
        if task is None:
            return
        self._aborting = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()

    async def _take_back(self) -> None:
        """It may have become whole although we were told otherwise."""
        try:
            await self._store.delete_async(self._name)
        except Exception:
            return
