"""Containers need bubblewrap, which is no package of PyPI: root installs it, others are told to."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


@pytest.fixture(scope="session", autouse=True)
def bubblewrap() -> None:
    if shutil.which("bwrap") is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.fail("These tests need bubblewrap: install it (Debian and Ubuntu: apt-get install bubblewrap).")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "bubblewrap", "e2fsprogs"]):
        subprocess.run(command, check=True, env=environment, timeout=300, capture_output=True)


@pytest.fixture(params=["strict", "ordinary"])
def tier(request: pytest.FixtureRequest) -> str:
    if request.param == "strict" and os.geteuid() != 0:
        pytest.skip("the strict tier needs root")
    return request.param
