"""What the rest of the house knows of the sandbox: containers, what runs in them and the files they keep.

Layout inside a container: the working directory and HOME is `/home/user`, which keeps its files; `/tmp` keeps its files
too (the real one's commands write there: recorded paths are `/tmp/hello.txt` and `/tmp/<srvtoolu id>/cell.py`).
`INPUT_DIR` is set for every command; `OUTPUT_DIR` the caller sets to a new directory below `OUTPUTS` for each call.
Skills are put at `/skills/<name>/`. Everything else is read-only.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

HOME: Final = "/home/user"
"""The working directory of a command that names no other."""
INPUT_DIR: Final = "/files/input"
"""Where the files of `container_upload` blocks are put; the environment variable of the same name holds it."""
OUTPUTS: Final = "/files/output"
"""Below it each call gets a new, empty directory of its own, named by its environment variable `OUTPUT_DIR`; the files
that it leaves at the top of that are given to the caller (code execution guide)."""
SKILLS: Final = "/skills"
WRITABLE: Final = (HOME, "/tmp", "/files", SKILLS)  # noqa: S108 -- paths inside the container, not of this machine
"""The trees that keep their files; `put` and `get` reach no other."""

NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})


class SandboxError(Exception):
    """What a container could not do. The message may be shown to the model that asked for it."""


class SandboxUnavailableError(SandboxError):
    """No code can be run on this machine, or not as `sandbox.require` wants it; the message says what to install."""


class PathError(SandboxError):
    """A path that is not absolute, leaves the trees of `WRITABLE`, or is not (or cannot become) a regular file."""


class QuotaError(SandboxError):
    """The container's disk, or the number of files it may hold, is used up."""


@dataclass(frozen=True, slots=True)
class Executed:
    """How a command ended. Output is decoded as UTF-8 with replacement and cut at `sandbox.max_output` bytes each."""

    stdout: str
    stderr: str
    return_code: int
    """The exit status; 128 + n when signal n ended it; 124 when its time ran out."""
    timed_out: bool = False
    truncated: bool = False
    """True if stdout or stderr was cut."""
    out_of_memory: bool = False
    """True if something of it was killed because the container's memory was used up."""
    out_of_disk: bool = False
    """True if the container was over its disk quota afterwards (ordinary tier: its processes were killed for it)."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A regular file in a container."""

    path: str
    """Absolute, inside the container."""
    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a program has printed since it was last asked, decoded and cut as in `Executed`."""

    stdout: str
    stderr: str
    truncated: bool = False


class Program(Protocol):
    """A program that runs in a container and talks with this server over a socket, which is its standard input.

    What it says is not to be trusted: any code beside it in the container can say it too.
    """

    @property
    def alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        ...

    async def send(self, data: bytes) -> None:
        """Raises SandboxError when the program is gone, or takes nothing any more."""
        ...

    async def receive(self) -> bytes:
        """Some of what it says, when it says something; nothing at its end."""
        ...

    async def printed(self) -> Printed: ...

    async def end(self) -> Executed:
        """End it and all else that runs in the container. Says what was left to say of it; a second time, the same."""
        ...


class Sandbox(Protocol):
    """One container, awake or asleep: the first call starts it, and its processes may end between two runs."""

    @property
    def id(self) -> str: ...

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 -- the command's, which is told as a result
        cwd: str | None = None,
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Executed:
        """Run a command to its end, or kill it and all its children after `timeout` seconds of wall time.

        Cancelling the call kills the command and all its children at once. `cwd` is `HOME` unless given.
        Raises SandboxUnavailableError when the container cannot be started.
        """
        ...

    async def start(self, argv: Sequence[str], *, environment: Mapping[str, str] = NO_VARIABLES) -> Program:
        """Start a program that is talked with, in `HOME`. It ends with the run that uses the container, if not before.
        Raises SandboxUnavailableError when the container cannot be started."""
        ...

    async def put(self, path: str, data: AsyncIterable[bytes] | bytes, *, mode: int = 0o644) -> None:
        """Write a file at an absolute path inside `WRITABLE`, making its parents; a file of that name is replaced.

        Raises PathError, and QuotaError when it does not fit (nothing stays behind then).
        """
        ...

    def get(self, path: str) -> AsyncIterator[bytes]:
        """The bytes of a regular file, in chunks; no link is followed. Raises PathError."""
        ...

    async def files(self, below: str) -> list[StoredFile]:
        """The regular files below a directory, by path; links and special files are left out. Raises PathError."""
        ...

    async def delete(self) -> None:
        """Kill what runs and remove every file. Nothing happens if that was done before."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a container belongs to. Another workspace's container is as unknown as one that never was."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the API shows it."""

    id: str
    """`container_…`"""
    created_at: datetime
    expires_at: datetime
    """A rolling value, as the API shows it; in UTC. The files are kept longer (`sandbox.kept`, 30 days from its
    making)."""


class Containers(Protocol):
    """The containers of this server: made, used by one run at a time, kept over restarts, swept when they expire."""

    async def create(self, owner: Owner) -> Container:
        """A new container. Raises the API error of a cap that is reached, or of a machine that runs no code."""
        ...

    def use(self, owner: Owner, container_id: str) -> AbstractAsyncContextManager[tuple[Container, Sandbox]]:
        """The container for one run, its expiry renewed; a second run waits for the first to end.

        Raises NotFoundError (unknown, or of another workspace), InvalidRequestError (expired), OverloadedError (the run
        before did not end within `sandbox.queue_timeout`).
        """
        ...

    async def delete(self, owner: Owner, container_id: str) -> None:
        """Remove it and its files. Raises NotFoundError."""
        ...

    async def ready(self) -> None:
        """Raises InvalidRequestError, saying what to install, when this machine runs no code."""
        ...
