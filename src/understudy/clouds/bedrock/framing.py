"""All that a request to Bedrock's InvokeModel and CountTokens is answered, in Bedrock's form.

Source: recorded exchanges, 2024-03 to 2026: ids, missing members, headers, invocation metrics.
"""

from __future__ import annotations

import time
from typing import Any, Final, TypeAlias, cast

import orjson

from understudy.clouds.frames import events
from understudy.clouds.identity import aws_request_id
from understudy.engines.claude.errors import NO_ANSWER, BadGatewayError
from understudy.wire.event_stream import CONTENT_TYPE, encode_chunk, encode_exception

from .errors import aws_body, aws_error

Fields: TypeAlias = list[tuple[bytes, bytes]]
_Json: TypeAlias = dict[str, Any]

_DROPPED: Final = (b"anthropic-ratelimit-", b"anthropic-fast-", b"anthropic-priority-", b"x-should-retry")
_ERROR_TYPE: Final = b"x-amzn-errortype"
# What becomes of an upstream's answer that only looks like one of the API.
_GARBAGE: Final = (LookupError, TypeError, AttributeError, ValueError)


class BedrockFraming:
    """One request's. What the endpoint learns of the request is set before anything is answered: `counting` is that of
    CountTokens, `listing` that of inference profiles; `versioned` that the model's id has a version of Bedrock's own;
    `region` that of the signature."""

    def __init__(self) -> None:
        self.counting = False
        self.listing = False
        self.versioned = False
        self.region: str | None = None
        self._began = time.perf_counter()
        self._first: float | None = None
        self._status: int | None = None
        self._error: bytes | None = None
        self._streams = False
        self._usage: _Json = {}

    def headers(self, request_id: str) -> Fields:
        found = [(b"x-amzn-requestid", aws_request_id(request_id))]
        if self._error is not None:
            found.append((_ERROR_TYPE, self._error))
        elif self._streams:
            found.append((b"x-amzn-bedrock-content-type", b"application/json"))
        elif self._usage:
            found.append((b"x-amzn-bedrock-invocation-latency", b"%d" % self._elapsed()))
            for name, member in _HEADERS:
                count = self._usage.get(member)
                if isinstance(count, int):
                    found.append((b"x-amzn-bedrock-%s-token-count" % name, b"%d" % count))
        return found

    def fields(self, headers: Fields) -> Fields:
        kept: Fields = []
        for name, value in headers:
            if name == b"content-type" and value.startswith(b"text/event-stream"):
                self._streams = True
                kept.append((name, CONTENT_TYPE))
            elif name == _ERROR_TYPE:
                self._error = value
            elif name != b"cache-control" and not name.startswith(_DROPPED):
                kept.append((name, value))
        return kept

    def whole(self, body: bytes) -> bytes:
        try:
            answer = cast("_Json", orjson.loads(body))
            if answer.get("type") == "error":
                error = aws_error(answer)
                self._status, self._error = error.status, error.exception.encode()
                return aws_body(answer)
            if self.listing:
                return body
            if self.counting:
                return orjson.dumps({"inputTokens": answer["input_tokens"]})
            return orjson.dumps(self._message(answer))
        except _GARBAGE as error:
            raise BadGatewayError(NO_ANSWER) from error

    def status(self, status: int) -> int:
        return status if self._status is None or status == 405 else self._status

    def piece(self, body: bytes) -> bytes:
        if not body:
            return b""
        if self._first is None:
            self._first = self._elapsed()
        try:
            return b"".join([self._frame(kind, data) for kind, data in events(body)])
        except _GARBAGE as error:
            raise BadGatewayError(NO_ANSWER) from error

    def _frame(self, kind: str, data: bytes) -> bytes:
        if kind in _PASSED:
            return encode_chunk(data)
        if kind == "ping":
            return b""
        event = cast("_Json", orjson.loads(data))
        if kind == "error":
            return encode_exception(aws_error(event).member, aws_body(event))
        if kind == "message_start":
            event["message"] = self._message(event["message"])
        elif kind == "message_delta":
            self._usage.update(event.get("usage") or {})
        elif kind == "message_stop":
            event["amazon-bedrock-invocationMetrics"] = self._metrics()
        return encode_chunk(orjson.dumps(event))

    def _message(self, message: _Json) -> _Json:
        """The message as Bedrock has it. Recorded: none names a place, and only newer models a service tier."""
        usage: _Json = message["usage"]
        usage.pop("inference_geo", None)
        if self.versioned:
            usage.pop("service_tier", None)
        self._usage = dict(usage)
        message["id"] = message["id"].replace("msg_", "msg_bdrk_", 1)
        return message

    def _metrics(self) -> _Json:
        usage = self._usage
        metrics = {
            "inputTokenCount": usage.get("input_tokens") or 0,
            "outputTokenCount": usage.get("output_tokens") or 0,
            "invocationLatency": self._elapsed(),
            "firstByteLatency": self._first or 0,
        }
        for name, member in _METRICS:
            if usage.get(member):
                metrics[name] = usage[member]
        return metrics

    def _elapsed(self) -> int:
        return round((time.perf_counter() - self._began) * 1000)


_PASSED: Final = frozenset({"content_block_start", "content_block_delta", "content_block_stop"})
_HEADERS: Final = (
    (b"input", "input_tokens"),
    (b"output", "output_tokens"),
    (b"cache-read-input", "cache_read_input_tokens"),
    (b"cache-write-input", "cache_creation_input_tokens"),
)
_METRICS: Final = (
    ("cacheReadInputTokenCount", "cache_read_input_tokens"),
    ("cacheWriteInputTokenCount", "cache_creation_input_tokens"),
)
