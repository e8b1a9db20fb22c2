"""Programs that are no packages of PyPI: root installs them, others are told to."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

# Where there is no network it is said, not waited for.
_SOON = ("Acquire::http::Timeout=20", "Acquire::https::Timeout=20", "Acquire::Retries=1", "DPkg::Lock::Timeout=60")


def have_program(program: str, *packages: str) -> str:
    """Where a program is. Fails the test where it neither is nor can be had from Debian's `packages`."""
    needed = f"These tests need {program}: install it (Debian and Ubuntu: apt-get install {' '.join(packages)})."
    if (found := shutil.which(program)) is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.fail(needed)
    # Processes of one run wait for each other: apt-get refuses to be run twice.
    with Path(tempfile.gettempdir(), "understudy-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which(program) is None:
            install(needed, packages)
    found = shutil.which(program)
    if found is None:
        pytest.fail(needed)
    return found


def install(needed: str, packages: tuple[str, ...]) -> None:
    """Fails the test, which says what is `needed`, where Debian's packages cannot be had."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", *(word for option in _SOON for word in ("-o", option))]
    for command in ([*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", *packages]):
        try:
            done = subprocess.run(command, check=False, env=environment, timeout=200, capture_output=True)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{needed} {' '.join(command)} did not end.")
        if done.returncode:
            pytest.fail(f"{needed} apt-get said: {done.stderr.decode('utf-8', 'replace')[-2000:]}")
