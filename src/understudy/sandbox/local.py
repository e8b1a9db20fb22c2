"""A container on this machine, made by whichever driver: its life, its commands and its files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from understudy.sandbox.channel import ChannelClosedError, Output, memory_file, words
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.disks import IMAGE, MOUNTED, TREE, is_mounted, make_tree, new_disk, unmount
from understudy.sandbox.interface import (
    HOME,
    NO_VARIABLES,
    Executed,
    SandboxUnavailableError,
    StoredFile,
)
from understudy.sandbox.machine import ContainerProcess, Machine
from understudy.sandbox.programs import ContainerProgram
from understudy.sandbox.system import base_environment
from understudy.sandbox.transfers import REST, Transfers
from understudy.sandbox.trees import remove_tree
from understudy.sandbox.watching import Excess, Watch, Watched

TIMED_OUT: Final = 124
KILLED: Final = 137
CANNOT_BE_RUN: Final = 126

# Output that is read and forgotten before a command is told that nobody reads it.
_FORGOTTEN: Final = 64 * 1024 * 1024
# Seconds in which a disk that was in use is let go.
_LET_GO: Final = 10.0


class LocalSandbox:
    """See interface.Sandbox. Its files lie in `directory`; `environment` is that of `understudy sandbox build`."""

    def __init__(
        self, machine: Machine, config: SandboxConfig, container_id: str, directory: Path, environment: Path | None
    ) -> None:
        self._machine = machine
        self._config = config
        self._id = container_id
        self.directory = directory
        self._environment = environment if machine.shares_system else None
        self._variables = base_environment(machine, config, environment_built=self._environment is not None)
        self._process: ContainerProcess | None = None
        self._starting = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._excess: Excess | None = None
        self._closed = False
        self._transfers = Transfers(self._awake, config.disk, lambda: self._excess)

    @property
    def id(self) -> str:
        return self._id

    @property
    def process(self) -> ContainerProcess | None:
        """Its processes, while it is awake."""
        return self._process if self._process is not None and self._process.alive else None

    # --- its life ---

    async def _awake(self) -> ContainerProcess:
        async with self._starting:
            if self._closed:
                raise SandboxUnavailableError("the server stops")
            if self.process is None:
                if self._process is not None:
                    await self.sleep()
                self._excess = None
                await asyncio.to_thread(self._make_disk)
                await self._let_go()
                self._process = await self._machine.start(self._config, self._id, self.directory, self._environment)
            process = self._process
            assert process is not None
            if self._watch is None:
                own = self._machine.own_disk
                watched = Watched(memory=not self._machine.counted, disk=not own)
                limits = self._machine.group_limits(self._config)
                bounds = replace(self._config, memory=limits.memory, processes=limits.processes)
                watch = Watch(bounds, watched, process.outer_pid, self.directory / (IMAGE if own else TREE))
                self._watch = asyncio.create_task(self._kill_at_excess(watch, process))
            return process

    def _make_disk(self) -> None:
        own = self._machine.own_disk
        place = self.directory / (IMAGE if own else TREE)
        if place.exists():
            return
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self.directory).free < self._config.reserve:
                raise SandboxUnavailableError("the server's disk has no room for another container")
            if own:
                new_disk(place, self._config.disk, self._config.max_files)
            else:
                make_tree(place)
        except OSError as error:
            raise SandboxUnavailableError(f"the container's disk cannot be made: {error}") from None

    async def _let_go(self) -> None:
        """Wait until nobody has the disk any more."""
        image = (self.directory / IMAGE).resolve()
        if not self._machine.own_disk or not is_mounted(image):
            return
        # A server that was killed while it started the container has left it mounted, and nobody else lets it go.
        await asyncio.to_thread(unmount, self.directory / MOUNTED)
        try:
            async with asyncio.timeout(_LET_GO):
                while is_mounted(image):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise SandboxUnavailableError("the container's disk is still in use") from None

    async def _kill_at_excess(self, watch: Watch, process: ContainerProcess) -> None:
        self._excess = await watch.wait()
        await process.kill()

    async def rest(self) -> None:
        """End what commands left running; the container stays awake."""
        self._stop_watching()
        process = self.process
        if process is None:
            return
        try:
            async with asyncio.timeout(2):
                await process.channel.send("K")
        except (TimeoutError, ChannelClosedError):
            await self.sleep()

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def sleep(self) -> None:
        """End all its processes; its files stay."""
        self._stop_watching()
        process, self._process = self._process, None
        if process is not None:
            await process.kill()

    async def close(self) -> None:
        """Put it to sleep for good: nobody wakes it again."""
        self._closed = True
        await self.sleep()

    async def delete(self) -> None:
        await self.sleep()
        await asyncio.to_thread(remove_tree, self.directory)

    # --- commands ---

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 -- the command's, which is told as a result
        cwd: str | None = None,
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Executed:
        if any("\0" in word for word in (*argv, cwd or "")):
            return Executed("", f"{argv[0]}: a command cannot hold a zero byte\n".replace("\0", ""), CANNOT_BE_RUN)
        process = await self._awake()
        killed_before = process.out_of_memory()
        variables = [f"{name}={value}" for name, value in {**self._variables, **environment}.items()]
        request = words([cwd or HOME, str(len(argv)), *argv, *variables])
        source = [memory_file(stdin)] if stdin else []
        most = self._config.max_output
        out, errors = Output(most, _FORGOTTEN), Output(most, _FORGOTTEN)
        timed_out = False
        try:
            ended = process.channel.send("R", [request, out, errors, *source])
            async with asyncio.timeout(timeout):
                code = await ended
        except TimeoutError:
            timed_out, code = True, TIMED_OUT
            await process.kill()
        except ChannelClosedError:
            code = KILLED
            await process.kill()
        except BaseException:
            out.close()
            errors.close()
            await process.kill()
            raise
        await asyncio.gather(out.rest(REST), errors.rest(REST))
        excess = self._excess if not process.alive else None
        return Executed(
            stdout=out.data().decode("utf-8", "replace"),
            stderr=errors.data().decode("utf-8", "replace"),
            return_code=code,
            timed_out=timed_out,
            truncated=out.truncated or errors.truncated,
            out_of_memory=excess == "memory" or process.out_of_memory() > killed_before,
            out_of_disk=excess == "disk",
        )

    async def start(self, argv: Sequence[str], *, environment: Mapping[str, str] = NO_VARIABLES) -> ContainerProgram:
        process = await self._awake()
        variables = [f"{name}={value}" for name, value in {**self._variables, **environment}.items()]
        request = words([HOME, str(len(argv)), *argv, *variables])
        try:
            return ContainerProgram(process, request, self._config.max_output, _FORGOTTEN, lambda: self._excess)
        except ChannelClosedError:
            raise SandboxUnavailableError("the container was ended") from None

    # --- files ---

    async def put(self, path: str, data: AsyncIterable[bytes] | bytes, *, mode: int = 0o644) -> None:
        await self._transfers.put(path, data, mode)

    def get(self, path: str) -> AsyncIterator[bytes]:
        return self._transfers.get(path)

    async def files(self, below: str) -> list[StoredFile]:
        return await self._transfers.files(below)
