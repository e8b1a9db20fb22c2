"""Containers in which code runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from understudy.settings.room import Room

_MIB = 1024 * 1024


class SandboxSettings(Room):
    """Where code that a model has written runs, and how much of the machine it may have. See sandbox.md."""

    mode: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="`auto`: containers are there if this machine passes the self-test, which is made at their first "
        "use; `on`: it is made at the start, and a server that fails it does not start; `off`: no code is run.",
    )
    driver: Literal["bubblewrap", "gvisor", "docker"] = Field(
        default="bubblewrap",
        description="What makes containers. `bubblewrap` takes a small program and is the fastest; `gvisor` puts a "
        "kernel of its own between the code and this machine's; `docker` asks a daemon that runs here as root.",
    )
    require: Literal["any", "strict"] = Field(
        default="any",
        description="`strict`: no code is run unless the kernel itself holds every limit, each container under a "
        "user of its own. That takes root.",
    )
    memory: int = Field(default=1024 * _MIB, ge=32 * _MIB, description="Bytes of memory of a container.")
    disk: int = Field(default=1024 * _MIB, ge=16 * _MIB, description="Bytes of all files of a container.")
    max_files: int = Field(default=65_536, ge=256, description="Files and directories of a container.")
    processes: int = Field(default=256, ge=8, description="Processes and threads of a container.")
    cpus: float = Field(default=1.0, ge=0.05, le=1024, description="Processors that a container may keep busy.")
    max_output: int = Field(
        default=1024 * 1024,
        ge=1024,
        description="Bytes of a command's standard output that are kept, and as many of its errors.",
    )
    idle: float = Field(
        default=300,
        ge=1,
        description="Seconds after its last use at which a container's processes end. Its files stay, and the next "
        "use starts it again.",
    )
    shown_lifetime: float = Field(
        default=3600, ge=60, description="Seconds from the last use to the `expires_at` that clients are shown."
    )
    kept: float = Field(
        default=30 * 86_400.0, ge=60, le=30 * 86_400.0, description="Seconds from its making to its removal."
    )
    organization_containers: int = Field(
        default=100, ge=1, description="Containers of an organization; the one unused for longest makes room."
    )
    max_containers: int = Field(
        default=1000, ge=1, description="Containers on this machine; the one unused for longest makes room."
    )
    max_running: int = Field(default=20, ge=1, description="Containers whose processes run at the same time.")
    queue_timeout: float = Field(
        default=30,
        gt=0,
        description="Seconds that a request waits for a container in use, or for room: then 529.",
    )
    reserve: int = Field(
        default=1024 * _MIB,
        ge=0,
        description="Bytes that containers leave free on the disk of the data directory: below it no new one is made, "
        "and containers that run a command are ended.",
    )
    python: Path | None = Field(
        default=None,
        description="The directory of the Python that containers have, with bin and lib. Default: that of the server.",
    )
    cgroup: Path | None = Field(
        default=None,
        description="A cgroup v2 directory in which the server may make others, for a server that is given one of its "
        "own. Default: the one that it runs in.",
    )
    runsc: Path | None = Field(
        default=None, description="gVisor's program, `runsc`. Default: the one that is found in PATH."
    )
    gvisor_platform: Literal["systrap", "ptrace", "kvm"] | None = Field(
        default=None, description="How gVisor catches system calls. Default: as runsc itself chooses."
    )
    docker_socket: Path = Field(
        default=Path("/var/run/docker.sock"), description="The socket of Docker's daemon, which must run here as root."
    )
    docker_image: str | None = Field(
        default=None,
        min_length=1,
        description="An image that is there already, with python3 (3.11 or newer) in its PATH. Default: one that is "
        "made here, without a registry, in which containers see the programs of this machine.",
    )
