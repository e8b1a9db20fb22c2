"""An upstream's event stream on its way through: whole frames pass, and the few that say something are looked at.

A frame is held back only until its last byte has come. So nothing of what a client can use waits, and what we add (a
ping, the error of a stream that breaks off) never falls into the middle of an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, cast

import orjson

from understudy.wire.sse import encode

from .body import splice_model
from .errors import NO_ANSWER, BadGatewayError, is_error, under_our_id
from .observing import Observed

# Bytes of one frame; the largest block that a real answer holds (a tool's result) is far smaller.
_LARGEST_FRAME: Final = 64 * 1024 * 1024
_NARROW: Final = 4096
_END: Final = re.compile(rb"\r?\n\r?\n")
_DELTA: Final = b"event: content_block_delta"


class EventReader:
    """Feed it chunks; it returns what may be sent on.

    `model` replaces the model's name in message_start; None leaves it. `begun`: message_start has come. `ended`: the
    stream's last event has, and nothing more is to be sent. `failure`: the error event that ended it, where one did.
    Before message_start an error is not sent on: `failure` is then all there is.

    Raises BadGatewayError for what is no stream of the API.
    """

    def __init__(self, *, model: str | None, request_id: str, secret: str | None = None) -> None:
        self.observed = Observed()
        self.begun = False
        self.ended = False
        self.failure: dict[str, Any] | None = None
        self._model = model
        self._request_id = request_id
        self._secret = secret
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> bytes:
        """The frames that are whole now, joined."""
        if self._held:
            edge = self._held[-1][-3:] + chunk
            if b"\n\n" not in edge and b"\r\n\r\n" not in edge:
                return self._hold(chunk)
            self._held.append(chunk)
            chunk = b"".join(self._held)
            self._held.clear()
            self._size = 0
        cut = chunk.rfind(b"\n\n") + 2
        if b"\r\n\r\n" in chunk:
            cut = max(cut, chunk.rfind(b"\r\n\r\n") + 4)
        if cut < 2:
            return self._hold(chunk)
        if cut == len(chunk):
            whole = chunk
        else:
            whole = chunk[:cut]
            self._hold(chunk[cut:])
        # Almost all of a stream are deltas of content, and most chunks hold nothing else.
        if self.begun and b"message_" not in whole and b"error" not in whole:
            return whole
        return self._look(whole)

    def _hold(self, piece: bytes) -> bytes:
        # The edge of a frame may be as narrow as a chunk of one byte.
        if self._held and len(self._held[-1]) < _NARROW:
            self._held[-1] += piece
        else:
            self._held.append(piece)
        self._size += len(piece)
        if self._size > _LARGEST_FRAME:
            raise BadGatewayError(NO_ANSWER)
        return b""

    def _look(self, whole: bytes) -> bytes:
        parts: list[bytes] = []
        start = 0
        for match in _END.finditer(whole):
            frame = whole[start : match.end()]
            start = match.end()
            if self.ended:
                break
            parts.append(frame if self.begun and frame.startswith(_DELTA) else self._frame(frame))
        return b"".join(parts)

    def _frame(self, frame: bytes) -> bytes:
        data = _data_of(frame)
        if data is None:
            # A comment, with which some servers keep a connection alive; nothing is sent before the first event.
            return frame if self.begun else b""
        try:
            parsed = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise BadGatewayError(NO_ANSWER) from None
        if not isinstance(parsed, dict):
            raise BadGatewayError(NO_ANSWER)
        event = cast("dict[str, Any]", parsed)
        kind = event.get("type")
        if kind == "message_start":
            return self._start(frame, event, data)
        if kind == "ping":
            return frame if self.begun else b""
        if kind == "error":
            return self._error(event)
        if not self.begun:
            raise BadGatewayError(NO_ANSWER)
        if kind == "message_delta":
            self.observed.delta(event)
        elif kind == "message_stop":
            self.ended = True
        return frame

    def _start(self, frame: bytes, event: dict[str, Any], data: bytes) -> bytes:
        message = event.get("message")
        if self.begun or not isinstance(message, dict):
            raise BadGatewayError(NO_ANSWER)
        self.begun = True
        whole = cast("dict[str, Any]", message)
        self.observed.message(whole)
        named = whole.get("model")
        if self._model is None or named == self._model or not isinstance(named, str):
            return frame
        spliced = splice_model(data, self._model)
        if spliced is None or data not in frame:
            return encode([{**event, "message": {**whole, "model": self._model}}])
        return frame.replace(data, spliced)

    def _error(self, event: dict[str, Any]) -> bytes:
        if not is_error(event):
            raise BadGatewayError(NO_ANSWER)
        self.ended = True
        self.failure = under_our_id(event, self._request_id, self._secret)
        return encode([self.failure]) if self.begun else b""


def frames_in(whole: bytes) -> Iterator[bytes]:
    """The data of each frame in what `EventReader.feed` gave; comments have none."""
    start = 0
    for match in _END.finditer(whole):
        data = _data_of(whole[start : match.end()])
        start = match.end()
        if data is not None:
            yield data


def _data_of(frame: bytes) -> bytes | None:
    """What the `data:` lines of a frame hold; None where it has none (WHATWG HTML, 9.2.6)."""
    lines = [line[5:].removeprefix(b" ") for line in frame.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None
