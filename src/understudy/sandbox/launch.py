"""How bubblewrap starts a container: what it sees, as bubblewrap's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from understudy.sandbox import channel
from understudy.sandbox.bubblewrap import BubblewrapMachine
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.disks import IMAGE, PLACES, TREE
from understudy.sandbox.interface import HOME
from understudy.sandbox.process import Launch
from understudy.sandbox.roots import as_nobody_else, in_groups, mount_place, with_disk
from understudy.sandbox.seccomp import seccomp_filter
from understudy.sandbox.system import (
    ENVIRONMENT_PLACE,
    HELPER_PLACE,
    SHARED_MEMORY,
    USER,
    View,
    base_limits,
    counts_by_namespace,
    helper_command,
    helper_program,
    helpers_environment,
    pinned,
    system_view,
    uid_of,
    without_cores,
)

_MIB: Final = 1024 * 1024


def prepare(
    machine: BubblewrapMachine,
    config: SandboxConfig,
    *,
    container_id: str,
    directory: Path,
    environment: Path | None,
    groups: Sequence[Path],
    control: int,
    info: int,
) -> Launch:
    """See process.Prepare."""
    launch = Launch()
    disk = directory / (IMAGE if machine.own_disk else TREE)
    python = machine.python
    seen = system_view(python, environment, USER)
    # What lies where only root may go is mounted elsewhere before.
    moved = [
        (Path(source), name)
        for place, name in ((python.place, "python"), (ENVIRONMENT_PLACE, "environment"))
        if (source := seen.binds.get(place)) is not None
    ]
    at = Path("/")
    if machine.own_uid:
        at = mount_place([disk, *(source for source, _ in moved)])
        _move(seen, {str(source): str(at / name) for source, name in moved})
    where = at / "disk" if machine.own_uid else disk
    arguments = _view(machine, launch, seen)
    for place, name in PLACES.items():
        arguments += ["--bind", str(where / name), place]
    for name, value in helpers_environment(python).items():
        arguments += ["--setenv", name, value]
    arguments += ["--ro-bind-data", _inherited(launch, helper_program(own_python=config.python is None)), HELPER_PLACE]
    arguments += ["--chdir", HOME, "--remount-ro", "/"]
    counted = machine.counted
    arguments += ["--seccomp", _inherited(launch, seccomp_filter(hidden_memory=counted, pinned=not counted))]
    arguments += ["--info-fd", str(info)]
    # As a file, so that nothing of this machine stands in the arguments that the container sees of its first process.
    bwrap = [machine.bwrap, "--args", _inherited(launch, "\0".join(arguments).encode())]
    bwrap += ["--", *helper_command(python, str(control), _limits(machine, config))]
    launch.descriptors += [control, info]
    held = [] if counted else pinned(config)
    if machine.own_uid:
        uid = uid_of(container_id)
        launch.command = [*held, *with_disk(disk, uid, at, moved, groups, as_nobody_else(uid, bwrap))]
    elif groups:
        launch.command = in_groups(groups, bwrap)
    else:
        launch.command = [*held, *bwrap]
    launch.command[:0] = without_cores()
    return launch


def _move(seen: View, moved: dict[str, str]) -> None:
    for place, source in seen.binds.items():
        for before, after in moved.items():
            if source == before or source.startswith(before + "/"):
                seen.binds[place] = after + source.removeprefix(before)


def _inherited(launch: Launch, data: bytes) -> str:
    descriptor = channel.memory_file(data)
    launch.descriptors.append(descriptor)
    return str(descriptor)


def _view(machine: BubblewrapMachine, launch: Launch, seen: View) -> list[str]:
    """The system as the container sees it."""
    arguments = ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--hostname", "container"]
    arguments += ["--uid", str(USER), "--gid", str(USER), "--cap-drop", "ALL"]
    if machine.disable_userns:
        arguments += ["--disable-userns"]
    for place, source in seen.binds.items():
        arguments += ["--ro-bind", source, place]
    for path, data in seen.files.items():
        arguments += ["--ro-bind-data", _inherited(launch, data), path]
    for place in seen.empty:
        arguments += ["--size", "4096", "--tmpfs", place, "--remount-ro", place]
    for place, target in seen.links.items():
        arguments += ["--symlink", target, place]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    return [*arguments, "--size", str(SHARED_MEMORY), "--tmpfs", "/dev/shm"]  # noqa: S108


def _limits(machine: BubblewrapMachine, config: SandboxConfig) -> dict[str, int]:
    limits = base_limits(config)
    if not machine.counted:
        limits |= {"RLIMIT_DATA": config.memory, "RLIMIT_MEMLOCK": _MIB}
        if counts_by_namespace():
            limits["RLIMIT_NPROC"] = config.processes
    return limits
