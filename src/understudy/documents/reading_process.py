"""One process that reads documents, as this one sees it: started, given a document, listened to, ended."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

# Bytes that wait at most to be taken by the process.
_PIECE: Final = 256 * 1024


class ReadingProcess:
    """Reads one document at a time. `documents`: how many it has been given."""

    __slots__ = ("_process", "documents")

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.documents = 0

    @classmethod
    async def run(cls, program: Path, memory: int) -> Self:
        """A process of at most `memory` bytes that runs `program`. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Its own directory is no place to import from.
            "-P",
            str(program),
            str(memory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=Path(sys.executable).anchor,
            env=worker_environment(),
            # A key pressed at the terminal is for the server, which ends its processes by itself.
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def ask(self, head: bytes, data: bytes) -> asyncio.StreamReader:
        """Where the answer comes to `head` and the document behind it. Raises OSError when the process is gone."""
        source, out = self._process.stdin, self._process.stdout
        assert source is not None
        assert out is not None
        self.documents += 1
        view = memoryview(data)
        source.write(head)
        for start in range(0, len(data), _PIECE):
            source.write(view[start : start + _PIECE])
            await source.drain()
        return out

    async def end(self) -> None:
        """Let it go: it ends when nobody can send it any more. For one that is not at work."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(1):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once, whatever it is doing."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def worker_environment() -> dict[str, str]:
    """Where it finds what this process finds, and nothing else: no keys, no settings."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONUTF8": "1"}
