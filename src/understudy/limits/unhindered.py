"""Ending what a request has begun, also when the request itself is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

# A task that nobody holds may be collected.
_tasks: set[asyncio.Task[Any]] = set()


async def unhindered(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; it goes on when the one who waits is cancelled."""
    await asyncio.shield(_task(work))


async def begun(work: Coroutine[Any, Any, _T], undo: Callable[[_T], Coroutine[Any, Any, None]]) -> _T:
    """Await `work`; when the one who waits is cancelled it goes on, and what it has begun is undone after it."""
    task = _task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:

        def undone(done: asyncio.Task[_T]) -> None:
            # What failed has begun nothing.
            if not done.cancelled() and done.exception() is None:
                _task(undo(done.result()))

        task.add_done_callback(undone)
        raise


def _task(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task
