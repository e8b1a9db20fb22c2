"""Containers of Docker: what is needed of this machine and its daemon, and what a container is made of."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from understudy.sandbox.config import Driver, SandboxConfig
from understudy.sandbox.disks import PLACES
from understudy.sandbox.docker_api import Daemon, DockerError
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.machine import (
    ContainerProcess,
    ContainerPython,
    Machine,
    check_linux,
    container_python,
    disk_is_measured,
    no_disk,
)
from understudy.sandbox.seccomp import seccomp_filter
from understudy.sandbox.system import (
    FILTER_PLACE,
    HELPER_PLACE,
    SHARED_MEMORY,
    View,
    base_limits,
    helper_command,
    helper_program,
    helpers_environment,
    mounted_below,
    system_view,
)

INSTALL: Final = (
    "install Docker (https://docs.docker.com/engine/install/; Debian and Ubuntu: apt-get install docker.io) and start "
    "its daemon, or name its socket in sandbox.docker_socket"
)
IMAGE_NAME: Final = "understudy-sandbox"
"""Of images that are made here: links only, of a few kilobytes, over which this machine's programs are mounted."""
LABEL: Final = "understudy.installation"
LABEL_OF_CONTAINER: Final = "understudy.container"
CONTROL_PLACE: Final = "/opt/control"
"""Where the helper finds the server's socket."""
EMPTY: Final = "empty"
"""A directory with nothing in it, among the files of a container."""

