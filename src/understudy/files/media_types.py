"""Media types: what an upload says it is, what its first bytes and its name say, and which of them is stored.

Source: the Files guide (2026-08): the part's Content-Type is optional and is stored where it is given, so that a .csv
file sent as text/plain is a text document; otherwise bytes and name decide.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from understudy.wire.errors import InvalidRequestError

if TYPE_CHECKING:
    from mimetypes import MimeTypes

PDF: Final = "application/pdf"
TEXT: Final = "text/plain"
IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")

HEAD: Final = 1024
"""First bytes that are looked at: a PDF may begin that late (ISO 32000-1, annex H)."""

_MOST_CHARACTERS: Final = 255
_TOKEN: Final = r"[a-z0-9!#$&^_.+-]+"  # noqa: S105 - RFC 6838, 4.2
_TYPE: Final = re.compile(f"{_TOKEN}/{_TOKEN}")
_UNKNOWN: Final = "application/octet-stream"
# Where the system's table is silent or has several.
_EXTENSIONS: Final = {
    PDF: ".pdf",
    TEXT: ".txt",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/markdown": ".md",
    "application/json": ".json",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/x-jsonl": ".jsonl",
    "application/x-ipynb+json": ".ipynb",
    "application/yaml": ".yaml",
    "application/zip": ".zip",
}
_TYPES: Final = {extension: name for name, extension in _EXTENSIONS.items()} | {
    ".jpeg": "image/jpeg",
    ".log": TEXT,
    ".yml": "application/yaml",
    ".htm": "text/html",
}
_TEXT_CONTROLS: Final = frozenset(range(0x20)) - {0x07, 0x08, 0x09, 0x0A, 0x0C, 0x0D, 0x1B}


def sniffed(head: bytes) -> str | None:
    """The media type that the first bytes are proof of; of those that blocks of a message take."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return PDF if b"%PDF-" in head[:HEAD] else None


def media_type_of(declared: str | None, filename: str | None, head: bytes) -> str:
    """The media type that is stored. `declared` is the part's, without parameters.

    Raises InvalidRequestError for one that is none, and for one that the bytes give the lie: a file that is said to be
    an image or a PDF and is not, or the other way round [guess: as for images given as base64].
    """
    declared = (declared or "").strip().lower()
    if declared and (len(declared) > _MOST_CHARACTERS or not _TYPE.fullmatch(declared)):
        raise InvalidRequestError("file: its Content-Type is not a media type")
    found = sniffed(head)
    if not declared or declared == _UNKNOWN:
        return found or _by_name(filename) or (TEXT if _is_text(head) else _UNKNOWN)
    if declared == found:
        return declared
    if declared == "image/jpg" and found == "image/jpeg":
        return found
    if declared in {PDF, *IMAGES} or (found is not None and declared.startswith(("image/", "text/"))):
        # A text may speak of PDFs in its first lines.
        if found == PDF and declared.startswith("text/") and not head.lstrip().startswith(b"%PDF-"):
            return declared
        raise InvalidRequestError(f"file: it was sent as {declared}, but it appears to be {found or 'something else'}")
    return declared


def extension_of(mime_type: str) -> str:
    """With its dot; empty where none is known."""
    return _EXTENSIONS.get(mime_type) or _table().guess_extension(mime_type) or ""


def _by_name(filename: str | None) -> str | None:
    dot = (filename or "").rfind(".")
    if filename is None or dot < 0:
        return None
    extension = filename[dot:].lower()
    found = _TYPES.get(extension) or _table().types_map[True].get(extension)
    # The bytes are no proof of it.
    return None if found in {PDF, *IMAGES} else found


def _is_text(head: bytes) -> bool:
    if not _TEXT_CONTROLS.isdisjoint(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The last character may be cut.
        return len(head) >= HEAD and error.start > len(head) - 4
    return True


@lru_cache(maxsize=1)
def _table() -> MimeTypes:
    import mimetypes

    # The one that comes with Python: the system's would give other answers on other machines.
    return mimetypes.MimeTypes(())
