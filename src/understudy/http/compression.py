"""Content codings: reading compressed request bodies within a bound, and compressing answers.

The libraries of br and zstd are imported by the first body that needs one, within a few milliseconds.
"""

from __future__ import annotations

import asyncio
import io
import zlib
from typing import Final

from understudy.wire.errors import InvalidRequestError, RequestTooLargeError

# Above this many bytes, coding is left to a thread so that other requests do not wait for it.
_INLINE_BYTES: Final = 256 * 1024
_CHUNK: Final = 64 * 1024
_MOST_CODINGS: Final = 2
# Members of a gzip body. Each costs a decoder and a copy of a window.
_MOST_MEMBERS: Final = 1_000
# Windows larger than this are refused: a decoder must reserve what the frame's header asks for.
_ZSTD_WINDOW: Final = 1 << 27

# Codings of answers, the best first. Each answer is new: one that takes longer to be smaller is not worth it.
_LEVELS: Final = {"zstd": 3, "br": 4, "gzip": 5}


class _TooLargeError(Exception):
    pass


def _inflate(data: bytes, limit: int, wbits: int) -> bytes:
    out = bytearray()
    view = memoryview(data)
    decoder = zlib.decompressobj(wbits)
    place = 0
    for _ in range(_MOST_MEMBERS):
        while place < len(view) and not decoder.eof:
            window = view[place : place + _CHUNK]
            out += decoder.decompress(window, limit + 1 - len(out))
            if len(out) > limit:
                raise _TooLargeError
            place += len(window) - len(decoder.unused_data)
        if not decoder.eof:
            raise zlib.error("incomplete")
        if place == len(view):
            return bytes(out)
        # Several gzip members one after the other are one body (RFC 1952 §2.2).
        decoder = zlib.decompressobj(wbits)
    raise zlib.error("too many members")


def _gunzip(data: bytes, limit: int) -> bytes:
    return _inflate(data, limit, 16 + zlib.MAX_WBITS)


def _deflate(data: bytes, limit: int) -> bytes:
    # The coding is the zlib format; some clients send the bare stream (RFC 9110 §8.4.1.2).
    zlib_header = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _inflate(data, limit, zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)


def _unbrotli(data: bytes, limit: int) -> bytes:
    import brotli

    out = bytearray()
    decoder = brotli.Decompressor()
    rest = data
    while not decoder.is_finished():
        piece = decoder.process(rest, output_buffer_limit=_CHUNK)
        out += piece
        rest = b""
        if len(out) > limit:
            raise _TooLargeError
        if not piece and decoder.can_accept_more_data():
            raise zlib.error("incomplete")
    return bytes(out)


def _unzstd(data: bytes, limit: int) -> bytes:
    import zstandard

    out = bytearray()
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with decoder.stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        while piece := reader.read(_CHUNK):
            out += piece
            if len(out) > limit:
                raise _TooLargeError
    if not out:
        raise zlib.error("incomplete")
    return bytes(out)


_DECODERS: Final = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}


def _decode_all(data: bytes, codings: list[str], limit: int) -> bytes:
    for coding in reversed(codings):
        data = _DECODERS[coding](data, limit)
    return data


def codings_of(content_encoding: str) -> list[str]:
    """The codings of a body in the order in which they were put on. Raises the API's 400 for one that is not known."""
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    if len(codings) > _MOST_CODINGS or any(coding not in _DECODERS for coding in codings):
        raise InvalidRequestError(
            "The request body's content-encoding is not supported. Supported: gzip, deflate, br, zstd.",
            details={"error_code": "request_body_encoding_unsupported"},
        )
    return codings


def too_large_decoded() -> RequestTooLargeError:
    """The API's 413 for a body that grows beyond its limit."""
    return RequestTooLargeError(
        "Request exceeds the maximum size", details={"error_code": "request_body_too_large_after_decoding"}
    )


def not_decodable() -> InvalidRequestError:
    """The API's 400 for bad data."""
    return InvalidRequestError(
        "The request body could not be decoded with its content-encoding.",
        details={"error_code": "request_body_encoding_invalid"},
    )


def coding_errors() -> tuple[type[Exception], ...]:
    """What the decoders raise for bad data."""
    import brotli
    import zstandard

    return zlib.error, brotli.error, zstandard.ZstdError


async def decode_body(data: bytes, content_encoding: str, limit: int) -> bytes:
    """`data` without its content codings, at most `limit` bytes.

    Raises the API's 400 for an unknown coding or bad data and its 413 for a body that grows beyond the limit.
    """
    codings = codings_of(content_encoding)
    if not codings:
        return data
    try:
        # In a thread, however short it is: 51 bytes of brotli can hold the whole limit.
        return await asyncio.to_thread(_decode_all, data, codings, limit)
    except _TooLargeError:
        raise too_large_decoded() from None
    except (*coding_errors(), EOFError):
        raise not_decodable() from None


def accepted_codings(accept_encoding: bytes) -> set[str]:
    """The content codings that a client accepts."""
    accepted: set[str] = set()
    for item in accept_encoding.decode("latin-1").lower().split(",")[:16]:
        coding, _, parameters = item.partition(";")
        refused = parameters.strip().replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
        if not refused:
            accepted.add(coding.strip())
    return accepted


def encode(body: bytes, coding: str, level: int) -> bytes:
    """`body` in zstd, br or gzip."""
    if coding == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level).compress(body)
    if coding == "br":
        import brotli

        return brotli.compress(body, quality=level)
    encoder = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return encoder.compress(body) + encoder.flush()


async def compress(body: bytes, accept_encoding: bytes) -> tuple[bytes, bytes] | None:
    """`body` in the first of zstd, br and gzip that the client accepts, and the coding's name; None for neither."""
    accepted = accepted_codings(accept_encoding)
    for coding, level in _LEVELS.items():
        if coding in accepted:
            if len(body) <= _INLINE_BYTES:
                return encode(body, coding, level), coding.encode()
            return await asyncio.to_thread(encode, body, coding, level), coding.encode()
    return None
