"""Containers need bubblewrap, which is no package of PyPI: root installs it, others are told to."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_NEEDED = "These tests need bubblewrap: install it (Debian and Ubuntu: apt-get install bubblewrap)."
# Where there is no network it is said, not waited for.
_SOON = ("Acquire::http::Timeout=20", "Acquire::https::Timeout=20", "Acquire::Retries=1", "DPkg::Lock::Timeout=60")


def have_bubblewrap() -> None:
    """Fails the test where bubblewrap neither is nor can be had."""
    if shutil.which("bwrap") is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.fail(_NEEDED)
    # Processes of one run wait for each other: apt-get refuses to be run twice.
    with Path(tempfile.gettempdir(), "understudy-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which("bwrap") is None:
            _install()
    if shutil.which("bwrap") is None:
        pytest.fail(_NEEDED)


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", *(word for option in _SOON for word in ("-o", option))]
    for command in ([*apt, "update"], [*apt, "install", "-y", "bubblewrap", "e2fsprogs"]):
        try:
            done = subprocess.run(command, check=False, env=environment, timeout=200, capture_output=True)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{_NEEDED} {' '.join(command)} did not end.")
        if done.returncode:
            pytest.fail(f"{_NEEDED} apt-get said: {done.stderr.decode('utf-8', 'replace')[-2000:]}")
