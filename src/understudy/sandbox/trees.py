"""Directories that code in containers has written: measured while it runs, and removed when it does not.

What is met there is hostile: names that are exchanged for links, directories that forbid their owner to look, and ways
longer than any path may be. So nothing is reached by a path, but from the open directory that it lies in.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

DEEPEST: Final = 64
"""Directories within each other that are looked into."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PATIENCE: Final = 50
_LOOK: Final = 0o500
_ALL: Final = 0o700


class Used(NamedTuple):
    """Bytes on the disk and number of what was met. `missed`: directories, by their numbers, that could not be looked
    into: gone, exchanged, forbidden or too deep."""

    size: int
    entries: int
    missed: frozenset[int]


@contextmanager
def _opened(name: str, at: int, wanted: int) -> Generator[int]:
    """A directory below an open one, whose owner may do with it what `wanted` says. Raises OSError."""
    # As a mere place at first: to open what is behind may be forbidden.
    place = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        # By way of /proc it is this very directory, whatever has its name by now.
        itself = f"/proc/self/fd/{place}"
        mode = stat.S_IMODE(os.fstat(place).st_mode)
        if mode & wanted != wanted:
            os.chmod(itself, mode | wanted)  # noqa: PTH101 -- no path of this machine
        descriptor = os.open(itself, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(place)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def used(tree: Path, most_files: int) -> Used:
    """What lies below a directory; what changes meanwhile is counted as it is met. No longer than until there are more
    than `most_files`."""
    size = count = 0
    missed: set[int] = set()

    def look(descriptor: int, depth: int) -> None:
        nonlocal size, count
        below: list[tuple[str, int]] = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if count > most_files:
                    return
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    size += status.st_blocks * 512
                    count += 1
                    if stat.S_ISDIR(status.st_mode):
                        below.append((entry.name, status.st_ino))
        for name, number in below:
            if count > most_files:
                return
            try:
                if depth == DEEPEST:
                    raise OSError(name)
                with _opened(name, descriptor, _LOOK) as inside:
                    look(inside, depth + 1)
            except OSError:
                missed.add(number)

    try:
        top = os.open(tree, _DIRECTORY)
    except OSError:
        return Used(0, 0, frozenset({0}))
    try:
        look(top, 1)
    finally:
        os.close(top)
    return Used(size, count, frozenset(missed))


def remove_tree(directory: Path) -> None:
    """Remove a directory and all below it, however deep and whatever its rights. Nothing must run in it any more.

    Raises OSError for what cannot be removed; nothing happens if there is no such directory.
    """
    try:
        top = os.open(directory, _DIRECTORY)
    except FileNotFoundError:
        return
    patience = _PATIENCE
    try:
        os.fchmod(top, _ALL)
        while waiting := _without_files(top):
            for name in waiting:
                # What is in it comes up to where it lies, so that none is ever deeper.
                with _opened(name, top, _ALL) as inside:
                    for below in _without_files(inside):
                        with _opened(below, inside, _ALL):
                            os.rename(below, secrets.token_hex(12), src_dir_fd=inside, dst_dir_fd=top)
                try:
                    os.rmdir(name, dir_fd=top)
                except OSError as error:
                    # Somebody writes to it all the same. Not for ever.
                    patience -= 1
                    if error.errno != errno.ENOTEMPTY or not patience:
                        raise
    finally:
        os.close(top)
    directory.rmdir()


def _without_files(descriptor: int) -> list[str]:
    """Remove the files of an open directory. Returns the names of the directories in it."""
    directories: list[str] = []
    with os.scandir(descriptor) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            directories.append(entry.name)
        else:
            os.unlink(entry.name, dir_fd=descriptor)
    return directories
