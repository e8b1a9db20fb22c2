"""The events in whole frames of the Messages API's stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

_EVENT: Final = b"event: "
_DATA: Final = b"\ndata: "


def events(frames: bytes) -> Iterator[tuple[str, bytes]]:
    """Each event's type and the JSON of its data. ValueError for an event that is none of the API."""
    for frame in frames.split(b"\n\n"):
        # As this server writes them, and nearly every other.
        end = frame.find(_DATA)
        if frame.startswith(_EVENT) and end > 0 and frame.count(b"\n") == 1:
            yield frame[len(_EVENT) : end].decode("latin-1"), frame[end + len(_DATA) :]
        elif frame:
            yield from _any(frame)


def _any(frame: bytes) -> Iterator[tuple[str, bytes]]:
    """By the rules for all frames (WHATWG HTML, 9.2.6)."""
    data: list[bytes] = []
    for line in (*frame.splitlines(), b""):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            whole = b"\n".join(data)
            data.clear()
            event = orjson.loads(whole)
            if not isinstance(event, dict) or not isinstance(event.get("type"), str):  # pyright: ignore[reportUnknownMemberType]
                raise ValueError("an event without a type")
            yield event["type"], whole
