"""A version in the making: uploaded files, checked and packed."""

from __future__ import annotations

import errno
import io
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Final

from typing_extensions import Buffer

from understudy.skills.archives import PIECE, Source, is_zip, pack, reading
from understudy.skills.config import SkillsConfig
from understudy.skills.errors import (
    misplaced,
    not_one_skill,
    too_many_files,
    wrong_folder,
)
from understudy.skills.front_matter import MOST_BYTES, check_name, read_front_matter
from understudy.skills.paths import check_together, clean_path
from understudy.skills.skill import PackedFile

SKILL: Final = "SKILL.md"

# Bytes of an upload that are held in memory; what is more goes to a file without a name.
IN_MEMORY: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file of an upload: `size` bytes from `start` on of where all were written. `path` is what it was called."""

    path: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a version will be. `archive` is a zip of all files below `name`; whoever has the bundle closes it."""

    name: str
    description: str
    directory: str
    files: list[PackedFile]
    archive: IO[bytes]


def make_bundle(spool: IO[bytes], uploaded: Sequence[Uploaded], config: SkillsConfig, *, old: bool) -> Bundle:
    """Check and pack an upload: many files, or one that is a zip archive.

    `old`: by the rules of the beta, where files must lie in a directory of the skill's name. Raises
    InvalidRequestError, RequestTooLargeError. Takes time: in a thread, please.
    """
    with ExitStack() as stack:
        zipped = len(uploaded) == 1 and is_zip(_part(spool, uploaded[0]).read(4))
        if zipped:
            sources = stack.enter_context(reading(_part(spool, uploaded[0]), config.max_files))
        else:
            if len(uploaded) == 1 and not uploaded[0].path:
                # Bytes without a name: an SDK sends them so.
                raise misplaced(zipped=False)
            sources = [Source(clean_path(one.path), _opener(spool, one)) for one in uploaded]
        if len(sources) > config.max_files:
            raise too_many_files(config.max_files)
        check_together(source.path for source in sources)
        folder, sources = _rooted(sources, zipped=zipped, old=old)
        sources.sort(key=lambda source: (source.path != SKILL, source.path))
        with sources[0].open_() as file:
            found = read_front_matter(file.read(MOST_BYTES))
        name = found.name
        if name is None:
            name = "" if folder is None or old else folder.casefold().replace("_", "-")
            check_name(name)
        elif folder is not None and _alike(folder) != _alike(name):
            raise wrong_folder(folder, name)
        archive: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 -- whoever has the bundle closes it
        try:
            files = pack(sources, name, archive, config.max_bytes)
        except BaseException:
            archive.close()
            raise
        return Bundle(name, found.description, folder or name, files, archive)


def _alike(name: str) -> str:
    return name.casefold().replace("_", "-")


def _rooted(sources: list[Source], *, zipped: bool, old: bool) -> tuple[str | None, list[Source]]:
    """The one directory that all files lie in, and the files by their paths below it."""
    if zipped:
        found = sum(source.path.rpartition("/")[2] == SKILL for source in sources)
        if found != 1:
            raise not_one_skill(found)
    elif not sources:
        raise misplaced(zipped=False)
    if any(source.path == SKILL for source in sources):
        # At the upload's root: since the API is out of beta (Skills guide, 2026-08).
        if old:
            raise misplaced(zipped=zipped)
        return None, list(sources)
    folder = sources[0].path.partition("/")[0]
    inside = [source._replace(path=source.path.removeprefix(f"{folder}/")) for source in sources]
    if any(not source.path.startswith(f"{folder}/") for source in sources):
        raise misplaced(zipped=zipped)
    if not any(source.path == SKILL for source in inside):
        raise misplaced(zipped=zipped)
    return folder, inside


def _opener(spool: IO[bytes], one: Uploaded) -> Callable[[], IO[bytes]]:
    return lambda: _part(spool, one)


def _part(spool: IO[bytes], one: Uploaded) -> IO[bytes]:
    return io.BufferedReader(_Window(spool, one), PIECE)


class _Window(io.RawIOBase):
    """A part of a file as a file."""

    def __init__(self, spool: IO[bytes], one: Uploaded) -> None:
        super().__init__()
        self._spool = spool
        self._start, self._size, self._at = one.start, one.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            # As files of the system say it, which zipfile counts on.
            raise OSError(errno.EINVAL, "before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        wanted = min(len(view), max(0, self._size - self._at))
        self._spool.seek(self._start + self._at)
        piece = self._spool.read(wanted)
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
