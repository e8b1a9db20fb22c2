"""The processes of one container that is this server's own child: started, listened to, killed to the last."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

from understudy.sandbox.channel import Channel, ChannelClosedError
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.machine import Machine

_START: Final = 20.0
_END: Final = 10.0
_SAID: Final = 8192


async def ended(descriptor: int) -> None:
    """Wait for the process of a pidfd."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, lambda: None if future.done() else future.set_result(None))
    try:
        await future
    finally:
        loop.remove_reader(descriptor)


def _bounded_file() -> int:
    """A file of no directory for what is said before there is a container. What runs in it can reach that file, so it
    must not grow: it would be memory that nobody counts."""
    descriptor = os.memfd_create("said", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, _SAID)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return descriptor


@dataclass(slots=True)
class Launch:
    """A command to start, with the descriptors that it inherits. `speaks_by_input`: the helper has its end of the
    socket as its standard input, and the command tells nobody's number."""

    command: list[str] = field(default_factory=list[str])
    descriptors: list[int] = field(default_factory=list[int])
    speaks_by_input: bool = False


_M = TypeVar("_M", bound=Machine, contravariant=True)


class Prepare(Protocol[_M]):
    """What a driver does before a container starts, in little time. `directory` and `environment` as in Machine.start;
    `control`: the helper's end of the socket; `info`: where the number of the container's first process is told;
    `groups`: files of control groups to join. Both descriptors stay the caller's. Raises OSError,
    SandboxUnavailableError."""

    def __call__(
        self,
        machine: _M,
        config: SandboxConfig,
        *,
        container_id: str,
        directory: Path,
        environment: Path | None,
        groups: Sequence[Path],
        control: int,
        info: int,
    ) -> Launch: ...


class ChildProcess:
    """See machine.ContainerProcess."""

    def __init__(self, machine: Machine, container_id: str, outer: subprocess.Popen[bytes], channel: Channel) -> None:
        self._machine = machine
        self._id = container_id
        self._outer = outer
        self._outer_watch = os.pidfd_open(outer.pid)
        self._first_watch = -1
        self.first = 0
        self.channel = channel
        self._killing: asyncio.Task[None] | None = None
        self._kills = 0

    @classmethod
    async def start(
        cls,
        machine: _M,
        config: SandboxConfig,
        container_id: str,
        directory: Path,
        environment: Path | None,
        prepare: Prepare[_M],
    ) -> ChildProcess:
        """Raises SandboxUnavailableError with what was said about it."""
        groups: list[Path] = []
        if machine.cgroups is not None:
            try:
                groups = machine.cgroups.make(container_id, machine.group_limits(config))
            except OSError as error:
                machine.cgroups.remove(container_id)
                raise SandboxUnavailableError(f"the container's control group cannot be made: {error}") from None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        info, told = os.pipe2(os.O_CLOEXEC)
        said = _bounded_file()
        inherited: list[int] = []
        try:
            launch = prepare(
                machine,
                config,
                container_id=container_id,
                directory=directory,
                environment=environment,
                groups=groups,
                control=theirs.fileno(),
                info=told,
            )
            inherited = [one for one in launch.descriptors if one not in (theirs.fileno(), told)]
            # Not by asyncio: a container lives as long as the thread that started it, which is this one.
            outer = subprocess.Popen(  # noqa: ASYNC220, S603
                launch.command,
                stdin=theirs.fileno() if launch.speaks_by_input else subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=launch.descriptors,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath)},
            )
        except BaseException as error:
            ours.close()
            os.close(info)
            os.close(said)
            if machine.cgroups is not None:
                machine.cgroups.remove(container_id)
            if isinstance(error, OSError):
                raise SandboxUnavailableError(f"the container does not start: {error}") from None
            raise
        finally:
            theirs.close()
            for one in (told, *inherited):
                os.close(one)
        started = cls(machine, container_id, outer, Channel(ours))
        try:
            async with asyncio.timeout(_START):
                await started.channel.ready
            started.first = outer.pid if launch.speaks_by_input else int(json.loads(os.read(info, 4096))["child-pid"])
            started._first_watch = os.pidfd_open(started.first)
        except BaseException as error:
            await started.kill()
            if isinstance(error, TimeoutError | ChannelClosedError | OSError | ValueError | KeyError):
                words = os.pread(said, 2000, 0).decode("utf-8", "replace").strip("\0 \n")
                raise SandboxUnavailableError(
                    f"the container does not start: {words or type(error).__name__}"
                ) from None
            raise
        finally:
            os.close(info)
            os.close(said)
        return started

    @property
    def alive(self) -> bool:
        return not self.channel.closed

    @property
    def outer_pid(self) -> int:
        return self._outer.pid

    async def kill(self) -> None:
        """End every process of the container at once; returns when all are gone and its disk is let go."""
        if self._killing is None:
            self._killing = asyncio.create_task(self._kill())
        await asyncio.shield(self._killing)

    async def _kill(self) -> None:
        self.channel.close()
        if self._first_watch >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first_watch, signal.SIGKILL)
            # The outer one sees to what is left of the first, and then ends by itself.
            with suppress(TimeoutError):
                async with asyncio.timeout(_END):
                    await ended(self._outer_watch)
        # It takes the first with it, wherever in its start it is.
        self._outer.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END):
                await ended(self._outer_watch)
        for watch in (self._outer_watch, self._first_watch):
            if watch >= 0:
                os.close(watch)
        self._outer.poll()
        cgroups = self._machine.cgroups
        if cgroups is not None:
            self._kills = self.out_of_memory()
            await asyncio.to_thread(cgroups.remove, self._id)

    def out_of_memory(self) -> int:
        """How often the kernel killed something of it because its memory was used up."""
        cgroups = self._machine.cgroups
        return self._kills if cgroups is None else max(self._kills, cgroups.kills(self._id))
