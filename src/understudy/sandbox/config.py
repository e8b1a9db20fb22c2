"""How containers are set up. `app` fills it from the settings, whose descriptions say what each value means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Driver = Literal["bubblewrap", "gvisor", "docker"]


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    mode: Literal["auto", "on", "off"] = "auto"
    driver: Driver = "bubblewrap"
    require: Literal["any", "strict"] = "any"
    memory: int = 1024**3
    disk: int = 1024**3
    max_files: int = 65_536
    processes: int = 256
    cpus: float = 1.0
    max_output: int = 1024**2
    idle: float = 300
    shown_lifetime: float = 3600
    kept: float = 30 * 86_400.0
    organization_containers: int = 100
    max_containers: int = 1000
    max_running: int = 20
    queue_timeout: float = 30
    reserve: int = 1024**3
    python: Path | None = None
    cgroup: Path | None = None
    runsc: Path | None = None
    gvisor_platform: Literal["systrap", "ptrace", "kvm"] | None = None
    docker_socket: Path = Path("/var/run/docker.sock")
    docker_image: str | None = None
