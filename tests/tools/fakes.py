"""Containers for tests in process: directories of this machine, in which commands run as they would in a container.

Only commands that the tests write themselves, or the simulator, may be run here: nothing is closed off.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from understudy.sandbox.interface import (
    HOME,
    INPUT_DIR,
    WRITABLE,
    Container,
    Executed,
    Owner,
    PathError,
    Printed,
    QuotaError,
    SandboxError,
    StoredFile,
)
from understudy.wire.errors import InvalidRequestError, NotFoundError, RateLimitError
from understudy.wire.ids import new_id

_MOST_OUTPUT = 1024 * 1024


class DirectoryProgram:
    """Implements Program."""

    def __init__(self, sandbox: DirectorySandbox, process: asyncio.subprocess.Process, ours: socket.socket) -> None:
        self._sandbox, self._process, self._ours = sandbox, process, ours
        self._pieces: tuple[list[bytes], list[bytes]] = [], []
        assert process.stdout is not None and process.stderr is not None
        self._readers = [
            asyncio.create_task(_collect(stream, pieces))
            for stream, pieces in zip((process.stdout, process.stderr), self._pieces, strict=True)
        ]

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def send(self, data: bytes) -> None:
        # A frame with its length before it, in which places of the container are named.
        frame = data[4:]
        for tree in WRITABLE:
            frame = frame.replace(f'_DIR": "{tree}'.encode(), f'_DIR": "{self._sandbox.root}{tree}'.encode())
        try:
            await asyncio.get_running_loop().sock_sendall(self._ours, len(frame).to_bytes(4, "big") + frame)
        except OSError:
            raise SandboxError("gone") from None

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._ours, 65536)

    async def printed(self) -> Printed:
        # A pipe's reader here has turns of its own.
        await asyncio.sleep(0.005)
        out, err = (
            b"".join(pieces).decode(errors="replace").replace(str(self._sandbox.root), "") for pieces in self._pieces
        )
        for pieces in self._pieces:
            pieces.clear()
        return Printed(out, err)

    async def end(self) -> Executed:
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        code = await self._process.wait()
        await asyncio.wait(self._readers)
        self._sandbox.running.discard(self._process.pid)
        self._ours.close()
        printed = await self.printed()
        return Executed(printed.stdout, printed.stderr, code if code >= 0 else 128 - code)


async def _collect(stream: asyncio.StreamReader, pieces: list[bytes]) -> None:
    while piece := await stream.read(65536):
        pieces.append(piece)


@dataclass
class DirectorySandbox:
    """Paths of the container stand below `root`; where they come up in a command they are replaced. `running` are the
    ids of processes that have not ended."""

    id: str
    root: Path
    quota: int = 1 << 40
    running: set[int] = field(default_factory=set[int])
    commands: list[Sequence[str]] = field(default_factory=list[Sequence[str]])
    programs: list[DirectoryProgram] = field(default_factory=list["DirectoryProgram"])

    def __post_init__(self) -> None:
        for tree in (*WRITABLE, INPUT_DIR):
            self.at(tree).mkdir(parents=True, exist_ok=True)

    def at(self, path: str) -> Path:
        if not path.startswith("/") or not any(path == tree or path.startswith(f"{tree}/") for tree in WRITABLE):
            raise PathError(f"{path} cannot be reached.")
        return self.root / path[1:]

    def _placed(self, text: str) -> str:
        for tree in WRITABLE:
            text = text.replace(f"{tree}/", f"{self.root}{tree}/")
        return text

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        cwd: str | None = None,
        environment: Mapping[str, str] = {},
    ) -> Executed:
        self.commands.append(argv)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            *map(self._placed, argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.at(cwd or HOME),
            env={"PATH": path, **{name: str(self.at(value)) for name, value in environment.items()}},
            start_new_session=True,
        )
        self.running.add(process.pid)
        try:
            async with asyncio.timeout(timeout):
                out, err = await process.communicate(stdin)
        except TimeoutError:
            return Executed("", "", 124, timed_out=True)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            self.running.discard(process.pid)
        code = process.returncode or 0
        cut = max(len(out), len(err)) > _MOST_OUTPUT
        stdout, stderr = (
            part[:_MOST_OUTPUT].decode(errors="replace").replace(str(self.root), "") for part in (out, err)
        )
        return Executed(stdout, stderr, code if code >= 0 else 128 - code, truncated=cut)

    async def start(self, argv: Sequence[str], *, environment: Mapping[str, str] = {}) -> DirectoryProgram:
        self.commands.append(argv)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *argv[1:],
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self.at(HOME),
                env={"PATH": os.environ["PATH"], **environment},
                start_new_session=True,
            )
        self.running.add(process.pid)
        program = DirectoryProgram(self, process, ours)
        self.programs.append(program)
        return program

    async def put(self, path: str, data: AsyncIterable[bytes] | bytes, *, mode: int = 0o644) -> None:
        place = self.at(path)
        if place.is_dir():
            raise PathError(f"{path} is a directory.")
        whole = data if isinstance(data, bytes) else b"".join([piece async for piece in data])
        if len(whole) > self.quota:
            raise QuotaError("The container's disk is full.")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(whole)
        place.chmod(mode)

    async def get(self, path: str) -> AsyncIterator[bytes]:
        place = self.at(path)
        if place.is_symlink() or not place.is_file():
            raise PathError(f"There is no file at {path}.")
        data = place.read_bytes()
        for start in range(0, len(data), 65536):
            yield data[start : start + 65536]

    async def files(self, below: str) -> list[StoredFile]:
        root = self.at(below)
        if not root.is_dir():
            raise PathError(f"There is no directory at {below}.")
        found: list[StoredFile] = []
        for place in sorted(root.rglob("*")):
            if place.is_file() and not place.is_symlink():
                path = f"{below.rstrip('/')}/{place.relative_to(root)}"
                found.append(StoredFile(path, place.stat().st_size, hashlib.sha256(place.read_bytes()).hexdigest()))
        return found

    async def delete(self) -> None:
        pass


@dataclass
class DirectoryContainers:
    """Implements Containers. `most`: of all owners; `missing`: what a machine says that runs no code."""

    root: Path
    most: int = 100
    missing: str | None = None
    made: dict[str, tuple[Owner, DirectorySandbox]] = field(default_factory=dict[str, tuple[Owner, DirectorySandbox]])
    expired: set[str] = field(default_factory=set[str])
    used: list[str] = field(default_factory=list[str])
    held: set[str] = field(default_factory=set[str])

    def _container(self, container_id: str) -> Container:
        now = datetime.now(UTC)
        return Container(container_id, now, now + timedelta(hours=1))

    async def ready(self) -> None:
        if self.missing is not None:
            raise InvalidRequestError(self.missing)

    async def create(self, owner: Owner) -> Container:
        if len(self.made) >= self.most:
            raise RateLimitError("There are too many containers.")
        container_id = new_id("container_")
        self.made[container_id] = owner, DirectorySandbox(container_id, self.root / container_id)
        return self._container(container_id)

    @asynccontextmanager
    async def use(self, owner: Owner, container_id: str) -> AsyncGenerator[tuple[Container, DirectorySandbox]]:
        found = self.made.get(container_id)
        if found is None or found[0] != owner:
            raise NotFoundError(f"Container not found: {container_id}")
        if container_id in self.expired:
            raise InvalidRequestError(f"Container {container_id} has expired.")
        assert container_id not in self.held, "one run at a time"
        self.used.append(container_id)
        self.held.add(container_id)
        try:
            yield self._container(container_id), found[1]
        finally:
            self.held.discard(container_id)

    async def delete(self, owner: Owner, container_id: str) -> None:
        del self.made[container_id]

    @property
    def only(self) -> DirectorySandbox:
        """The one container that there is."""
        ((_, sandbox),) = self.made.values()
        return sandbox
