"""Stream events as server-sent events, byte for byte as the real service frames them.

LF only, `event:` and `data:` lines, compact JSON in UTF-8, no `[DONE]`. The ping alone has a space in its JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

CONTENT_TYPE: Final = b"text/event-stream; charset=utf-8"
PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'

_PREFIX: Final = {
    name: f"event: {name}\ndata: ".encode()
    for name in (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    )
}


def encode(events: Iterable[Mapping[str, Any]]) -> bytes:
    """The frames of `events`, joined."""
    parts: list[bytes] = []
    for event in events:
        kind = event["type"]
        if kind == "ping":
            parts.append(PING)
        else:
            parts += (_PREFIX[kind], orjson.dumps(event), b"\n\n")
    return b"".join(parts)


def padded_encoder(seed: bytes) -> Callable[[Iterable[Mapping[str, Any]]], bytes]:
    """An `encode` that hides lengths as the real service does: 0 to 14 spaces before the last brace, never in a ping.

    In about 72 % of recorded events there is at least one space. The same seed pads the same events alike.
    """
    count = 0

    def encode_padded(events: Iterable[Mapping[str, Any]]) -> bytes:
        nonlocal count
        parts: list[bytes] = []
        for event in events:
            kind = event["type"]
            if kind == "ping":
                parts.append(PING)
                continue
            draw = hashlib.blake2b(count.to_bytes(8, "big"), key=seed[:64], digest_size=2).digest()
            count += 1
            spaces = b" " * (draw[1] % 14 + 1 if draw[0] < 184 else 0)
            parts += (_PREFIX[kind], orjson.dumps(event)[:-1], spaces, b"}\n\n")
        return b"".join(parts)

    return encode_padded
