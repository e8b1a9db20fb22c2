"""The file that rows go to while the database does not take them: JSON lines, read back when it does.

Several server processes may share the file. An appender holds its lock while it writes; a reader first renames it,
so that appenders begin a new one, and then waits for the lock, so that none is still writing what it reads.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from understudy.usage.rows import ROW_COLUMNS, Row, from_mapping

FILE_NAME = "usage.spill.jsonl"

_PART_BYTES = 4 * 1024 * 1024

if sys.platform == "win32":

    def _lock(file: int) -> None:
        """One server process only is supported there."""
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)


class Part(NamedTuple):
    """Rows read, lines that were none (cut short by a crash or a full disk), and where to read on: None at the end."""

    rows: list[Row]
    bad_lines: int
    following: int | None


class SpillFile:
    """`<data_dir>/usage.spill.jsonl`. All methods block: call them in a thread."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME

    def append(self, rows: Iterable[Row]) -> None:
        """Add `rows` to the file and see them to the disk. Raises OSError."""
        lines = b"".join(
            [orjson.dumps(dict(zip(ROW_COLUMNS, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE) for row in rows]
        )
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # beside PostgreSQL nothing else needs it
        file = self._open_current()
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # the line before was cut short; it must not take ours along
            while lines:
                lines = lines[os.write(file, lines) :]
            os.fsync(file)
        finally:
            os.close(file)

    def claim(self) -> list[Path]:
        """The files whose rows are now this process's to write, also those that a process left which has died."""
        claimed = self.path.with_name(f"usage.spill.{secrets.token_hex(8)}.jsonl")
        try:
            self.path.rename(claimed)
        except FileNotFoundError:
            pass
        return sorted(self.path.parent.glob("usage.spill.*.jsonl"))

    def read(self, path: Path, offset: int) -> Part:
        """The rows of a claimed file from byte `offset` on, a few megabytes at a time."""
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # another process had claimed it too, and is done
            return Part([], 0, None)
        try:
            _lock(file)
            data = os.pread(file, _PART_BYTES, offset)
            if offset + len(data) < os.fstat(file).st_size:
                data = data[: data.rfind(b"\n") + 1] or data  # a line that fills a whole part is none of ours
                following = offset + len(data)
            else:
                following = None
        finally:
            os.close(file)
        rows, bad_lines = _rows(data.split(b"\n"))
        return Part(rows, bad_lines, following)

    def remove(self, path: Path) -> None:
        """Remove a claimed file whose rows are all written."""
        path.unlink(missing_ok=True)

    def _open_current(self) -> int:
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            _lock(file)
            try:
                if os.fstat(file).st_ino == self.path.stat().st_ino:
                    return file
            except FileNotFoundError:
                pass
            os.close(file)  # claimed between opening and locking


def _rows(lines: Sequence[bytes]) -> tuple[list[Row], int]:
    rows: list[Row] = []
    bad = 0
    for line in lines:
        if not line:
            continue
        try:
            values: Any = orjson.loads(line)
            rows.append(from_mapping(values))
        except (orjson.JSONDecodeError, TypeError, KeyError):
            bad += 1
    return rows, bad
