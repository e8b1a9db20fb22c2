"""Bedrock's event stream as the API's: each chunk holds one event, which becomes a frame of SSE."""

from __future__ import annotations

import re
from typing import Any, Final, cast

import orjson

from understudy.engines.claude.errors import NO_ANSWER, BadGatewayError
from understudy.wire.event_stream import Decoder, EventStreamError, Message, chunk_data
from understudy.wire.sse import encode

from .errors import failure

_TYPE: Final = re.compile(rb'\{"type": ?"([a-z_]{1,64})"')
# What AWS adds to the last event.
_METRICS: Final = "amazon-bedrock-invocationMetrics"
_NAME: Final = re.compile(r"[a-z_]{1,64}")
_LINES: Final = re.compile(rb"[\r\n]")


class Reframing:
    """One stream's. `upstream` is its name, for the log."""

    __slots__ = ("_decoder", "_upstream")

    def __init__(self, upstream: str) -> None:
        self._decoder = Decoder()
        self._upstream = upstream

    def feed(self, data: bytes) -> bytes:
        """The frames of SSE that `data` completes. Raises BadGatewayError for what is no stream of events."""
        try:
            return b"".join([self._frame(message) for message in self._decoder.feed(data)])
        except EventStreamError as error:
            raise BadGatewayError(NO_ANSWER) from error

    def finish(self) -> None:
        """The stream has ended. Raises BadGatewayError where that was within a frame."""
        try:
            self._decoder.finish()
        except EventStreamError as error:
            raise BadGatewayError(NO_ANSWER) from error

    def _frame(self, message: Message) -> bytes:
        headers = message.headers
        kind = headers.get(":message-type")
        if kind == "event":
            # There may be events of other types one day; nothing of the API's is in them.
            return _event(chunk_data(message)) if headers.get(":event-type") == "chunk" else b""
        if kind == "exception":
            refusal = failure(str(headers.get(":exception-type")), message.payload)
        elif kind == "error":
            text = orjson.dumps({"message": str(headers.get(":error-message", ""))})
            refusal = failure(str(headers.get(":error-code")), text)
        else:
            raise EventStreamError("a frame is of no known type")
        return encode([refusal.envelope(self._upstream)])


def _event(data: bytes) -> bytes:
    found = _TYPE.match(data)
    if found is not None and found[1] != b"message_stop" and not _LINES.search(data):
        return b"event: %s\ndata: %s\n\n" % (found[1], data)
    # A type that stands elsewhere, more lines than one, or more members than the API's.
    try:
        parsed: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise EventStreamError("a chunk holds no JSON") from None
    event = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    kind = event.get("type")
    if not isinstance(kind, str) or not _NAME.fullmatch(kind):
        raise EventStreamError("a chunk holds no event")
    event.pop(_METRICS, None)
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(event))
