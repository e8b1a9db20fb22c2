"""What is kept of a request's and its answer's body, where the installation keeps any: a blob for each request.

Names begin with the day, so that what is too old is seen without being read: `requests/2026-11-23/<organization>/<id>`.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from understudy.http.compression import decode_body
from understudy.http.record import RequestRecord
from understudy.storage.blobs import BlobNotFoundError, Blobs
from understudy.usage.request_log import second_of
from understudy.wire.errors import ApiError

PREFIX: Final = "requests"

_AT_ONCE: Final = 500
_FRAMED: Final = "application/vnd.amazon.eventstream"
_LEVEL: Final = 1
_DAY_TEXT: Final = re.compile(rf"{PREFIX}/(\d{{4}}-\d{{2}}-\d{{2}})/")
_ORGANIZATION: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

# Keys, and the values of fields that hold credentials, also where the body was cut within one.
_KEY: Final = re.compile(r"sk-[A-Za-z0-9_-]{12,}")
_BEARER: Final = re.compile(r"(?i)\bbearer [A-Za-z0-9._~+/-]{12,}=*")
_FIELD: Final = re.compile(
    r'("(?:authorization_token|authorization|api_key|x-api-key|access_token|refresh_token|client_secret|password)"'
    r'\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?$)'
)


def redacted(text: str) -> str:
    """`text` without what looks like a credential. Such as is spelled with escapes, or comes in pieces, is not seen."""
    text = _FIELD.sub(r'\1"[redacted]"', text)
    return _BEARER.sub("Bearer [redacted]", _KEY.sub("sk-[redacted]", text))


@dataclass(slots=True)
class Body:
    """A body on its way: at most `most` of its bytes are kept."""

    most: int
    content_type: str = ""
    content_encoding: str = ""
    # Not a list of what came: a body of two bytes at a time would take twenty times its size.
    content: bytearray = field(default_factory=bytearray)
    kept: int = 0
    size: int = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if piece and self.kept < self.most:
            piece = piece[: self.most - self.kept]
            self.kept += len(piece)
            self.content += piece


@dataclass(slots=True)
class Capture:
    """A request's two bodies."""

    request: Body
    response: Body


async def packed(record: RequestRecord, capture: Capture, in_thread: Callable[..., Any]) -> bytes:
    """What is stored. `in_thread` runs a function elsewhere: redacting a megabyte takes milliseconds."""
    parts: dict[str, Any] = {}
    for name, body in (("request", capture.request), ("response", capture.response)):
        content: bytes | None = bytes(body.content)
        if body.content_encoding and body.size:
            try:
                # Cut short it cannot be decoded.
                content = (
                    None
                    if body.size > body.kept
                    else await decode_body(content or b"", body.content_encoding, body.most)
                )
            except ApiError:
                content = None
        parts[name] = (body, content)
    return await in_thread(_pack, record.request_id, parts)


def _pack(request_id: str, parts: dict[str, tuple[Body, bytes | None]]) -> bytes:
    shown: dict[str, Any] = {"request_id": request_id}
    for name, (body, content) in parts.items():
        part: dict[str, Any] = {
            "content_type": body.content_type or None,
            "bytes": body.size,
            "is_truncated": content is None or body.size > body.kept,
        }
        if content is not None:
            content = _readable(content, body.content_type)
            # Cut in the middle of a character it is text all the same.
            text = content.decode("utf-8", "ignore" if part["is_truncated"] else "replace")
            if "\ufffd" in text and "\ufffd".encode() not in content:
                part["base64"] = b64encode(content).decode()
            else:
                part["text"] = redacted(text)
        shown[name] = part
    return zlib.compress(orjson.dumps(shown), _LEVEL)


def _readable(content: bytes, content_type: str) -> bytes:
    """Events that Bedrock's stream wraps in base64 and binary frames, as those of any other stream: a credential in
    them would not be seen otherwise. Of a stream that was cut the whole frames."""
    if not content_type.startswith(_FRAMED):
        return content
    from understudy.wire.event_stream import Decoder, EventStreamError, chunk_data

    found: list[bytes] = []
    try:
        for message in Decoder().feed(content):
            wrapped = message.headers.get(":event-type") == "chunk"
            found.append(b"data: " + (chunk_data(message) if wrapped else message.payload) + b"\n\n")
    except EventStreamError:
        # None of ours.
        return content
    return b"".join(found)


def day_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def blob_name(organization_id: str, request_id: str) -> str | None:
    """None for an id that is none of ours, which no body is kept under."""
    second = second_of(request_id)
    if second is None or not _ORGANIZATION.fullmatch(organization_id):
        return None
    return f"{PREFIX}/{day_of(second)}/{organization_id}/{request_id}"


class KeptBodies:
    """Reads what was kept, and removes what is too old."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    def has_directory(self) -> bool:
        """Whether there is a directory on this machine that anything was ever kept in."""
        directory = self.blobs.directory
        return directory is not None and (directory / PREFIX).is_dir()

    async def read(self, organization_id: str, request_id: str) -> dict[str, Any]:
        """`request` and `response` of a request of an organization, each None where nothing was kept. Of what is JSON
        there is `body`, of a stream `events`, of all else `text` or `base64`. Raises BlobsError."""
        name = blob_name(organization_id, request_id)
        nothing: dict[str, Any] = {"request": None, "response": None}
        if name is None:
            return nothing
        try:
            stored: dict[str, Any] = orjson.loads(zlib.decompress(await self.blobs.read(name)))
        except BlobNotFoundError:
            return nothing
        return {part: _shown(stored[part]) for part in nothing}

    async def prune(self, before: float) -> int:
        """Remove what was kept of days that lie wholly before a moment; how many requests that were. Raises
        BlobsError."""
        first_kept = day_of(before)
        removed = 0
        names: list[str] = []
        async for blob in self.blobs.list(PREFIX):
            found = _DAY_TEXT.match(blob.name)
            if found is not None and found[1] < first_kept:
                names.append(blob.name)
            if len(names) >= _AT_ONCE:
                await self.blobs.delete(names)
                removed += len(names)
                names = []
        await self.blobs.delete(names)
        return removed + len(names)


def _shown(part: dict[str, Any]) -> dict[str, Any]:
    text = part.get("text")
    if text is None or part["is_truncated"]:
        return part
    rest = {name: value for name, value in part.items() if name != "text"}
    content_type = part["content_type"] or ""
    try:
        if content_type.startswith(("text/event-stream", _FRAMED)):
            return {**rest, "events": _events(text)}
        if "json" in content_type:
            return {**rest, "body": orjson.loads(text)}
    except orjson.JSONDecodeError:
        pass
    return part


def _events(text: str) -> list[Any]:
    """The data of each event of a stream; what is no JSON, such as OpenAI's [DONE], as it stands."""
    found: list[Any] = []
    for line in text.split("\n"):
        if line.startswith("data:"):
            data = line[5:].strip()
            try:
                found.append(orjson.loads(data))
            except orjson.JSONDecodeError:
                found.append(data)
    return found
