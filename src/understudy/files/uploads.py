"""An upload: a form read as it arrives, its one file on the way into its blob."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final, NotRequired, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from understudy.files.errors import file_too_large
from understudy.files.file import File
from understudy.files.media_types import HEAD, media_type_of
from understudy.files.names import clean_filename
from understudy.files.service import Described, FileService
from understudy.files.shapes import Shape
from understudy.http.exchange import Exchange
from understudy.http.forms import filename_of, form_events, form_parser
from understudy.http.principal import Owner
from understudy.storage.blob_writer import BlobWriter
from understudy.wire.errors import InvalidRequestError, RequestTooLargeError

if TYPE_CHECKING:
    from multipart import MultipartSegment

    from understudy.http.forms import Event

_ExpiresIn: TypeAlias = Annotated[int, Field(ge=3_600, le=7_776_000)]


class FileUploadParams(TypedDict):
    """The form of POST /v1/files."""

    file: bytes
    expires_in_seconds: NotRequired[_ExpiresIn]


_EXPIRES_IN: Final = TypeAdapter[int](_ExpiresIn)

# Bytes of a body beside its file: boundaries, headers of parts, other fields.
_BESIDE: Final = 64 * 1024
# Bytes of a field, and parts in all.
_MOST_OF_FIELD: Final = 1_024
_MOST_PARTS: Final = 20

# [guess] the words of all refusals here.


async def receive(exchange: Exchange, service: FileService, shape: Shape) -> File:
    """Store the file of an upload. Nothing is left of one that is refused, breaks off, or is not whole."""
    owner = Owner.of(exchange.principal)
    parser = form_parser(exchange, _MOST_PARTS)
    used = await service.quota.used_by(owner)
    with service.quota.receiving(owner, used) as room:

        async def fill(writer: BlobWriter) -> Described:
            form = _Form(writer, service, shape)
            declared = exchange.headers.get(b"content-length", b"")
            if declared.isdigit():
                service.check_size(int(declared[:20]) - _BESIDE)
                room.expect(int(declared[:20]) - _BESIDE)
            taken = 0
            # One byte of room more: what is too large is the file, and that is what the error shall name.
            async with aclosing(form_events(exchange, parser, service.config.max_bytes + 2 * _BESIDE)) as pieces:
                async for events in pieces:
                    for event in events:
                        await form.take(event)
                    room.take(writer.size - taken)
                    taken = writer.size
            return form.described(downloadable=service.config.downloadable_uploads)

        try:
            return await service.create(owner, fill)
        except RequestTooLargeError:
            raise file_too_large(service.config.max_bytes) from None


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

    async def take(self, event: Event) -> None:
        if event is None:
            self._part = None
        elif isinstance(event, (bytes, bytearray)):
            await self._content(bytes(event))
        else:
            self._begin(event)

    def _begin(self, part: MultipartSegment) -> None:
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
        filename = filename_of(part)
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
