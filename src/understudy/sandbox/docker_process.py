"""A container of Docker while it is awake."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.sandbox.cgroups import Cgroups, of_process
from understudy.sandbox.channel import Channel, ChannelClosedError
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.disks import IMAGE, MOUNTED, PLACES, TREE, unmount
from understudy.sandbox.docker import (
    CONTROL_PLACE,
    EMPTY,
    DockerMachine,
    container,
    container_name,
    files_for,
    remove,
)
from understudy.sandbox.docker_api import DockerError
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.machine import output_of
from understudy.sandbox.process import ended
from understudy.sandbox.system import View, uid_of
from understudy.storage.finishing import to_the_end

_START: Final = 20.0
_LAUNCH: Final = "launch"


@dataclass(frozen=True, slots=True)
class _Started:
    listening: socket.socket
    pid: int


class DockerProcess:
    """See machine.ContainerProcess."""

    def __init__(self, machine: DockerMachine, container_id: str, pid: int, channel: Channel) -> None:
        self._machine = machine
        self._name = container_name(container_id)
        self._groups, self._group = _group(pid)
        self._kills = 0
        self._killing: asyncio.Task[None] | None = None
        self.first = pid
        self.channel = channel

    @classmethod
    async def start(
        cls,
        machine: DockerMachine,
        config: SandboxConfig,
        container_id: str,
        directory: Path,
        environment: Path | None,
    ) -> DockerProcess:
        """Raises SandboxUnavailableError with what was said about it."""
        name = container_name(container_id)
        launching = asyncio.to_thread(_launch, machine, config, container_id, directory, environment)
        try:
            started = await to_the_end(launching)
            try:
                control = await _called(started)
            finally:
                started.listening.close()
                (directory / _LAUNCH / CONTROL_PLACE[1:]).unlink(missing_ok=True)
            made = cls(machine, container_id, started.pid, Channel(control))
        except BaseException as error:
            said = ""
            if isinstance(error, TimeoutError | OSError):
                with suppress(DockerError):
                    said = await asyncio.to_thread(machine.daemon.logs, name)
            await to_the_end(asyncio.to_thread(remove, machine.daemon, name))
            if isinstance(error, TimeoutError | OSError | DockerError):
                raise SandboxUnavailableError(f"the container does not start: {said or error}") from None
            raise
        try:
            async with asyncio.timeout(_START):
                await made.channel.ready
        except BaseException as error:
            said = ""
            if isinstance(error, TimeoutError | ChannelClosedError):
                with suppress(DockerError):
                    said = await asyncio.to_thread(machine.daemon.logs, name)
            await made.kill()
            if isinstance(error, TimeoutError | ChannelClosedError):
                raise SandboxUnavailableError(f"the container does not start: {said or type(error).__name__}") from None
            raise
        return made

    @property
    def alive(self) -> bool:
        return not self.channel.closed

    @property
    def outer_pid(self) -> int:
        return self.first

    async def kill(self) -> None:
        """End every process of the container at once; returns when all are gone and its disk is let go."""
        if self._killing is None:
            self._killing = asyncio.create_task(self._kill())
        await asyncio.shield(self._killing)

    async def _kill(self) -> None:
        self._kills = self.out_of_memory()
        self.channel.close()
        await asyncio.to_thread(remove, self._machine.daemon, self._name)

    def out_of_memory(self) -> int:
        """How often the kernel killed something of it because its memory was used up."""
        return self._kills if self._groups is None else max(self._kills, self._groups.kills(self._group))


def _group(pid: int) -> tuple[Cgroups | None, str]:
    """The control group that Docker has put a container in, and its name."""
    with suppress(OSError):
        return of_process(pid)
    return None, ""


async def _called(started: _Started) -> socket.socket:
    """The helper's end calls. Raises TimeoutError, OSError."""
    if not started.pid:
        raise ChildProcessError("it ended at once")
    watched = os.pidfd_open(started.pid)
    loop = asyncio.get_running_loop()
    started.listening.setblocking(False)
    calling = asyncio.create_task(loop.sock_accept(started.listening))
    ending = asyncio.create_task(ended(watched))
    try:
        done, _ = await asyncio.wait({calling, ending}, timeout=_START, return_when=asyncio.FIRST_COMPLETED)
        if calling in done:
            return calling.result()[0]
        if ending in done:
            raise ChildProcessError("it ended at once")
        raise TimeoutError
    finally:
        for task in (calling, ending):
            task.cancel()
        await asyncio.wait({calling, ending})
        os.close(watched)


def _launch(
    machine: DockerMachine, config: SandboxConfig, container_id: str, directory: Path, environment: Path | None
) -> _Started:
    """Raises OSError, DockerError, SandboxUnavailableError."""
    uid = uid_of(container_id) if machine.own_uid else os.getuid()
    seen = files_for(machine, config, environment, uid)
    launch = directory / _LAUNCH
    listening = _written(launch, seen)
    where = directory / TREE
    try:
        if machine.own_disk:
            where = directory / MOUNTED
            _mount(directory / IMAGE, where)
        _own(where, uid, machine.own_uid)
        told = container(machine, config, container_id, uid, seen, launch, where)
        pid = _run(machine, container_name(container_id), told)
    except BaseException:
        listening.close()
        raise
    finally:
        # The container has it by now, and lets it go when it ends, whatever becomes of this server.
        if machine.own_disk:
            unmount(where)
    return _Started(listening, pid)


def _run(machine: DockerMachine, name: str, told: dict[str, object]) -> int:
    """Make a container and start it. Returns the number of its first process, or nought if that has ended."""
    daemon = machine.daemon
    try:
        daemon.call("POST", "/containers/create", told, query={"name": name})
    except DockerError as error:
        if error.status != 409:
            raise
        # What a server that was killed has left.
        remove(daemon, name)
        daemon.call("POST", "/containers/create", told, query={"name": name})
    daemon.call("POST", f"/containers/{name}/start")
    return int(daemon.call("GET", f"/containers/{name}/json")["State"]["Pid"])


def _written(launch: Path, seen: View) -> socket.socket:
    """Write the files of a container, and listen where its helper will call."""
    shutil.rmtree(launch, ignore_errors=True)
    for place, data in seen.files.items():
        at = launch / place[1:]
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(data)
        at.chmod(0o644)
    (launch / EMPTY).mkdir(parents=True)
    control = launch / CONTROL_PLACE[1:]
    control.parent.mkdir(parents=True, exist_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # By way of /proc, since a path of its own may be longer than an address can be.
    above = os.open(control.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listening.bind(f"/proc/self/fd/{above}/{control.name}")
        # Others on this machine do not get so far: the directories above are the server's own.
        control.chmod(0o666)
        listening.listen(1)
    except BaseException:
        listening.close()
        raise
    finally:
        os.close(above)
    return listening


def _mount(image: Path, at: Path) -> None:
    """Raises OSError."""
    unmount(at)
    at.mkdir(exist_ok=True)
    said = output_of(["mount", "-o", "loop,nosuid,nodev,noatime,discard", str(image), str(at)])
    if said.strip():
        raise OSError(said.strip()[:300])


def _own(where: Path, uid: int, own_uid: bool) -> None:
    for name in PLACES.values():
        place = where / name
        if not place.exists():
            place.mkdir(mode=0o755)
        if own_uid and place.stat().st_uid != uid:
            os.chown(place, uid, uid)
