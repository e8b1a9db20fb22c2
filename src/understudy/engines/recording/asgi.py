"""The little that the recorder and the replayer need of ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

import orjson

from understudy.wire.errors import error_body
from understudy.wire.ids import new_id

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


async def read_body(receive: Receive) -> bytes | None:
    """The whole body; None when the client went before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def start(send: Send, status: int, headers: Iterable[tuple[str, str]]) -> None:
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def write(send: Send, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def refuse(send: Send, status: int, error_type: str, message: str, *, retry: bool = False) -> None:
    """An error of our own, in the API's envelope."""
    request_id = new_id("req_")
    body = orjson.dumps(error_body(error_type, message, request_id))
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("request-id", request_id),
        ("x-should-retry", "true" if retry else "false"),
    ]
    await start(send, status, headers)
    await write(send, body)
