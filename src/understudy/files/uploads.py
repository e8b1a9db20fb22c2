"""An upload: a form read as it arrives, its one file on the way into its blob."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, NotRequired, TypeAlias, cast
from urllib.parse import unquote

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from understudy.files.errors import file_too_large
from understudy.files.file import File, Owner
from understudy.files.media_types import HEAD, media_type_of
from understudy.files.names import clean_filename
from understudy.files.service import Described, FileService
from understudy.files.shapes import Shape
from understudy.http.body import stream_body
from understudy.http.exchange import Exchange
from understudy.storage.blob_writer import BlobWriter
from understudy.wire.errors import ApiError, InvalidRequestError, RequestTooLargeError

if TYPE_CHECKING:
    from multipart import MultipartSegment, PushMultipartParser

_ExpiresIn: TypeAlias = Annotated[int, Field(ge=3_600, le=7_776_000)]


class FileUploadParams(TypedDict):
    """The form of POST /v1/files."""

    file: bytes
    expires_in_seconds: NotRequired[_ExpiresIn]


_EXPIRES_IN: Final = TypeAdapter[int](_ExpiresIn)

# Bytes of a body beside its file: boundaries, headers of parts, other fields.
_BESIDE: Final = 64 * 1024
# Bytes in which the first part begins, in an honest form at nought; of a field; and parts in all.
_MOST_BEFORE: Final = 64 * 1024
_MOST_OF_FIELD: Final = 1_024
_MOST_PARTS: Final = 20
_MOST_OF_BOUNDARY: Final = 200

_EXTENDED: Final = re.compile(r";\s*filename\*\s*=\s*\"?utf-8''([^;\"\s]*)", re.IGNORECASE)

# [guess] the words of all refusals here.
_BROKEN: Final = "The multipart form is broken: {}"


async def receive(exchange: Exchange, service: FileService, shape: Shape) -> File:
    """Store the file of an upload. Nothing is left of one that is refused, breaks off, or is not whole."""
    owner = Owner.of(exchange.principal)
    parser = _parser(exchange)
    used = await service.quota.used_by(owner)
    with service.quota.receiving(owner, used) as room:

        async def fill(writer: BlobWriter) -> Described:
            form = _Form(writer, service, shape)
            declared = exchange.headers.get(b"content-length", b"")
            if declared.isdigit():
                service.check_size(int(declared[:20]) - _BESIDE)
                room.expect(int(declared[:20]) - _BESIDE)
            received = taken = 0
            # One byte of room more: what is too large is the file, and that is what the error shall name.
            async for piece in stream_body(exchange, service.config.max_bytes + 2 * _BESIDE):
                received += len(piece)
                try:
                    for event in parser.parse(piece):
                        await form.take(event)
                except ValueError as error:
                    raise _broken(error) from None
                if not form.parts and received > _MOST_BEFORE:
                    raise InvalidRequestError(_BROKEN.format("its boundary was not found"))
                room.take(writer.size - taken)
                taken = writer.size
            try:
                parser.close()
            except ValueError as error:
                raise _broken(error) from None
            return form.described(downloadable=service.config.downloadable_uploads)

        try:
            return await service.create(owner, fill)
        except RequestTooLargeError:
            raise file_too_large(service.config.max_bytes) from None


def _broken(error: ValueError) -> ApiError:
    from multipart import MultipartError

    if not isinstance(error, MultipartError):
        raise error
    return InvalidRequestError(_BROKEN.format(str(error.args[0]) if error.args else "it cannot be read"))


def _parser(exchange: Exchange) -> PushMultipartParser:
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
        return multipart.PushMultipartParser(boundary.encode("latin-1"), max_segment_count=_MOST_PARTS)
    except multipart.MultipartError as error:
        raise _broken(error) from None


def _filename(part: MultipartSegment) -> str | None:
    """What the part calls its file. .NET says a name beyond ASCII in `filename*` (RFC 8187), and garbles the other."""
    disposition = next((value for name, value in part.headerlist if name == "Content-Disposition"), "")
    found = _EXTENDED.search(disposition)
    return part.filename if found is None else unquote(found[1], errors="replace")


class _Form:
    """Takes what the parser finds: a part, bytes of it, and None at its end."""

    def __init__(self, writer: BlobWriter, service: FileService, shape: Shape) -> None:
        self._writer = writer
        self._service = service
        self._shape = shape
        self._part: MultipartSegment | None = None
        self._file: MultipartSegment | None = None
        self._fields: dict[str, bytearray] = {}
        self._head = bytearray()
        self.parts = 0

    async def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        if event is None:
            self._part = None
        elif isinstance(event, (bytes, bytearray)):
            await self._content(bytes(event))
        else:
            self._begin(event)

    def _begin(self, part: MultipartSegment) -> None:
        self.parts += 1
        self._part = part
        name = part.name or ""
        if name == "file":
            if self._file is not None:
                raise InvalidRequestError("file: only one file can be uploaded at a time")
            self._file = part
        elif name == "expires_in_seconds" and self._shape.expires:
            if name in self._fields:
                raise InvalidRequestError("expires_in_seconds: must be given once")
            self._fields[name] = bytearray()
        else:
            # What a client calls its fields is not repeated beyond what a name of a field looks like.
            shown = name[:100] if name.isidentifier() else "form"
            raise InvalidRequestError(f"{shown}: Extra inputs are not permitted")

    async def _content(self, content: bytes) -> None:
        part = self._part
        assert part is not None
        if part is self._file:
            if len(self._head) < HEAD:
                self._head += content[: HEAD - len(self._head)]
            self._service.check_size(self._writer.size + len(content))
            await self._writer.write(content)
            return
        field = self._fields[part.name or ""]
        field += content
        if len(field) > _MOST_OF_FIELD:
            raise InvalidRequestError(f"{part.name}: is too long")

    def described(self, *, downloadable: bool) -> Described:
        """What the form says of its file. Raises InvalidRequestError."""
        part = self._file
        if part is None:
            raise InvalidRequestError("file: Field required")
        if not self._shape.by_page and not part.content_type:
            # Under the beta it was required (Files guide: optional since).
            raise InvalidRequestError("file: its part needs a Content-Type")
        filename = _filename(part)
        mime_type = media_type_of(part.content_type, filename, bytes(self._head))
        return Described(clean_filename(filename, mime_type), mime_type, downloadable, self._expires_in())

    def _expires_in(self) -> int | None:
        given = self._fields.get("expires_in_seconds")
        if given is None:
            return None
        try:
            return _EXPIRES_IN.validate_python(given.decode("utf-8", "replace"))
        except ValidationError as exc:
            fault = exc.errors(include_url=False)[0]["msg"]
            raise InvalidRequestError(f"expires_in_seconds: {fault}") from None
