"""llama.cpp's own server in a process of its own, on a Unix socket, for the tests of the models.

Run as a script it is that process: its arguments are a JSON object of parameters, named as xllamacpp names them.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_TIMEOUT = 60.0


@dataclass(frozen=True)
class LlamaServer:
    socket: Path
    api_key: str
    pid: int

    def call(self, path: str, body: object = None) -> Any:
        """The JSON answer of GET `path`, or of POST when there is a body. What is no 200 is an AssertionError."""
        status, answer = self.exchange(path, body)
        assert status == 200, answer
        return answer

    def exchange(self, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON answer."""
        connection = _UnixConnection(self.socket)
        try:
            headers = {"authorization": f"Bearer {self.api_key}", "content-type": "application/json"}
            data = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, data, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@contextmanager
def llama_server(model: Path, mmproj: Path | None = None, n_ctx: int = 4096) -> Generator[LlamaServer]:
    """A server of this model that answers, ended at the end."""
    # A socket's path may have 108 characters: pytest's own directories are too deep.
    with tempfile.TemporaryDirectory(prefix="llama-") as directory:
        address = Path(directory) / "server.sock"
        key = secrets.token_hex(16)
        parameters = {"model": str(model), "mmproj": mmproj and str(mmproj), "n_ctx": n_ctx, "api_key": key}
        command = [sys.executable, __file__, json.dumps(parameters | {"socket": str(address)})]
        output = Path(directory) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=file)
        try:
            _wait(process, address, output)
            yield LlamaServer(address, key, process.pid)
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], address: Path, output: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, output.read_text(errors="replace")[-4000:]
        try:
            status, _ = LlamaServer(address, "", process.pid).exchange("/health")
        except OSError:
            status = 0
        if status == 200:
            return
        time.sleep(0.02)
    raise AssertionError(output.read_text(errors="replace")[-4000:])


def _serve(wanted: dict[str, Any]) -> None:
    xllamacpp: Any = importlib.import_module("xllamacpp")  # it has no types

    parameters = xllamacpp.CommonParams()
    parameters.model.path = wanted["model"]
    if wanted["mmproj"]:
        parameters.mmproj.path = wanted["mmproj"]
    parameters.hostnames = [wanted["socket"]]
    parameters.api_keys = [wanted["api_key"]]
    parameters.ui = False
    parameters.n_ctx = wanted["n_ctx"]
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.cache_ram_mib = 16
    parameters.warmup = False
    parameters.verbosity = int(os.environ.get("LLAMA_VERBOSITY", "0"))
    server = xllamacpp.Server(parameters)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve(json.loads(sys.argv[1]))
