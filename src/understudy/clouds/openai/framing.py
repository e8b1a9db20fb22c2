"""All that a request to this route is answered, in OpenAI's form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final, cast

import orjson

from understudy.engines.claude.errors import NO_ANSWER, BadGatewayError

from .chunks import Chunks
from .completion import completion, error_body
from .limits import Fields, limits_as_openai

# Documented: always this.
_OPENAI_VERSION: Final = (b"openai-version", b"2020-10-01")

# A comment: nothing to a client, but the connection is alive. The real service's `data: {"type": "ping"}` of 2025
# broke OpenAI's own SDK.
_ALIVE: Final = b": ping\n\n"

# What becomes of an upstream's answer that only looks like one of the API.
_GARBAGE: Final = (LookupError, TypeError, AttributeError, ValueError)


class ChatFraming:
    """One request's. `include_usage` and `functions` are set once the request is read, before any stream begins.
    `ping_interval`: seconds after which events that say nothing here (thinking) are told by a comment.

    Events are read from their frames again, so that those of an upstream, whose bytes pass through, and those made here
    go one way. Raises BadGatewayError for what is no answer of the API.
    """

    def __init__(self, ping_interval: float) -> None:
        self.include_usage = False
        self.functions = False
        self._chunks: Chunks | None = None
        self._ping_interval = ping_interval
        self._spoke_at = 0.0

    def headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        # The id by which OpenAI's SDKs know a request.
        return [(b"x-request-id", request_id.encode()), _OPENAI_VERSION]

    def fields(self, headers: Fields) -> Fields:
        """The documented list of headers has limits by OpenAI's names, and none by the API's own."""
        return limits_as_openai(headers, time.time())

    def whole(self, body: bytes) -> bytes:
        try:
            answer = cast("dict[str, Any]", orjson.loads(body))
            if answer["type"] == "error":
                return orjson.dumps(error_body(answer))
            return orjson.dumps(completion(answer, int(time.time()), functions=self.functions))
        except _GARBAGE as error:
            raise BadGatewayError(NO_ANSWER) from error

    def status(self, status: int) -> int:
        return status

    def piece(self, body: bytes) -> bytes:
        if not body:
            return b""
        if self._chunks is None:
            self._chunks = Chunks(int(time.time()), include_usage=self.include_usage, functions=self.functions)
        try:
            events = list(_events(body))
            said = b"".join([self._chunks.take(event) for event in events])
            silent = bool(events) and all(event["type"] == "ping" for event in events)
        except _GARBAGE as error:
            raise BadGatewayError(NO_ANSWER) from error
        now = time.monotonic()
        if not said and (silent or now - self._spoke_at >= self._ping_interval):
            said = _ALIVE
        if said:
            self._spoke_at = now
        return said


def _events(frames: bytes) -> Iterator[dict[str, Any]]:
    """The events of whole frames (WHATWG HTML, 9.2.6)."""
    data: list[bytes] = []
    for line in frames.splitlines():
        if line.startswith(b"data:"):
            data.append(line[5:])
        elif not line and data:
            yield orjson.loads(b"\n".join(data))
            data.clear()
