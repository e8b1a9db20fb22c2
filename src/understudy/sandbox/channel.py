"""What the server says to the helper inside a container, and the pipes between them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Final

_PIECE: Final = 256 * 1024
_MOST_REPLY: Final = 64


class ChannelClosedError(Exception):
    """The helper is gone, and the container's processes with it, or it says what no helper says."""


class Channel:
    """Requests and their replies by number. Belongs to the event loop that made it."""

    def __init__(self, control: socket.socket) -> None:
        control.setblocking(False)
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._number = 0
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.closed = False
        self._loop.add_reader(control.fileno(), self._read)

    def send(self, kind: str, files: Sequence[int | Output] = ()) -> asyncio.Future[int]:
        """Send a request with its descriptors, which are closed here in any case: the helper has its own. The future is
        its exit status. Raises ChannelClosedError."""
        descriptors = [one.writer if isinstance(one, Output) else one for one in files]
        try:
            if self.closed:
                raise ChannelClosedError
            socket.send_fds(self._control, [f"{kind} {self._number + 1}".encode()], descriptors)
        except OSError as error:
            # One that is stopped and takes nothing any more is as good as gone.
            self.close()
            raise ChannelClosedError from error
        finally:
            for one in files:
                if isinstance(one, Output):
                    one.release()
                else:
                    os.close(one)
        self._number += 1
        future: asyncio.Future[int] = self._loop.create_future()
        self._waiting[self._number] = future
        return future

    def _read(self) -> None:
        try:
            packet = self._control.recv(_MOST_REPLY)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if packet == b"ready" and not self.ready.done():
            self.ready.set_result(None)
            return
        try:
            number, status = (int(word) for word in packet.split(b" "))
            future = self._waiting.pop(number)
        except (ValueError, KeyError):
            self.close()
            return
        if not future.done():
            future.set_result(status & 0xFF)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        for future in (self.ready, *self._waiting.values()):
            if not future.done():
                future.set_exception(ChannelClosedError())
                # Whoever waits is told; nobody need.
                future.exception()
        self._waiting.clear()


@contextmanager
def closing_descriptor(descriptor: int) -> Generator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def memory_file(data: bytes) -> int:
    """A descriptor of an unnamed file with these bytes, which nobody can change any more."""
    import fcntl

    descriptor = os.memfd_create("request", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    fcntl.fcntl(
        descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    )
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def words(values: Iterable[str]) -> int:
    """A memory file of a request's words, none of which holds a zero byte. Halves of characters, which no text should
    have, become question marks."""
    return memory_file("\0".join(values).encode("utf-8", "replace"))


class Output:
    """Collects what comes through a pipe, up to `most` bytes; what comes later is read and forgotten, and after
    `most_read` bytes the pipe is closed, which tells the writer."""

    def __init__(self, most: int, most_read: int) -> None:
        self._most = most
        self._most_read = most_read
        self._loop = asyncio.get_running_loop()
        self._descriptor, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._descriptor, False)
        self._pieces: list[bytes] = []
        self._kept = 0
        self._seen = 0
        self._ended = self._loop.create_future()
        self._loop.add_reader(self._descriptor, self._read)

    @property
    def truncated(self) -> bool:
        return self._seen > self._kept

    def _read(self) -> None:
        try:
            piece = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return
        self._seen += len(piece)
        if self._kept < self._most:
            kept = piece[: self._most - self._kept]
            self._kept += len(kept)
            self._pieces.append(kept)
        if not piece or self._seen > self._most_read:
            self.close()

    def take(self) -> tuple[bytes, bool]:
        """All that has come by now and was not taken before, and whether some of it was forgotten."""
        while not self._ended.done():
            seen = self._seen
            self._read()
            if self._seen == seen:
                break
        found, truncated = self.data(), self.truncated
        self._pieces.clear()
        self._kept = self._seen = 0
        return found, truncated

    def release(self) -> None:
        """Close this process's end that is written to: the helper has its own."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    async def rest(self, seconds: float) -> None:
        """Wait for the end of it; no longer than `seconds`, since a process left in the background may keep it open."""
        self.release()
        await asyncio.wait({self._ended}, timeout=seconds)
        # What stands in the pipe is read whether or not it ended.
        while not self._ended.done():
            seen = self._seen
            self._read()
            if self._seen == seen:
                break
        self.close()

    def close(self) -> None:
        self.release()
        if not self._ended.done():
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._ended.set_result(None)

    def data(self) -> bytes:
        return b"".join(self._pieces)


class PatienceError(Exception):
    """The other end of a pipe kept this one waiting for too long: it may have been stopped."""


class Patience:
    """Seconds for which pipes of one piece of work are waited for, all together."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds


async def _until_ready(descriptor: int, patience: Patience, *, writing: bool) -> None:
    """Raises PatienceError."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    future: asyncio.Future[None] = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    add(descriptor, lambda: None if future.done() else future.set_result(None))
    try:
        async with asyncio.timeout(patience.left):
            await future
    except TimeoutError:
        raise PatienceError from None
    finally:
        patience.left -= loop.time() - began
        remove(descriptor)


async def write_all(descriptor: int, data: bytes, patience: Patience) -> None:
    """Write to a pipe whose writer does not block. Raises BrokenPipeError, PatienceError."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view[:_PIECE]) :]
        except BlockingIOError:
            await _until_ready(descriptor, patience, writing=True)


async def read_pieces(descriptor: int, patience: Patience) -> AsyncIterator[bytes]:
    """What comes through a pipe whose reader does not block. Raises PatienceError."""
    while True:
        try:
            piece = os.read(descriptor, _PIECE)
        except BlockingIOError:
            await _until_ready(descriptor, patience, writing=False)
            continue
        if not piece:
            return
        yield piece
