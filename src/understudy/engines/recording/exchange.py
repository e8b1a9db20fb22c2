"""A recorded exchange, and the file of them: a line of JSON for each."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import orjson

from understudy.engines.recording.redaction import redact_text, redact_value
from understudy.wire.json_text import canonical_json

VERSION: Final = 1

# Everything else says who called, from where and with which credential, and is not kept.
_REQUEST_HEADERS: Final = ("content-type", "accept", "anthropic-version", "anthropic-beta", "user-agent")
_RESPONSE_HEADERS: Final = ("content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry")
_RESPONSE_PREFIXES: Final = ("anthropic-ratelimit-", "anthropic-fast-", "understudy-")


class RecordingError(ValueError):
    """A recording that cannot be used; the message says why."""


@dataclass(slots=True)
class Recorded:
    """One exchange. `frames` are a stream's events and the seconds after the response's headers at which each came.

    `body` and `answer` are JSON values as they are, `{"text": …}` or `{"base64": …}` for what is no JSON, and None for
    nothing. `cut`: the upstream closed the connection before the end.
    """

    method: str
    path: str
    query: str
    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    json: bool = False
    body: Any = None
    response_headers: dict[str, str] = field(default_factory=dict[str, str])
    answer_json: bool = False
    answer: Any = None
    frames: list[tuple[float, str]] | None = None
    cut: bool = False

    def to_line(self) -> bytes:
        value: dict[str, Any] = {"type": "exchange"}
        for name in _FIELDS:
            value[name] = getattr(self, name)
        return orjson.dumps(value) + b"\n"

    def content(self) -> bytes:
        """The answer's body."""
        return _to_bytes(self.answer, self.answer_json)


_FIELDS: Final = (
    "method",
    "path",
    "query",
    "headers",
    "json",
    "body",
    "status",
    "response_headers",
    "answer_json",
    "answer",
    "frames",
    "cut",
)


def kept_request_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of `headers` (lower-case names) that are recorded."""
    return {name: redact_text(headers[name]) for name in _REQUEST_HEADERS if name in headers}


def kept_response_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """As `kept_request_headers`, of an answer."""
    return {
        name: value
        for name, value in headers.items()
        if name in _RESPONSE_HEADERS or name.startswith(_RESPONSE_PREFIXES)
    }


def read_content(content: bytes, content_type: str) -> tuple[bool, Any]:
    """Whether a body is JSON, and what is written of it; without what looks like a secret."""
    if not content:
        return False, None
    if "json" in content_type or not content_type:
        try:
            return True, redact_value(orjson.loads(content))
        except orjson.JSONDecodeError:
            pass
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary is not None:
        # Clients draw a new one each time, and would never ask the same again.
        content = content.replace(boundary[1].encode("latin-1"), b"boundary")
    try:
        return False, {"text": redact_text(content.decode())}
    except UnicodeDecodeError:
        return False, {"base64": base64.b64encode(content).decode()}


def _to_bytes(value: Any, is_json: bool) -> bytes:
    if is_json:
        return orjson.dumps(value)
    if value is None:
        return b""
    kept = cast("dict[str, str]", value)
    return kept["text"].encode() if "text" in kept else base64.b64decode(kept["base64"])


def request_key(method: str, path: str, query: str, body: Any) -> bytes:
    """What two requests have in common that are the same."""
    return b"\n".join(
        (method.encode(), path.encode(), "&".join(sorted(query.split("&"))).encode(), canonical_json(body))
    )


def header_line() -> bytes:
    return orjson.dumps({"type": "recording", "version": VERSION}) + b"\n"


def read_recording(path: Path) -> list[Recorded]:
    """All exchanges of a file, in their order. Raises RecordingError."""
    try:
        return list(_read(path.read_bytes().splitlines()))
    except OSError as error:
        raise RecordingError(f"The recording {path} cannot be read: {error.strerror}") from None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"The recording {path} cannot be used: {error}") from None


def _read(lines: Iterable[bytes]) -> Iterable[Recorded]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        value = cast("dict[str, Any]", orjson.loads(line))
        if value["type"] == "recording":
            if value["version"] != VERSION:
                raise ValueError(f"line {number}: version {value['version']} is not known here")
            continue
        fields = {name: value[name] for name in _FIELDS}
        if fields["frames"] is not None:
            fields["frames"] = [(float(seconds), str(text)) for seconds, text in fields["frames"]]
        yield Recorded(**fields)
