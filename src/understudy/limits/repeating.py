"""Doing something again and again beside the requests, whatever becomes of one time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

_TIMEOUT: Final = 10.0


async def repeat(interval: float, work: Callable[[], Awaitable[None]], log: logging.Logger, failure: str) -> None:
    """Do `work` every `interval` seconds, until cancelled. `failure` is logged when it begins to fail or to take too
    long: one line an outage."""
    failing = False
    while True:
        await asyncio.sleep(interval)
        try:
            async with asyncio.timeout(_TIMEOUT):
                await work()
            failing = False
        except Exception as error:
            if not failing:
                log.warning("%s: %s", failure, type(error).__name__)
            failing = True
