"""What is given out holds the Console, and no more script than it may."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = "understudy/console/static/"
MOST = 250_000
"""Bytes of compressed script that the first load may have."""


@pytest.mark.slow
def test_a_wheel_holds_the_console(built: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-build-isolation"]
    command = [*pip, "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        index = opened.read(STATIC + "index.html").decode()
    assert STATIC + ".sources" not in names
    assert STATIC + "licences.txt" in names
    for asset in re.findall(r'(?:src|href)="/console/([^"]+)"', index):
        assert STATIC + asset in names, asset
    here = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()} - {".sources"}
    assert here == {name.removeprefix(STATIC) for name in names if name.startswith(STATIC)}


def test_the_first_load_is_small_and_knows_no_other_host(built: Path) -> None:
    index = (built / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r'(?:src|href)="/console/([^"]+\.js)"', index)
    assert scripts
    assert sum(len(gzip.compress((built / name).read_bytes(), 9)) for name in scripts) <= MOST
    assert re.findall(r'(?:src|href)="(?!/console/)[^"]*"', index) == []
    assert not re.search(r"<script(?![^>]*\bsrc=)", index), "inline script"


def test_licences_of_what_is_built_in_are_named(built: Path) -> None:
    text = (built / "licences.txt").read_text(encoding="utf-8")
    for package in ("svelte ", "bits-ui ", "@lucide/svelte "):
        assert f"\n{package}" in f"\n{text}", package
    for copyleft in ("GPL-", "AGPL", "MPL-2.0)"):
        assert copyleft not in text.replace("(MPL-2.0 OR Apache-2.0)", ""), copyleft
