"""Where a container's files lie on this machine: in a disk of its own, a file with a file system, or in a directory."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from understudy.sandbox.interface import HOME, WRITABLE

IMAGE: Final = "disk"
TREE: Final = "tree"
MOUNTED: Final = "mounted"
"""Where the disk is mounted for a moment, for drivers that take it from this machine."""

PLACES: Final = {path: "home" if path == HOME else path.strip("/") for path in WRITABLE}
"""The directory of each place that keeps files."""

_SECONDS: Final = 60.0
_PIECE: Final = 256 * 1024


def make_disk(image: Path, size: int, files: int) -> None:
    """Make an empty file system of `size` bytes, which takes room only as it fills. Raises OSError."""
    with image.open("xb") as out:
        out.truncate(size)
    journal = 4 if size >= 64 * 1024 * 1024 else 1
    command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(files), "-J", f"size={journal}"]
    command += ["-O", "^resize_inode", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", str(image)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
    except subprocess.SubprocessError as error:
        raise OSError(str(error)) from None
    if done.returncode:
        raise OSError(done.stderr.decode("utf-8", "replace").strip()[:300])


def copy_disk(template: Path, image: Path) -> None:
    """Copy a file of which most is holes, and leave them so. Raises OSError."""
    with template.open("rb") as source, image.open("xb") as out:
        size = os.fstat(source.fileno()).st_size
        out.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(source.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break  # no more data
                raise
            end = os.lseek(source.fileno(), at, os.SEEK_HOLE)
            while at < end:
                piece = os.pread(source.fileno(), min(_PIECE, end - at), at)
                at += os.pwrite(out.fileno(), piece, at)


def new_disk(image: Path, size: int, files: int) -> None:
    """As make_disk, by copying one that was made before, which is several times as fast. Raises OSError."""
    template = image.parent.parent / f".disk-{size}-{files}"
    if not template.exists():
        fresh = image.with_name("template")
        fresh.unlink(missing_ok=True)
        make_disk(fresh, size, files)
        fresh.rename(template)
    unfinished = image.with_name(f"{image.name}.new")
    unfinished.unlink(missing_ok=True)
    copy_disk(template, unfinished)
    unfinished.rename(image)


def is_mounted(image: Path) -> bool:
    """Whether a file is some loop device's: a disk that is let go may take a moment, and two must not write to it."""
    wanted = str(image)
    for told in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            if told.read_text().rstrip("\n") == wanted:
                return True
    return False


def make_tree(tree: Path) -> None:
    """The directories of a container without a disk of its own. Raises OSError."""
    for name in PLACES.values():
        (tree / name).mkdir(parents=True, exist_ok=True)


def unmount(place: Path) -> None:
    """Unmount a disk, at once for those who come, and for those who have it when they let it go."""
    if os.path.ismount(place):
        subprocess.run(["umount", "--lazy", str(place)], capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603, S607
