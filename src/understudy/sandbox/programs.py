"""A program in a container that is talked with."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from understudy.sandbox.channel import ChannelClosedError, Output
from understudy.sandbox.interface import Executed, Printed, SandboxError
from understudy.sandbox.machine import ContainerProcess

KILLED: Final = 137

_PIECE: Final = 256 * 1024
# Seconds for which a program may leave unread what it is sent.
_PATIENCE: Final = 20.0


class ContainerProgram:
    """See interface.Program. `excess`: which limit the container was ended for, once it was."""

    def __init__(
        self, process: ContainerProcess, request: int, max_output: int, forgotten: int, excess: Callable[[], str | None]
    ) -> None:
        """`request`: a memory file of the command's words. Raises ChannelClosedError."""
        self._process = process
        self._excess = excess
        self._killed_before = process.out_of_memory()
        self._ended: Executed | None = None
        self._out, self._errors = Output(max_output, forgotten), Output(max_output, forgotten)
        self._ours, theirs = socket.socketpair()
        try:
            self._exit = process.channel.send("R", [request, self._out, self._errors, theirs.detach()])
        except ChannelClosedError:
            self._close()
            raise
        self._ours.setblocking(False)

    @property
    def alive(self) -> bool:
        return self._ended is None and self._process.alive and not self._exit.done()

    async def send(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.get_running_loop().sock_sendall(self._ours, data)
        except (OSError, TimeoutError):
            raise SandboxError("The program in the container takes nothing any more.") from None

    async def receive(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self._ours, _PIECE)
        except OSError:
            return b""

    async def printed(self) -> Printed:
        (out, cut), (errors, errors_cut) = self._out.take(), self._errors.take()
        return Printed(out.decode("utf-8", "replace"), errors.decode("utf-8", "replace"), cut or errors_cut)

    async def end(self) -> Executed:
        if self._ended is None:
            code = KILLED
            if self._exit.done() and not self._exit.cancelled() and self._exit.exception() is None:
                code = self._exit.result()
            memory = self._process.out_of_memory() > self._killed_before
            printed = await self.printed()
            await self._process.kill()
            excess = self._excess()
            self._ended = Executed(
                printed.stdout,
                printed.stderr,
                code,
                truncated=printed.truncated,
                out_of_memory=memory or excess == "memory",
                out_of_disk=excess == "disk",
            )
            self._close()
        return self._ended

    def _close(self) -> None:
        self._ours.close()
        self._out.close()
        self._errors.close()
