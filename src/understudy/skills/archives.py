"""Zip archives, read with suspicion and written plainly. Nothing is ever unpacked to a path that an archive names.

All of it works on files that are open already, and takes time: in a thread, please.
"""

from __future__ import annotations

import errno
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import IO, Final, NamedTuple

from understudy.skills.errors import too_large, too_many_files
from understudy.skills.paths import clean_path
from understudy.skills.skill import PackedFile
from understudy.wire.errors import InvalidRequestError

PIECE: Final = 256 * 1024

# Bytes of a file's row in the directory at an archive's end: the most in the mean.
_MOST_OF_ROW: Final = 512
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_MOST_OF_COMMENT: Final = 65_535
_ZIP64: Final = b"PK\x06\x07"
_ZIP64_BYTES: Final = 20
_ENCRYPTED: Final = 0x1
# The others know how to ask for gigabytes of memory.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEADER: Final = 30
# What zipfile raises over bytes that are none of an archive.
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError),
)
# What macOS puts beside the files of an archive [guess: claude.ai takes archives that it made].
_LITTER: Final = ("__MACOSX/",)
_NOT_WORTH: Final = 64


class Source(NamedTuple):
    """A file to be packed. `open_` gives its bytes; `path` is clean."""

    path: str
    open_: Callable[[], IO[bytes]]
    executable: bool = False


def is_zip(head: bytes) -> bool:
    """By the first bytes: one with files in it, or an empty one."""
    return head.startswith((b"PK\x03\x04", _END))


@contextmanager
def reading(file: IO[bytes], max_files: int) -> Generator[list[Source]]:
    """The regular files of an archive. Raises InvalidRequestError for one that is broken or holds anything else."""
    _check_end(file, max_files)
    try:
        with zipfile.ZipFile(file) as archive:
            yield [
                Source(clean_path(info.filename), _opener(archive, info), _executable(info))
                for info in archive.infolist()
                if not info.filename.startswith(_LITTER) and _is_file(info)
            ]
    except _BROKEN:
        raise _broken() from None
    except OSError as error:
        # A place before the beginning.
        if error.errno != errno.EINVAL:
            raise
        raise _broken() from None


def _broken() -> InvalidRequestError:
    return InvalidRequestError("The zip file is broken.")


def _check_end(file: IO[bytes], max_files: int) -> None:
    """Before the directory is read: it is as large as so many files make it, and not one that says one thing here and
    another there."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - _MOST_OF_COMMENT - _ZIP64_BYTES))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise _broken()
    if tail[max(0, at - _ZIP64_BYTES) : at].startswith(_ZIP64):
        raise InvalidRequestError("The zip file is of a kind for very large archives, which is not supported.")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    # Directories have rows too.
    if directory > 2 * max_files * _MOST_OF_ROW:
        raise too_many_files(max_files)


def _is_file(info: zipfile.ZipInfo) -> bool:
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise InvalidRequestError("The zip file holds links or special files. Only files and folders are supported.")
    if info.is_dir() or kind == stat.S_IFDIR:
        return False
    if info.flag_bits & _ENCRYPTED:
        raise InvalidRequestError("The zip file is encrypted.")
    if info.compress_type not in _METHODS:
        raise InvalidRequestError("The zip file is compressed in a way that is not supported. Use deflate.")
    return True


def _executable(info: zipfile.ZipInfo) -> bool:
    return bool((info.external_attr >> 16) & stat.S_IXUSR)


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(info)


def pack(sources: list[Source], folder: str, out: IO[bytes], max_bytes: int) -> list[PackedFile]:
    """Write the archive of a version, its files below `folder`, always the same bytes for the same files.

    Returns where each lies. Raises RequestTooLargeError as soon as more than `max_bytes` come out of the sources,
    whatever they said they would be.
    """
    left = max_bytes
    packed: list[PackedFile] = []
    with zipfile.ZipFile(out, "w") as archive:
        for source in sources:
            info = zipfile.ZipInfo(f"{folder}/{source.path}")
            with source.open_() as file:
                first = file.read(PIECE)
                executable = source.executable or first.startswith(b"#!")
                info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
                info.create_system = 3
                info.compress_type = zipfile.ZIP_DEFLATED if len(first) > _NOT_WORTH else zipfile.ZIP_STORED
                with archive.open(info, "w") as entry:
                    piece = first
                    while piece:
                        left -= len(piece)
                        if left < 0:
                            raise too_large(max_bytes)
                        entry.write(piece)
                        piece = file.read(PIECE)
            packed.append(_place(source.path, info, executable=executable))
    return packed


def _place(path: str, info: zipfile.ZipInfo, *, executable: bool) -> PackedFile:
    return PackedFile(
        path=path,
        size=info.file_size,
        start=info.header_offset + _HEADER + len(info.filename.encode()) + len(info.extra),
        packed=info.compress_size,
        deflated=info.compress_type == zipfile.ZIP_DEFLATED,
        executable=executable,
    )
