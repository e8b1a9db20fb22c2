"""Speaking to Docker's daemon: its HTTP interface, over its socket.

Not its command line, which need not be installed beside a daemon, costs a process for each word, and tells its errors
as text. Blocking, for threads: there are four calls in a container's life.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

_SECONDS: Final = 60.0
_MOST_SAID: Final = 64 * 1024 * 1024


class DockerError(Exception):
    """What the daemon refused, in its words; `status` is nought if it did not answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(str(self._path))


class Daemon:
    """`path`: of its socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        archive: bytes | None = None,
    ) -> Any:
        """The answer, from JSON. `archive`: sent in place of `body`, a tar. Raises DockerError."""
        data = archive if archive is not None else None if body is None else json.dumps(body).encode()
        kind = "application/x-tar" if archive is not None else "application/json"
        status, said = self._answer(method, path, query, data, {"Content-Type": kind} if data is not None else {})
        try:
            return json.loads(said) if said.strip() else None
        except ValueError:
            raise DockerError(status, f"an answer that is no JSON: {said[:200]!r}") from None

    def logs(self, container: str) -> str:
        """What a container has said. Raises DockerError."""
        query = {"stdout": "1", "stderr": "1", "tail": "50"}
        _, said = self._answer("GET", f"/containers/{quote(container)}/logs", query, None, {})
        text = b""
        while len(said) >= 8:
            # Pieces with a head of eight bytes: which stream, and how long.
            size = int.from_bytes(said[4:8], "big")
            text, said = text + said[8 : 8 + size], said[8 + size :]
        return text.decode("utf-8", "replace").strip()

    def _answer(
        self, method: str, path: str, query: Mapping[str, str] | None, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = _Connection(self.path)
        try:
            connection.request(method, f"{path}?{urlencode(query)}" if query else path, data, headers)
            answer = connection.getresponse()
            said = answer.read(_MOST_SAID)
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(0, f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if answer.status < 400:
            return answer.status, said
        try:
            raise DockerError(answer.status, str(json.loads(said)["message"]))
        except (ValueError, KeyError, TypeError):
            raise DockerError(answer.status, said.decode("utf-8", "replace")[:500]) from None
