"""Running a test's script as root, or as an ordinary user where the tests are root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = 12345
_REPOSITORY = Path(__file__).parents[2]

# What the tests are run with may lie where only root may go: in a mount namespace of its own it is mounted where it
# was, below a directory that everybody may go through.
_OPEN = """
set -e
at=$1; shift
mount -t tmpfs none /mnt
number=0
for path in $at; do
  number=$((number + 1)); mkdir /mnt/$number; mount --bind "$path" /mnt/$number
done
for top in $1; do mount -t tmpfs -o mode=755 none "$top"; done
shift
number=0
for path in $at; do
  number=$((number + 1)); mkdir -p "$path"; mount --bind /mnt/$number "$path"
done
cd /
exec setpriv --reuid=USER --regid=USER --clear-groups --inh-caps=-all --bounding-set=-all -- "$@"
""".replace("USER", str(USER))


def _closed(path: Path) -> Path | None:
    """The uppermost directory above `path` that others may not go through."""
    for parent in [*reversed(path.parents), path]:
        if not parent.stat().st_mode & 0o001:
            return parent
    return None


def ordinary(command: list[str]) -> list[str]:
    """The command as an ordinary user. For root only."""
    needed = {Path(one).resolve() for one in (sys.base_prefix, sys.prefix, _REPOSITORY)}
    behind = {path: top for path in needed if (top := _closed(path)) is not None}
    paths, tops = " ".join(map(str, sorted(behind))), " ".join(sorted({str(top) for top in behind.values()}))
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", _OPEN, "sh", paths, tops, *command]


def as_user(tier: str, command: list[str]) -> list[str]:
    return ordinary(command) if tier == "ordinary" and os.geteuid() == 0 else command


@contextmanager
def directory_for(tier: str) -> Generator[Path]:
    """A directory in which the user of that tier may do as it likes."""
    path = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
    try:
        if tier == "ordinary" and os.geteuid() == 0:
            os.chown(path, USER, USER)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def run_script(
    tier: str, script: Path, *arguments: str, timeout: float = 100, environment: Mapping[str, str] | None = None
) -> Any:
    """What a script prints as JSON, run as the user of that tier."""
    command = as_user(tier, [sys.executable, str(script), *arguments])
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "PYTHONPATH": str(_REPOSITORY / "src"), **(environment or {})},
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    return json.loads(done.stdout)
