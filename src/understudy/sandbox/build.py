"""Makes the packages that code in containers finds: from PyPI, each file checked against a sum that is written here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from understudy.sandbox.machine import ContainerPython
from understudy.sandbox.place import ENVIRONMENT

REQUIREMENTS: Final = Path(__file__).with_name("container-requirements.txt")
"""Made for Python 3.11 to 3.14 on x86_64 and aarch64, glibc and musl."""

BUILT: Final = "built"
"""The file in the environment that says what it was made from."""


class BuildError(Exception):
    """The message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program of the system that code and skills look for. `package`: Debian's."""

    command: str
    package: str
    purpose: str


PROGRAMS: Final = (
    Program("soffice", "libreoffice", "converts and recalculates office documents"),
    Program("pdftoppm", "poppler-utils", "draws and reads PDFs"),
    Program("node", "nodejs", "runs JavaScript"),
)

_SEEN: Final = ("/usr/bin", "/usr/local/bin", "/bin")


def missing_programs() -> list[Program]:
    """Those of PROGRAMS that containers do not find: they see what lies in /usr and not, say, in /opt."""
    return [program for program in PROGRAMS if not _is_seen(program.command)]


def _is_seen(command: str) -> bool:
    found = shutil.which(command, path=os.pathsep.join(_SEEN))
    return found is not None and Path(found).resolve().is_relative_to("/usr")


def requirements_sum() -> str:
    """What tells one set of packages from another."""
    hashlib = import_module("hashlib")
    digest: str = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return f"{digest} python{sys.version_info.major}.{sys.version_info.minor}"


def is_current(environment: Path | None) -> bool:
    """Whether an environment was made from the packages of this version, for this Python."""
    return environment is not None and (environment / BUILT).read_text().strip() == requirements_sum()


def build(root: Path, python: ContainerPython, say: Callable[[str], None]) -> Path:
    """Make the environment in `root`, data_dir/sandbox, in place of what is there. Takes a minute or two.

    Raises BuildError.
    """
    if python.source is None:
        base = python.executable
    else:
        base = str(python.source / Path(python.executable).relative_to(python.place))
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=root) as work:
        tools, fresh = Path(work, "tools"), Path(work, ENVIRONMENT)
        say("Preparing pip")
        _run([base, "-m", "venv", str(tools)], "pip cannot be had; on Debian and Ubuntu: apt-get install python3-venv")
        version = _run(
            [base, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], "the Python does not run"
        ).strip()
        packages = fresh / "lib" / f"python{version}" / "site-packages"
        packages.mkdir(parents=True)
        say("Fetching packages from PyPI")
        install = [str(tools / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install += ["--no-input", "--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-compile"]
        _run([*install, "--target", str(packages), "-r", str(REQUIREMENTS)], "the packages cannot be had")
        say("Compiling")
        _run([base, "-m", "compileall", "-q", "-j", "1", str(packages)], "they cannot be compiled", ends_well=False)
        shutil.rmtree(packages / "bin", ignore_errors=True)
        binaries = fresh / "bin"
        binaries.mkdir()
        for name in ("python", "python3", f"python{version}"):
            (binaries / name).symlink_to(python.executable)
        home = str(Path(python.executable).parent)
        (fresh / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
        (fresh / BUILT).write_text(requirements_sum() + "\n")
        # Containers of another user read it.
        for directory, _, _ in os.walk(fresh):
            Path(directory).chmod(0o755)
        place, old = root / ENVIRONMENT, Path(work, "old")
        if place.exists():
            place.rename(old)
        fresh.rename(place)
    return root / ENVIRONMENT


def _run(command: list[str], what: str, *, ends_well: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if done.returncode and ends_well:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise BuildError(f"{what}: {said[-1500:]}")
    return done.stdout.decode("utf-8", "replace")
