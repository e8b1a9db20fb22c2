"""Files of a container, read as far as they are wanted."""

from __future__ import annotations

from understudy.sandbox.interface import PathError, Sandbox


class TooLargeError(Exception):
    """A file has more bytes than are wanted."""


async def read(sandbox: Sandbox, path: str, most: int) -> bytes:
    """All of a file. Raises TooLargeError for one of more than `most` bytes, and what the sandbox raises."""
    found = bytearray()
    data = sandbox.get(path)
    try:
        async for piece in data:
            found += piece
            if len(found) > most:
                raise TooLargeError
    finally:
        await let_go(data)
    return bytes(found)


async def exists(sandbox: Sandbox, path: str) -> bool:
    """Whether there is a regular file."""
    data = sandbox.get(path)
    try:
        async for _ in data:
            break
    except PathError:
        return False
    finally:
        await let_go(data)
    return True


async def let_go(data: object) -> None:
    """Close what was not read to its end."""
    close = getattr(data, "aclose", None)
    if close is not None:
        await close()
