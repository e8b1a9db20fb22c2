"""Which slot of llama.cpp a request is written on, so that workspaces stay apart and prefixes are found again.

llama.cpp would choose by itself, among the slots of everybody. So each request names its slot, and a slot that
belonged to another tenant forgets all it knows (`cache_prompt` false) before it is used. A worker of ours has no host
prompt cache (`cache_ram_mib` 0), through which slots would share; an external server must run with `--cache-ram 0`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from understudy.engines.engine import BusyError

from .prompts import Prompt, common_tokens

# Requests that may wait for a slot: what is beyond would wait longer than anybody does.
_MOST_WAITING: Final = 512


class Slot:
    """`mine`: what is in it is of the tenant that has it now, so it may be reused."""

    __slots__ = ("id", "mine", "prompt", "tenant", "used")

    def __init__(self, number: int) -> None:
        self.id = number
        self.tenant: str | None = None
        self.mine = False
        self.prompt: Prompt | None = None
        self.used = 0

    def take(self, prompt: Prompt) -> None:
        """llama.cpp has begun to read `prompt` into it."""
        self.prompt = prompt
        self.mine = True


class Slots:
    """`count` of them; the first that wait get the first that is free."""

    def __init__(self, count: int) -> None:
        self._free = [Slot(number) for number in range(count)]
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._used = 0

    @asynccontextmanager
    async def hold(self, tenant: str, prompt: Prompt, patience: float | None = None) -> AsyncGenerator[Slot]:
        """A slot for the time of one answer. Raises BusyError where too many wait, and where none is free within
        `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._turn()
        except TimeoutError:
            raise BusyError from None
        slot = self._choose(tenant, prompt)
        self._free.remove(slot)
        slot.mine = slot.tenant == tenant and slot.prompt is not None
        if not slot.mine:
            slot.prompt = None
        slot.tenant = tenant
        try:
            yield slot
        finally:
            self._used += 1
            slot.used = self._used
            self._free.append(slot)
            self._wake()

    async def _turn(self) -> None:
        if self._free and not self._waiting:
            return
        if len(self._waiting) >= _MOST_WAITING:
            raise BusyError
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        while True:
            try:
                await waiter
            except BaseException:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                else:
                    # It was called, and does not come.
                    self._wake()
                raise
            if self._free:
                return
            # Another came first.
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.appendleft(waiter)

    def _wake(self) -> None:
        while self._free and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _choose(self, tenant: str, prompt: Prompt) -> Slot:
        """The one with the longest part of the prompt in it, else an empty one, else the one unused for longest."""
        best, most = None, 0
        for slot in self._free:
            if slot.prompt is not None and slot.tenant == tenant:
                common = common_tokens(slot.prompt, prompt)
                # A beginning that every prompt has is no reason to overwrite what follows it.
                if common > most and common * 8 >= min(slot.prompt.tokens, prompt.tokens):
                    best, most = slot, common
        return best or min(self._free, key=_age)


def _age(slot: Slot) -> tuple[bool, int]:
    return slot.prompt is not None, slot.used
