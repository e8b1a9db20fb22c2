"""AWS event-stream frames, both ways: `application/vnd.amazon.eventstream`.

A frame: its length and that of its headers (32 bits each, big-endian), the CRC32 of these eight bytes, the headers, the
payload, and the CRC32 of all before. A header: the length of its name (8 bits), the name, the type of its value (8
bits), the value. Source: the event-stream encoding of AWS (Smithy 2.0, `amazon-eventstream`); bounds are botocore's.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast
from uuid import UUID
from zlib import crc32

import orjson

CONTENT_TYPE: Final = b"application/vnd.amazon.eventstream"

MOST_HEADER_BYTES: Final = 128 * 1024
MOST_PAYLOAD_BYTES: Final = 24 * 1024 * 1024

HeaderValue: TypeAlias = bool | int | bytes | str | UUID
"""Times are whole milliseconds since the epoch."""

_PRELUDE: Final = struct.Struct("!III")
_LENGTHS: Final = struct.Struct("!II")
_CRC: Final = struct.Struct("!I")
_SHORT: Final = struct.Struct("!H")
_AROUND: Final = _PRELUDE.size + _CRC.size
_STRING: Final = 7

# Types of values of a fixed length: byte, short, integer, long, timestamp.
_NUMBERS: Final = {2: struct.Struct("!b"), 3: struct.Struct("!h"), 4: struct.Struct("!i"), 5: struct.Struct("!q")}
_NUMBERS[8] = _NUMBERS[5]
_BYTES, _UUID = 6, 9

# Different headers of one stream that are remembered in their parsed form: there are two or three.
_MOST_REMEMBERED: Final = 16


class EventStreamError(Exception):
    """Bytes that are no event stream: a checksum or a length is wrong, or a part is cut off or not what it says."""


@dataclass(frozen=True, slots=True)
class Message:
    """A frame's headers by name (`:message-type`, `:event-type`, `:exception-type`, …) and its payload."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


def encode_headers(headers: Mapping[str, str]) -> bytes:
    """Headers whose values are all strings, ready for any number of frames."""
    parts: list[bytes] = []
    for name, value in headers.items():
        named, valued = name.encode(), value.encode()
        parts.append(bytes((len(named),)) + named + bytes((_STRING,)) + _SHORT.pack(len(valued)) + valued)
    return b"".join(parts)


def encode_message(headers: bytes, payload: bytes) -> bytes:
    """The frame of `headers`, as `encode_headers` makes them, and `payload`."""
    lengths = _LENGTHS.pack(_AROUND + len(headers) + len(payload), len(headers))
    frame = b"".join((lengths, _CRC.pack(crc32(lengths)), headers, payload))
    return frame + _CRC.pack(crc32(frame))


_CHUNK: Final = encode_headers({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"})


def encode_chunk(data: bytes) -> bytes:
    """The frame in which Bedrock sends `data`, the JSON of one event of the Messages API."""
    return encode_message(_CHUNK, b'{"bytes":"' + binascii.b2a_base64(data, newline=False) + b'"}')


def encode_exception(exception_type: str, payload: bytes) -> bytes:
    """The frame that ends a stream with an error; `payload` is its JSON."""
    headers = encode_headers(
        {":exception-type": exception_type, ":content-type": "application/json", ":message-type": "exception"}
    )
    return encode_message(headers, payload)


def chunk_data(message: Message) -> bytes:
    """The JSON that Bedrock wrapped in the payload of a `chunk`. EventStreamError if it is none."""
    try:
        payload: object = orjson.loads(message.payload)
        # Other members are padding.
        encoded = cast("dict[str, object]", payload).get("bytes") if isinstance(payload, dict) else None
        if isinstance(encoded, str):
            return base64.b64decode(encoded, validate=True)
    except ValueError:
        pass
    raise EventStreamError("the payload of a chunk holds no bytes")


class Decoder:
    """Takes the bytes of one stream, however they are cut, and gives its frames."""

    __slots__ = ("_failed", "_held", "_remembered")

    def __init__(self) -> None:
        self._held = bytearray()
        self._failed = False
        self._remembered: dict[bytes, Mapping[str, HeaderValue]] = {}

    def feed(self, data: bytes) -> list[Message]:
        """The frames that `data` completes. EventStreamError at the first fault, then for all that follows; frames
        before the fault are lost with it only where they came in the same bytes."""
        if self._failed:
            raise EventStreamError("the stream was damaged before")
        held = self._held
        held += data
        at = 0
        messages: list[Message] = []
        try:
            while len(held) - at >= _PRELUDE.size:
                total, head, checksum = _PRELUDE.unpack_from(held, at)
                if crc32(memoryview(held)[at : at + 8]) != checksum:
                    raise EventStreamError("the checksum of a frame's lengths is wrong")
                if head > MOST_HEADER_BYTES or total < _AROUND + head:
                    raise EventStreamError("a frame's headers are longer than they can be")
                if total - _AROUND - head > MOST_PAYLOAD_BYTES:
                    raise EventStreamError("a frame's payload is longer than it can be")
                if len(held) - at < total:
                    break
                messages.append(self._message(bytes(memoryview(held)[at : at + total]), head))
                at += total
        except EventStreamError:
            self._failed = True
            raise
        del held[:at]
        return messages

    def finish(self) -> None:
        """The stream has ended. EventStreamError if that was in the middle of a frame."""
        if self._held and not self._failed:
            raise EventStreamError("the stream ended within a frame")

    def _message(self, frame: bytes, head: int) -> Message:
        if crc32(memoryview(frame)[:-4]) != _CRC.unpack_from(frame, len(frame) - 4)[0]:
            raise EventStreamError("the checksum of a frame is wrong")
        end = _PRELUDE.size + head
        raw = frame[_PRELUDE.size : end]
        headers = self._remembered.get(raw)
        if headers is None:
            headers = decode_headers(raw)
            if len(self._remembered) < _MOST_REMEMBERED:
                self._remembered[raw] = headers
        return Message(headers, frame[end:-4])


def decode_headers(raw: bytes) -> dict[str, HeaderValue]:
    """The headers of a frame. EventStreamError for bytes that are none, and for a name that comes twice."""
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(raw):
            name_end = at + 1 + raw[at]
            name = _exactly(raw, at + 1, name_end).decode()
            kind = raw[name_end]
            at = name_end + 1
            if name in headers or not name:
                raise EventStreamError("a header has no name, or comes twice")
            if kind <= 1:
                headers[name] = kind == 0
            elif kind in _NUMBERS:
                (headers[name],) = _NUMBERS[kind].unpack_from(raw, at)
                at += _NUMBERS[kind].size
            elif kind in (_BYTES, _STRING):
                (length,) = _SHORT.unpack_from(raw, at)
                value = _exactly(raw, at + 2, at + 2 + length)
                headers[name] = value if kind == _BYTES else value.decode()
                at += 2 + length
            elif kind == _UUID:
                headers[name] = UUID(bytes=_exactly(raw, at, at + 16))
                at += 16
            else:
                raise EventStreamError("a header's value is of no known type")
    except (IndexError, struct.error, UnicodeDecodeError):
        raise EventStreamError("the headers of a frame cannot be read") from None
    return headers


def _exactly(raw: bytes, begin: int, end: int) -> bytes:
    if end > len(raw):
        raise EventStreamError("the headers of a frame are cut off")
    return raw[begin:end]
