"""Ending what a request has begun, also when the request itself is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

# A task that nobody holds may be collected.
_tasks: set[asyncio.Task[None]] = set()


async def unhindered(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; it goes on when the one who waits is cancelled."""
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    await asyncio.shield(task)
