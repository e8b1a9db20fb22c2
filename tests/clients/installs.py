"""Installs of clients that cannot live in this project's own environment, made once and kept between test runs."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".venv-clients"

INSTALL_TIMEOUT = 420.0
"""Seconds one install may take; most is the download."""


def install_once(folder: Path, pins: list[Path], make: Callable[[], None]) -> Path:
    """Call `make` to fill `folder`, unless an earlier run did so from the same pins. Safe among pytest's workers."""
    fingerprint = hashlib.sha256(b"\0".join(pin.read_bytes() for pin in pins)).hexdigest()
    stamp = folder / ".installed"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != fingerprint:
            shutil.rmtree(folder, ignore_errors=True)
            make()
            stamp.write_text(fingerprint)
    return folder


def python_client(name: str) -> Path:
    """The Python of a virtual environment with what requirements/clients-<name>.txt pins."""
    requirements = ROOT / "requirements" / f"clients-{name}.txt"
    folder = CACHE / name

    def make() -> None:
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(requirements)])

    return install_once(folder, [requirements], make) / "bin" / "python"


def run(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = INSTALL_TIMEOUT,
) -> str:
    """Run a command to its end and return its standard output; a failure shows both outputs."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=None if env is None else dict(env),
        timeout=timeout,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        shown = " ".join(Path(part).name for part in command[:3])
        raise AssertionError(f"{shown} … ended with {done.returncode}:\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}")
    return done.stdout
