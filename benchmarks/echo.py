"""The floor: a raw ASGI app that reads the whole body and answers with fixed bytes, under the server Understudy uses.

A POST whose body holds `"stream":true` gets 100 server-sent events with one send each; any other gets 1 KB of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

EVENTS = 100

_FIXED: dict[str, Any] = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": ""}]}
_FIXED["content"][0]["text"] = "x" * (1024 - len(json.dumps(_FIXED)))
ANSWER = json.dumps(_FIXED).encode()

_DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " lorem"}}
EVENT = b"event: content_block_delta\ndata: " + json.dumps(_DELTA, separators=(",", ":")).encode() + b"\n\n"

JSON_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
SSE_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8")]

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if b'"stream":true' not in body:
        await send({"type": "http.response.start", "status": 200, "headers": JSON_HEADERS})
        await send({"type": "http.response.body", "body": ANSWER})
        return
    await send({"type": "http.response.start", "status": 200, "headers": SSE_HEADERS})
    for _ in range(EVENTS):
        await send({"type": "http.response.body", "body": EVENT, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class ReadyServer(uvicorn.Server):
    """A uvicorn server that writes the same kind of ready file as `understudy serve`."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, ready_file: Path) -> None:
        super().__init__(config)
        self._listener = listener
        self._ready_file = ready_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        ready = {"url": url, "api_key": "echo", "admin_key": "echo", "pid": os.getpid()}
        self._ready_file.write_text(json.dumps(ready))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-file", type=Path, required=True)
    ready_file: Path = parser.parse_args().ready_file
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning"
        )
        ReadyServer(config, listener, ready_file).run(sockets=[listener])


if __name__ == "__main__":
    main()
