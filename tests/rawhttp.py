"""HTTP by hand: requests no library would send."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

from servers import RunningServer


@dataclass
class RawAnswer:
    """`closed`: the server ended the connection after this answer. Status 0: it ended it without any."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool

    def error(self) -> dict[str, Any]:
        """The error of the envelope, which must be whole."""
        parsed = json.loads(self.body)
        assert list(parsed) == ["type", "error", "request_id"], parsed
        assert parsed["type"] == "error"
        assert parsed["request_id"] == self.headers["request-id"]
        return parsed["error"]


def connect(server: RunningServer, timeout: float = 20.0) -> socket.socket:
    connection = socket.create_connection(server.address, timeout=timeout)
    connection.settimeout(timeout)
    return connection


def head(server: RunningServer, *lines: bytes, method: bytes = b"POST", path: bytes = b"/v1/messages") -> bytes:
    """A request's line and headers with the usual credentials, `lines` added, and the empty line."""
    usual = [
        b"host: 127.0.0.1",
        b"x-api-key: " + server.api_key.encode(),
        b"anthropic-version: 2023-06-01",
        b"content-type: application/json",
    ]
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", *usual, *lines, b"", b""])


def read_answer(connection: socket.socket, *, until_closed: bool = False) -> RawAnswer:
    """One answer with content-length or chunks."""
    received = b""
    while b"\r\n\r\n" not in received:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return RawAnswer(0, {}, received, closed=True)
        received += piece
    top, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = top.split(b"\r\n")
    headers = {
        name.decode().lower(): value.decode("latin-1").strip() for name, _, value in (x.partition(b":") for x in lines)
    }
    length = int(headers.get("content-length", "0"))
    chunked = headers.get("transfer-encoding") == "chunked"
    while (not body.endswith(b"0\r\n\r\n")) if chunked else len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    closed = False
    if until_closed:
        try:
            closed = connection.recv(1) == b""
        except ConnectionResetError:
            closed = True
    if chunked:
        body = _without_chunks(body)
    return RawAnswer(int(status_line.split()[1]), headers, body, closed)


def _without_chunks(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        whole += rest[:length]
        body = rest[length + 2 :]
        if length == 0:
            break
    return whole


def exchange(server: RunningServer, request: bytes, *, until_closed: bool = False) -> RawAnswer:
    """Send bytes on a connection of their own and read the answer."""
    with connect(server) as connection:
        connection.sendall(request)
        return read_answer(connection, until_closed=until_closed)


def post(server: RunningServer, body: bytes, *lines: bytes, path: bytes = b"/v1/messages") -> RawAnswer:
    """POST `body` with a true content-length."""
    return exchange(server, head(server, b"content-length: %d" % len(body), *lines, path=path) + body)


MESSAGE = {"model": "claude-sonnet-4-5", "max_tokens": 32, "messages": [{"role": "user", "content": "Hello"}]}
MESSAGE_BYTES = json.dumps(MESSAGE).encode()