# What Docker hides of /proc unless it is told what to hide, and all of /sys.
_HIDDEN: Final = (
    *("/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
    *("/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys"),
)
_log = structlog.stdlib.get_logger("understudy.sandbox")

_REFUSED_MODES: Final = {"rootless": "runs without root", "userns": "maps users (userns-remap)"}


@dataclass(frozen=True, slots=True)
class DockerMachine(Machine):
    daemon: Daemon
    image: str
    given_image: bool
    """The image is one that somebody chose, with a system and a Python of its own."""
    name: str
    """Marks the containers of this installation."""
    counts: bool
    counts_sockets: bool
    processors: int
    labelled: bool
    """Files have labels here (SELinux)."""

    @property
    def driver(self) -> Driver:
        return "docker"

    @property
    def counted(self) -> bool:
        return self.counts

    @property
    def shares_system(self) -> bool:
        return not self.given_image

    async def start(
        self, config: SandboxConfig, container_id: str, directory: Path, environment: Path | None
    ) -> ContainerProcess:
        from understudy.sandbox.docker_process import DockerProcess

        return await DockerProcess.start(self, config, container_id, directory, environment)

    def left(self) -> set[str]:
        query = {"all": "1", "filters": f'{{"label":["{LABEL}={self.name}"]}}'}
        try:
            found = self.daemon.call("GET", "/containers/json", query=query)
        except DockerError as error:
            _log.warning("Docker does not say what is left of containers", reason=str(error)[:300])
            return set()
        return {one["Labels"][LABEL_OF_CONTAINER] for one in found}

    def end(self, container_id: str) -> None:
        remove(self.daemon, container_name(container_id))


def container_name(container_id: str) -> str:
    """What Docker calls a container."""
    return f"understudy-{container_id}"


def remove(daemon: Daemon, container: str) -> None:
    """End a container's processes and remove what Docker keeps of it; one that is gone already is fine.

    Raises SandboxUnavailableError."""
    try:
        daemon.call("DELETE", f"/containers/{container}", query={"force": "1", "v": "1"})
    except DockerError as error:
        # 409: it is being removed.
        if error.status not in (404, 409):
            raise SandboxUnavailableError(f"Docker does not remove a container: {error}") from None


def examine(config: SandboxConfig, name: str) -> DockerMachine:
    """See drivers.examine."""
    check_linux()
    daemon = Daemon(config.docker_socket)
    try:
        version: dict[str, Any]
        info: dict[str, Any]
        version, info = daemon.call("GET", "/version"), daemon.call("GET", "/info")
    except DockerError as error:
        if isinstance(error.__cause__, PermissionError):
            raise SandboxUnavailableError(
                f"this user may not use {daemon.path}: add it to the group of that socket, which is as good as root"
            ) from None
        raise SandboxUnavailableError(f"no Docker daemon answers at {daemon.path} ({error}): {INSTALL}") from None
    if "Podman Engine" in str(version.get("Components")):
        raise SandboxUnavailableError(
            f"{daemon.path} is Podman's, which shows containers more of this machine than Docker does: {INSTALL}"
        )
    options: list[str] = info.get("SecurityOptions") or []
    for mode, what in _REFUSED_MODES.items():
        if any(option.split(",")[0] == f"name={mode}" for option in options):
            raise SandboxUnavailableError(
                f"this Docker daemon {what}, and files are not shared with such a one: use one that does not, or "
                "sandbox.driver = bubblewrap, which needs no root"
            )
    own_uid = os.geteuid() == 0
    weaker: list[str] = []
    counts = all(info.get(limit) for limit in ("MemoryLimit", "PidsLimit", "CpuCfsQuota"))
    if not counts:
        weaker.append("memory and processes are counted by the server, not by the kernel (Docker has no such limits)")
    if not own_uid:
        weaker.append("containers run as the server's own user, not each as one of its own (the server is not root)")
    disk_problem = _no_disk() if own_uid else "the server is not root"
    if disk_problem:
        weaker.append(disk_is_measured(disk_problem))
    given = config.docker_image is not None
    return DockerMachine(
        own_uid=own_uid,
        cgroups=None,
        own_disk=not disk_problem,
        python=ContainerPython("python3", None, None) if given else container_python(config.python),
        weaker=tuple(weaker),
        daemon=daemon,
        image=_given_image(daemon, config.docker_image) if config.docker_image else make_image(daemon, config),
        given_image=given,
        name=name,
        counts=counts,
        counts_sockets=bool(info.get("KernelMemoryTCP")) and info.get("CgroupVersion") == "1",
        processors=max(1, int(info.get("NCPU") or 1)),
        labelled="name=selinux" in options,
    )


def _no_disk() -> str:
    for tool in ("unshare", "mount", "umount", "mkfs.ext4"):
        if shutil.which(tool) is None:
            return f"{tool} is not there"
    return no_disk()


def _given_image(daemon: Daemon, image: str) -> str:
    try:
        found: dict[str, Any] = daemon.call("GET", f"/images/{image}/json")
    except DockerError as error:
        if error.status == 404:
            raise SandboxUnavailableError(f"there is no image {image} here: docker pull {image}") from None
        raise SandboxUnavailableError(f"the image {image} cannot be looked at: {error}") from None
    config: dict[str, Any] = found.get("Config") or {}
    if config.get("Volumes"):
        raise SandboxUnavailableError(f"the image {image} has volumes, whose size nobody bounds: use one without")
    return str(found["Id"])


def make_image(daemon: Daemon, config: SandboxConfig) -> str:
    """The image over which this machine's programs are mounted, made if it is not there: no registry is asked.

    Raises SandboxUnavailableError."""
    links = system_view(container_python(config.python), None, 0).links
    archive = _archive(links)
    # In its name, for Podman takes no tag here.
    image = f"{IMAGE_NAME}-{hashlib.sha256(archive).hexdigest()[:12]}"
    try:
        try:
            daemon.call("GET", f"/images/{image}/json")
        except DockerError as error:
            if error.status != 404:
                raise
            daemon.call("POST", "/images/create", query={"fromSrc": "-", "repo": image}, archive=archive)
    except DockerError as error:
        raise SandboxUnavailableError(f"Docker does not make the containers' image: {error}") from None
    return image


def _archive(links: dict[str, str]) -> bytes:
    """The same bytes for the same links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("etc", "opt", "opt/bin", "usr"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for place, target in sorted(links.items()):
            entry = tarfile.TarInfo(place[1:])
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            archive.addfile(entry)
    return out.getvalue()


def files_for(machine: DockerMachine, config: SandboxConfig, environment: Path | None, uid: int) -> View:
    """What a container has to be given of files and mounts."""
    seen = system_view(machine.python, environment, uid) if machine.shares_system else View()
    own_python = machine.shares_system and config.python is None
    seen.files[HELPER_PLACE] = helper_program(own_python=own_python)
    seen.files[FILTER_PLACE] = seccomp_filter(hidden_memory=machine.counted, pinned=False)
    return seen


def container(
    machine: DockerMachine, config: SandboxConfig, container_id: str, uid: int, seen: View, launch: Path, where: Path
) -> dict[str, Any]:
    """What Docker is told. `launch`: the directory with the server's socket and the files of `seen`, each by its place;
    `where`: that of the places that keep files."""
    mounts = [_bind(source, place) for place, source in {**seen.binds, **mounted_below(seen)}.items()]
    mounts += [_bind(f"{launch}{place}", place) for place in (CONTROL_PLACE, *seen.files)]
    # No tmpfs, into which Podman would copy what it hides.
    mounts += [_bind(f"{launch}/{EMPTY}", place) for place in seen.empty]
    mounts += [_bind(str(where / name), place, writable=True) for place, name in PLACES.items()]
    limits = base_limits(config)
    if not machine.counted:
        limits |= {"RLIMIT_DATA": config.memory}
    # See system.without_cores. Without the others Podman would ask for more than it may have.
    at_start = {"core": 1, "nofile": limits["RLIMIT_NOFILE"]}
    if machine.own_uid:
        at_start["nproc"] = config.processes
    host: dict[str, Any] = {
        "NetworkMode": "none",
        "IpcMode": "private",
        "ReadonlyRootfs": True,
        "Mounts": mounts,
        "ShmSize": SHARED_MEMORY,
        "MaskedPaths": list(_HIDDEN),
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true", *(["label=disable"] if machine.labelled else [])],
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in at_start.items()],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "16k", "max-file": "1"}},
        "RestartPolicy": {"Name": "no"},
    }
    if machine.counted:
        host |= {"Memory": config.memory, "MemorySwap": config.memory, "PidsLimit": config.processes}
        host["NanoCpus"] = int(min(config.cpus, machine.processors) * 1_000_000_000)
    if machine.counts_sockets:
        host["KernelMemoryTCP"] = config.memory // 8
    return {
        "Image": machine.image,
        "Entrypoint": helper_command(machine.python, CONTROL_PLACE, limits, FILTER_PLACE),
        "Cmd": [],
        "User": f"{uid}:{uid if machine.own_uid else os.getgid()}",
        "WorkingDir": "/",
        "Hostname": "container",
        "Env": [f"{name}={value}" for name, value in helpers_environment(machine.python).items()],
        "NetworkDisabled": True,
        **({"Healthcheck": {"Test": ["NONE"]}} if machine.given_image else {}),
        "Labels": {LABEL: machine.name, LABEL_OF_CONTAINER: container_id},
        "HostConfig": host,
    }


def _bind(source: str, place: str, *, writable: bool = False) -> dict[str, Any]:
    # What is mounted below would be writable, whatever is said here, before Docker 25.
    options = {"NonRecursive": True, "Propagation": "rprivate"}
    return {"Type": "bind", "Source": source, "Target": place, "ReadOnly": not writable, "BindOptions": options}
