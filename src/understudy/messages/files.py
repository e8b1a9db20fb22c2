"""Sources of type file made into what they stand for. `files` keeps them; `app` plugs it in."""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias

from understudy.engines.catalog import Model
from understudy.messages.sources import BYTES_OF_ALL, DOCUMENT_BYTES, Medium, as_base64, encoded, with_sources
from understudy.wire.errors import InvalidRequestError, RequestTooLargeError

_Block: TypeAlias = dict[str, Any]

PDF: Final = "application/pdf"
TEXT: Final = "text/plain"
IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
# Files guide, "File types and content blocks".
TYPES_OF: Final = {"image": IMAGES, "document": (PDF, TEXT)}

# Bytes of text that one token never stands for on average: what is longer need not be read to know that it is too long.
_MOST_OF_TOKEN: Final = 64
# What the longest token of ordinary text has, to say by how much.
_OF_TOKEN: Final = 4


class StoredFile(Protocol):
    @property
    def media_type(self) -> str: ...
    @property
    def size(self) -> int:
        """In bytes."""
        ...

    async def read(self) -> bytes:
        """All of it. Raises the API's errors."""
        ...


class Files(Protocol):
    async def resolve(self, workspace_id: str, file_id: str, /) -> StoredFile:
        """Raises NotFoundError for a file that is not there, is another workspace's, or has expired."""
        ...


async def fill_files(request: _Block, media: list[Medium], model: Model, files: Files, workspace_id: str) -> _Block:
    """A copy of `request` in which no source of an image or document is of type file any more.

    All of them are looked up before one is read. Raises NotFoundError for the first in the order of the prompt that is
    not there, InvalidRequestError for one of the wrong type and for images that break a rule, RequestTooLargeError.
    """
    wanted = [medium for medium in media if medium.by_file]
    found: dict[tuple[str, str], StoredFile] = {}
    for medium in wanted:
        key = medium.kind, _file_id(medium)
        if key not in found:
            found[key] = file = await files.resolve(workspace_id, key[1])
            check_file(medium.kind, file, key[1], model, medium.path)
    if sum(file.size for file in found.values()) > BYTES_OF_ALL:
        raise RequestTooLargeError
    images = sum(medium.kind == "image" for medium in media)
    read = {key: await source_of(file, key[1]) for key, file in found.items()}
    replaced: dict[int, _Block] = {}
    for medium in wanted:
        source = read[medium.kind, _file_id(medium)]
        if medium.kind == "image":
            source = as_base64(medium, source["data"], images, model)
        replaced[id(medium.source)] = source
    return with_sources(request, replaced)


def _file_id(medium: Medium) -> str:
    assert medium.source is not None
    return medium.source["file_id"]


def check_file(kind: str, file: StoredFile, file_id: str, model: Model, path: str) -> None:
    """Whether a block of that kind takes a file, by its type and size. Documented: 400; the words are [guess]."""
    types = TYPES_OF[kind]
    if file.media_type not in types:
        raise InvalidRequestError(
            f"{path}.source: File `{file_id}` is of type {file.media_type}; `{kind}` blocks take {', '.join(types)}"
        )
    if kind == "image":
        size = -(-file.size // 3) * 4
        if size > model.max_image_bytes:
            raise InvalidRequestError(
                f"image exceeds {model.max_image_bytes // 1024 // 1024} MB maximum: {size} bytes > "
                f"{model.max_image_bytes} bytes"
            )
    elif file.media_type == PDF:
        if file.size > DOCUMENT_BYTES:
            raise RequestTooLargeError
    elif file.size > model.max_input_tokens * _MOST_OF_TOKEN:
        tokens = file.size // _OF_TOKEN
        raise InvalidRequestError(f"prompt is too long: {tokens} tokens > {model.max_input_tokens} maximum")


async def source_of(file: StoredFile, file_id: str) -> _Block:
    """The source that a file stands for: its bytes as base64, or its text."""
    data = await file.read()
    if file.media_type == TEXT:
        return {"type": "text", "media_type": TEXT, "data": _text(data, file_id)}
    return {"type": "base64", "media_type": file.media_type, "data": await encoded(data)}


def _text(data: bytes, file_id: str) -> str:
    # Two bytes at the front tell UTF-16; all else is UTF-8.
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequestError(f"File `{file_id}` is not plain text in UTF-8 or UTF-16") from None  # [guess]
