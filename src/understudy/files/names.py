"""File names: what an upload may be called, and how a name is said in a header.

Source: the Files guide (2026-08) and SDK 2.12: 1 to 255 characters, none of < > : " | ? * \\ / or 0-31; only the last
component of a path is kept; without a name it is `unnamed` with the extension of its media type.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from understudy.files.media_types import extension_of
from understudy.wire.errors import InvalidRequestError

_MOST_CHARACTERS: Final = 255
# Beyond the documented ones: delete, what a terminal takes for commands, and what turns the direction of writing, by
# which a name is shown as another [guess].
_FORBIDDEN: Final = re.compile('[<>:"|?*\\\\/\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
_PLAIN: Final = re.compile(r"[^A-Za-z0-9 ._()+,=@~-]")
# Characters that need no escape there: RFC 8187, attr-char.
_ATTRIBUTE: Final = "!#$&+-.^_`|~"


def clean_filename(given: str | None, mime_type: str) -> str:
    """The name that is stored. Raises InvalidRequestError for one that cannot be."""
    name = re.split(r"[/\\]", given or "")[-1]
    if not name:
        return "unnamed" + extension_of(mime_type)
    # [guess] the words of all three; the first two rules are documented.
    if len(name) > _MOST_CHARACTERS:
        raise InvalidRequestError(f"filename: must have 1 to {_MOST_CHARACTERS} characters")
    if _FORBIDDEN.search(name):
        raise InvalidRequestError('filename: must not hold any of < > : " | ? * \\ / or control characters')
    if name in {".", ".."}:
        raise InvalidRequestError("filename: must be the name of a file")
    return name


def content_disposition(filename: str) -> bytes:
    """The header's value: to be saved, never shown. ASCII without quotes or line breaks, whatever the name is."""
    plain = _PLAIN.sub("_", filename)
    exact = quote(filename, safe=_ATTRIBUTE, errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}".encode("ascii")
