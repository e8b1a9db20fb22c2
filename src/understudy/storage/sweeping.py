"""Work that a server does again and again beside its requests, and blobs that nobody has any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import structlog

from understudy.storage.blobs import Blobs, BlobsError

_AT_ONCE: Final = 500

_log = structlog.stdlib.get_logger("understudy.storage")


class Sweep(NamedTuple):
    """`work`, first after `first` seconds, and then `every` so many seconds after its end."""

    work: Callable[[], Awaitable[object]]
    first: float
    every: float


class Sweeps:
    """`what`: what is swept. Every server may: what one has removed others do not find."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, *sweeps: Sweep) -> None:
        """Do all of `sweeps` until stopped."""
        self._tasks = {asyncio.create_task(self._run(sweep), name=f"{self._what} sweep") for sweep in sweeps}

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, sweep: Sweep) -> None:
        wait, failing = sweep.first, False
        while True:
            await asyncio.sleep(wait)
            wait = sweep.every
            try:
                await sweep.work()
                failing = False
            except Exception as error:
                if not failing:  # one line an outage
                    _log.warning(f"{self._what} cannot be swept", reason=f"{type(error).__name__}: {error}"[:300])
                failing = True


async def delete_orphans(
    blobs: Blobs, prefix: str, needed: Callable[[list[str]], Awaitable[set[str]]], *, now: float, abandoned: float
) -> int:
    """Delete the blobs below `prefix` that are older than `abandoned` seconds and not among those that are `needed`,
    which is asked for some names at a time. Returns how many. Raises BlobsError.
    """
    swept = await blobs.clear_unfinished(prefix, abandoned)
    some: list[str] = []

    async def delete() -> int:
        kept = await needed(some)
        orphans = [name for name in some if name not in kept]
        some.clear()
        try:
            await blobs.delete(orphans)
        except BlobsError as error:
            _log.warning("blobs could not be deleted", reason=str(error)[:300])
            return 0
        return len(orphans)

    async for blob in blobs.list(prefix):
        if blob.modified < now - abandoned:
            some.append(blob.name)
        if len(some) >= _AT_ONCE:
            swept += await delete()
    if some:
        swept += await delete()
    if swept:
        _log.info("blobs that nobody has any more were deleted", prefix=prefix, count=swept)
    return swept
