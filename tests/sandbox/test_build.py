"""The packages of containers, and what `doctor` says of a machine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sandbox.boxes import SMALL, machine
from understudy.cli.doctor import examine
from understudy.cli.sandbox import build
from understudy.sandbox.build import BUILT, REQUIREMENTS, is_current, missing_programs
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.place import Place

WANTED = (
    "openpyxl python-docx python-pptx pypdf pdfplumber reportlab pillow lxml defusedxml numpy pandas matplotlib"
).split()
_IMPORTED = "openpyxl docx pptx pypdf pdfplumber reportlab PIL lxml.etree defusedxml numpy pandas matplotlib.pyplot"


def test_every_package_is_pinned_and_has_sums() -> None:
    text = "\n".join(line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#"))
    packages = re.findall(
        r"^([a-z0-9.-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", text, re.MULTILINE
    )
    assert {name for name, _, _ in packages} >= set(WANTED)
    assert "".join(f"{name}=={version} \\\n{sums}" for name, version, sums in packages) == text


@pytest.mark.slow
async def test_code_finds_the_packages_that_were_built(tmp_path: Path, bubblewrap: None) -> None:
    """Fetches a hundred megabytes from PyPI."""
    build(None, tmp_path)
    environment = Place(tmp_path / "sandbox").environment
    assert is_current(environment)
    box = LocalSandbox(machine(), SMALL, "built", tmp_path / "box", environment)
    modules = ", ".join(_IMPORTED.split())
    try:
        text = f"import {modules}, sys; print(sys.prefix, __import__('pandas').DataFrame({{'a': [1, 2]}}).a.sum())"
        done = await box.exec(["python", "-c", text], timeout=60)
        assert (done.stdout, done.return_code) == ("/opt/environment 3\n", 0), done.stderr
    finally:
        await box.delete()
        cgroups = machine().cgroups
        if cgroups is not None:
            cgroups.clear()


def test_an_environment_of_another_version_is_told_apart(tmp_path: Path) -> None:
    assert not is_current(None)
    assert Place(tmp_path).environment is None
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / BUILT).write_text("another")
    environment = Place(tmp_path).environment
    assert environment is not None
    assert not is_current(environment)


def test_the_doctor_says_which_tier_it_is_and_what_is_missing(
    tmp_path: Path, bubblewrap: None, capsys: pytest.CaptureFixture[str]
) -> None:
    examine(None, tmp_path)
    said = capsys.readouterr().out
    assert f"ok       code is run in containers of the {machine().tier} tier, made by bubblewrap" in said
    assert "understudy sandbox build" in said
    for program in missing_programs():
        assert f"apt-get install {program.package}" in said
    # What it looked at is none of a server's.
    assert not (tmp_path / "sandbox").exists()


def test_the_doctor_says_how_to_get_bubblewrap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shutil.which
    monkeypatch.setattr("shutil.which", lambda name, **more: None if name == "bwrap" else whole(name, **more))
    examine(None, tmp_path)
    assert "code execution is not available: bubblewrap is not installed: install bubblewrap" in capsys.readouterr().out
    monkeypatch.setenv("UNDERSTUDY_SANDBOX_MODE", "on")
    assert examine(None, tmp_path) == 1
    assert "missing  code execution is not available" in capsys.readouterr().out
