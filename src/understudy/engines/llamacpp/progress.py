"""How far a worker has come with loading: how much of the model's files it has taken in, seen from outside.

llama.cpp tells nobody of it: xllamacpp offers no callback, and holds the interpreter's lock while it loads. But files
that are mapped become resident page by page, and those that are read are counted, both by the kernel.
"""

from __future__ import annotations

import glob
import re
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_PART: Final = re.compile(r"^(.*)-\d{5}-of-(\d{5})\.gguf$")


class TakenIn(NamedTuple):
    """Bytes of files that a process has in memory, and that it has read."""

    mapped: int
    read: int


def taken_in(pid: int | str = "self") -> TakenIn | None:
    """None where it cannot be seen: on other systems than Linux, and of a process that has ended."""
    process = Path("/proc", str(pid))
    with suppress(OSError, ValueError, KeyError):
        return TakenIn(_field(process / "status", "RssFile") * 1024, _field(process / "io", "rchar"))
    return None


def size_of(model: Path, mmproj: Path | None) -> int:
    """Bytes of all the files of a model; nought where they are gone."""
    part = _PART.match(model.name)
    files = [model] if part is None else sorted(model.parent.glob(f"{glob.escape(part[1])}-*-of-{part[2]}.gguf"))
    with suppress(OSError):
        return sum(file.stat().st_size for file in (*files, *([] if mmproj is None else [mmproj])))
    return 0


def share(before: TakenIn, now: TakenIn, size: int) -> float:
    """What of `size` bytes was taken in since `before`, from 0 to 1: in whichever of the two ways."""
    most = max(now.mapped - before.mapped, now.read - before.read, 0)
    return min(most / size, 1.0) if size else 0.0


def _field(path: Path, name: str) -> int:
    fields = dict(line.split(":", 1) for line in path.read_text().splitlines())
    return int(fields[name].split()[0])
