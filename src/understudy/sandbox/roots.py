"""What root does before a container starts: its disk is mounted where nobody else sees it, in a mount namespace of the
container's own, which takes everything mounted with it when it goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from understudy.sandbox.disks import PLACES, TREE
from understudy.sandbox.interface import SandboxUnavailableError

# $1 the disk, $2 its owner, $3 a directory to mount at; then mounts, each a source and a name; then --, groups to be
# in, --, what to start.
_SCRIPT: Final = """
set -e
disk=$1 owner=$2 at=$3; shift 3
mount -t tmpfs -o mode=0755,size=256k,nosuid,nodev none "$at"
mkdir "$at/disk"
case $disk in
*/TREE) mount --bind "$disk" "$at/disk" ;;
*) mount -o loop,nosuid,nodev,noatime,discard "$disk" "$at/disk" ;;
esac
cd "$at/disk"
if [ ! -e made ]; then
  install -d -m 0755 -o "$owner" -g "$owner" PLACES
  : > made
fi
cd /
while [ "$1" != -- ]; do mkdir "$at/$2"; mount --bind "$1" "$at/$2"; shift 2; done
shift
while [ "$1" != -- ]; do echo $$ > "$1"; shift; done
shift
exec "$@"
""".replace("PLACES", " ".join(PLACES.values())).replace("TREE", TREE)
_MOUNT_PLACES: Final = (Path("/mnt"), Path("/media"), Path("/srv"), Path("/run"))

# The same for others, who only join their groups.
_JOIN: Final = """
set -e
while [ "$1" != -- ]; do echo $$ > "$1"; shift; done
shift
exec "$@"
"""


def mount_place(sources: Sequence[Path]) -> Path:
    """A directory of every system that hides none of what is mounted when it is mounted over."""
    for place in _MOUNT_PLACES:
        if place.is_dir() and not any(source.resolve().is_relative_to(place) for source in sources):
            return place
    raise SandboxUnavailableError(f"none of {', '.join(map(str, _MOUNT_PLACES))} can be mounted over")


def with_disk(
    disk: Path, uid: int, at: Path, binds: Sequence[tuple[Path, str]], groups: Sequence[Path], command: Sequence[str]
) -> list[str]:
    """Start a command, as root, that finds the disk mounted at `at`/disk and each of `binds` at its name beside it.

    `uid`: the disk's owner; `groups`: files of control groups to join."""
    mounts = [word for source, name in binds for word in (str(source), name)]
    start = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT, "sh", str(disk), str(uid), str(at)]
    return [*start, *mounts, "--", *map(str, groups), "--", *command]


def in_groups(groups: Sequence[Path], command: Sequence[str]) -> list[str]:
    """Start a command in control groups."""
    return ["sh", "-c", _JOIN, "sh", *map(str, groups), "--", *command]


def as_nobody_else(uid: int, command: Sequence[str]) -> list[str]:
    """Give up root for a user of the container's own."""
    drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs", "--inh-caps=-all"]
    return [*drop, "--bounding-set=-all", "--", *command]
