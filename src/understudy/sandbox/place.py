"""The directory in which an installation keeps its containers, and who holds which of them."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from understudy.sandbox.disks import MOUNTED, unmount
from understudy.sandbox.trees import remove_tree

ENVIRONMENT: Final = "environment"
_LOCK: Final = ".lock"


class Place:
    """`root` is data_dir/sandbox. A container's directory is locked by the process in which it is awake, and by nobody
    once that is gone, however it went."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.containers = root / "containers"

    @property
    def exists(self) -> bool:
        return self.containers.is_dir()

    def make(self) -> str:
        """Make the directories. Returns the number that tells this place from others of the same database."""
        self.containers.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        file = self.root / "place"
        if not file.exists():
            # Linked when it is whole, so that two servers that start together agree.
            fresh = self.root / f"place.{secrets.token_hex(8)}"
            fresh.write_text(secrets.token_hex(8))
            with suppress(FileExistsError):
                file.hardlink_to(fresh)
            fresh.unlink()
        return file.read_text().strip()

    @property
    def environment(self) -> Path | None:
        """What `understudy sandbox build` made, if it did."""
        built = self.root / ENVIRONMENT
        return built if (built / "built").exists() else None

    def directory(self, container_id: str) -> Path:
        return self.containers / container_id

    def lock(self, container_id: str) -> int | None:
        """Hold a container; the descriptor lets it go when it is closed. None if another process holds it."""
        directory = self.directory(container_id)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        # Who had it may have removed it with all the rest a moment ago, and another have made it anew.
        with suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == (directory / _LOCK).stat().st_ino:
                return descriptor
        os.close(descriptor)
        return None

    def age(self, container_id: str) -> float:
        """Seconds since somebody first or last held a container."""
        with suppress(OSError):
            return time.time() - (self.directory(container_id) / _LOCK).stat().st_mtime
        return 0.0

    def remove(self, container_id: str) -> None:
        """Remove the files of a container that is held."""
        unmount(self.directory(container_id) / MOUNTED)
        remove_tree(self.directory(container_id))

    def ids(self) -> Iterator[str]:
        """All containers of which there are files."""
        with suppress(OSError):
            for entry in sorted(os.scandir(self.containers), key=lambda one: one.name):
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name
