"""An upstream that speaks HTTP and says what a test wants it to, byte by byte."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Say = Callable[["Talk"], None]

SSE = "content-type: text/event-stream; charset=utf-8"


@dataclass
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Talk:
    """A connection on which a request has come. `gone` tells when the other end closed it."""

    asked: Asked
    connection: socket.socket

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def whole(self, status: int, body: bytes, *lines: str) -> None:
        head = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "request-id: req_upstream", *lines]
        if not any(line.startswith("content-type") for line in lines):
            head.append("content-type: application/json")
        self.send("\r\n".join([*head, "", ""]).encode() + body)

    def begin(self, *lines: str) -> None:
        """The head of a chunked stream."""
        head = ["HTTP/1.1 200 OK", "transfer-encoding: chunked", "request-id: req_upstream", SSE, *lines]
        self.send("\r\n".join([*head, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    def gone(self, timeout: float = 5.0) -> float:
        """Seconds until the other end closed the connection."""
        began = time.monotonic()
        self.connection.settimeout(timeout)
        try:
            while self.connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return time.monotonic() - began


@dataclass
class FakeClaude:
    """`say` answers each request; `asked` are those that came, on so many `connections`."""

    say: Say
    url: str = ""
    connections: int = 0
    asked: list[Asked] = field(default_factory=list[Asked])


@contextmanager
def fake_claude(say: Say) -> Generator[FakeClaude]:
    fake = FakeClaude(say)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            fake.connections += 1
            while True:
                line = self.rfile.readline().decode()
                if not line:
                    return
                headers: dict[str, str] = {}
                while (field_ := self.rfile.readline().decode("latin-1").strip()) != "":
                    name, _, value = field_.partition(":")
                    headers[name.lower()] = value.strip()
                body = self.rfile.read(int(headers.get("content-length", "0")))
                asked = Asked(line.split()[1], headers, body)
                fake.asked.append(asked)
                try:
                    fake.say(Talk(asked, self.connection))
                except _Hangup:
                    return
                except OSError:
                    return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield fake
        finally:
            server.shutdown()


class _Hangup(Exception):
    pass


def hang_up() -> None:
    """End the connection without another word."""
    raise _Hangup


def frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


USAGE = {
    "input_tokens": 11,
    "cache_creation_input_tokens": 7,
    "cache_read_input_tokens": 5,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
    "output_tokens": 1,
    "service_tier": "standard",
}

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "model": "up-model-20260101",
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": USAGE,
    },
}

EVENTS: list[dict[str, Any]] = [
    START,
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": 'a "model" error: message_stop'},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße 😀\n\n"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {**USAGE, "output_tokens": 42},
    },
    {"type": "message_stop"},
]

MESSAGE: dict[str, Any] = {
    **START["message"],
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"model": "mine", "n": 1}}],
    "stop_reason": "tool_use",
    "usage": {**USAGE, "output_tokens": 42},
}


def error(kind: str, message: str = "no") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_upstream"}
