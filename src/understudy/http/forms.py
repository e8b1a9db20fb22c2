"""Multipart forms (RFC 7578), read as they arrive. What the fields mean is the room's."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import unquote

from understudy.http.body import stream_body
from understudy.http.exchange import Exchange
from understudy.wire.errors import InvalidRequestError

if TYPE_CHECKING:
    from multipart import MultipartSegment, PushMultipartParser

    Event: TypeAlias = MultipartSegment | bytes | bytearray | None
    """A part that begins, bytes of it, or None at its end."""

# Bytes in which the first part begins, in an honest form at nought.
_MOST_BEFORE: Final = 64 * 1024
_MOST_OF_BOUNDARY: Final = 200
_EXTENDED: Final = re.compile(r";\s*filename\*\s*=\s*\"?utf-8''([^;\"\s]*)", re.IGNORECASE)


class FormError(InvalidRequestError):
    """A form that is none. `parts`: how many had begun."""

    def __init__(self, reason: str, parts: int = 0) -> None:
        super().__init__(f"The multipart form is broken: {reason}")  # [guess] the words
        self.parts = parts


def form_parser(exchange: Exchange, most_parts: int) -> PushMultipartParser:
    """Raises InvalidRequestError [guess: its words] for a body that is declared as anything else."""
    import multipart

    # Its annotations are partial.
    parse: Callable[[str], tuple[str, dict[str, str]]] = cast("Any", multipart).parse_options_header
    kind, options = parse(exchange.header(b"content-type") or "")
    if kind != "multipart/form-data":
        raise InvalidRequestError("content-type: must be multipart/form-data")
    boundary = options.get("boundary", "")
    if not boundary or len(boundary) > _MOST_OF_BOUNDARY:
        raise InvalidRequestError("content-type: boundary is missing or too long")
    try:
        return multipart.PushMultipartParser(boundary.encode("latin-1"), max_segment_count=most_parts)
    except (multipart.MultipartError, UnicodeEncodeError):
        raise InvalidRequestError("content-type: boundary is none") from None


async def form_events(exchange: Exchange, parser: PushMultipartParser, most: int) -> AsyncGenerator[list[Event]]:
    """What each piece of a body of at most `most` bytes holds. Raises FormError, RequestTooLargeError."""
    from multipart import MultipartError, MultipartSegment

    received = parts = 0
    try:
        async for piece in stream_body(exchange, most):
            received += len(piece)
            found: list[Event] = []
            try:
                # What came before a fault is told before it.
                for event in parser.parse(piece):
                    parts += isinstance(event, MultipartSegment)
                    found.append(event)
            except MultipartError:
                yield found
                raise
            yield found
            if not parts and received > _MOST_BEFORE:
                raise FormError("its boundary was not found")
        parser.close()
    except MultipartError as error:
        raise FormError(str(error.args[0]) if error.args else "it cannot be read", parts) from None


def filename_of(part: MultipartSegment) -> str | None:
    """What the part calls its file. .NET says a name beyond ASCII in `filename*` (RFC 8187), and garbles the other."""
    disposition = next((value for name, value in part.headerlist if name == "Content-Disposition"), "")
    found = _EXTENDED.search(disposition)
    return part.filename if found is None else unquote(found[1], errors="replace")
