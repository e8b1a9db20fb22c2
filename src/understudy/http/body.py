"""Reading a request's JSON body: within its limit, in time, decoded and in UTF-8."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from understudy.http.compression import codings_of, decode_body
from understudy.http.decoding import decoded_pieces
from understudy.http.exchange import Exchange
from understudy.http.protocol import BODY_TOO_SLOW
from understudy.wire.errors import InvalidRequestError, RequestTimeoutError, RequestTooLargeError

_UTF8: Final = {"utf-8", "utf8", "us-ascii", "ascii"}
_LATIN1: Final = {"iso-8859-1", "latin-1", "latin1"}


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole; there is nobody to answer."""


def _charset_of_json(content_type: str | None) -> str:
    """The charset of a JSON body, `utf-8` or `iso-8859-1`. A body of another kind is refused.

    A missing content type is taken for JSON (a guess: the real service's answer was never recorded).
    """
    if content_type is None or content_type == "application/json":
        return "utf-8"
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if not (media_type in {"application/json", "text/json"} or media_type.endswith("+json")):
        raise InvalidRequestError("content-type: must be application/json")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            charset = value.strip().strip('"')
            if charset in _UTF8:
                return "utf-8"
            if charset in _LATIN1:
                return "iso-8859-1"
            raise InvalidRequestError(
                "content-type: charset must be UTF-8, ISO-8859-1 or US-ASCII",
                details={"error_code": "unsupported_charset"},
            )
    return "utf-8"


def _too_large(limit: int) -> RequestTooLargeError:
    megabytes = limit / (1024 * 1024)
    return RequestTooLargeError(
        f"Request exceeds the maximum allowed number of bytes. The maximum request size is {megabytes:g} MB"
    )


async def _read(exchange: Exchange, limit: int) -> bytes:
    declared = exchange.headers.get(b"content-length")
    if declared is not None and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    message = await exchange.receive()
    first = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False) and len(first) <= limit:
        return first
    whole = bytearray()
    while True:
        if exchange.scope.get(BODY_TOO_SLOW):
            raise RequestTimeoutError(
                "The request body was not received in time", details={"error_code": "request_body_timeout"}
            )
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        whole += message.get("body", b"")
        if len(whole) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(whole)
        message = await exchange.receive()


async def read_json_body(exchange: Exchange, limit: int) -> bytes:
    """The body as UTF-8 JSON text, at most `limit` bytes before and after decoding; not parsed yet.

    Where a route has translated it, that is the body.
    """
    if exchange.translated is not None:
        return exchange.translated
    charset = _charset_of_json(exchange.header(b"content-type"))
    body = await _read(exchange, limit)
    coding = exchange.header(b"content-encoding")
    if coding is not None:
        body = await decode_body(body, coding, limit)
    if charset != "utf-8":
        body = body.decode(charset).encode()
        if len(body) > limit:
            raise _too_large(limit)
    return body


async def stream_body(exchange: Exchange, limit: int) -> AsyncGenerator[bytes]:
    """The body as it arrives, for what is too large to be held: any kind of it, and never encoded.

    Raises RequestTooLargeError beyond `limit` bytes, and before the first where the length that was declared is;
    RequestTimeoutError, InvalidRequestError, ClientGoneError.
    """
    if exchange.headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
        raise InvalidRequestError(
            "content-encoding: an upload cannot be compressed",
            details={"error_code": "request_body_encoding_unsupported"},
        )
    async with aclosing(_arriving(exchange, limit)) as pieces:
        async for piece in pieces:
            yield piece


async def stream_json_body(exchange: Exchange, limit: int) -> AsyncGenerator[bytes]:
    """As `read_json_body`, piece by piece, for what is too large to be held."""
    latin1 = _charset_of_json(exchange.header(b"content-type")) != "utf-8"
    codings = codings_of(exchange.header(b"content-encoding") or "")
    received = 0
    arriving = _arriving(exchange, limit)
    async with aclosing(decoded_pieces(arriving, codings, limit) if codings else arriving) as pieces:
        async for piece in pieces:
            text = piece.decode("latin-1").encode() if latin1 else piece
            received += len(text)
            if received > limit:
                raise _too_large(limit)
            yield text


async def _arriving(exchange: Exchange, limit: int) -> AsyncGenerator[bytes]:
    declared = exchange.headers.get(b"content-length")
    if declared is not None and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    received = 0
    more = True
    while more:
        message = await exchange.receive()
        if exchange.scope.get(BODY_TOO_SLOW):
            raise RequestTimeoutError(
                "The request body was not received in time", details={"error_code": "request_body_timeout"}
            )
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        piece = message.get("body", b"")
        received += len(piece)
        if received > limit:
            raise _too_large(limit)
        more = message.get("more_body", False)
        if piece:
            yield piece
