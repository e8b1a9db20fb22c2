"""Another model's name in a body, with every other byte as it was."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from understudy.wire.json_text import to_json

_KEY: Final = b'"model"'
_BACKSLASH: Final = 0x5C
_VALUE: Final = re.compile(rb'[ \t\r\n]*:[ \t\r\n]*("(?:[^"\\]|\\.)*")')
# The letters of `model` written as escapes, in which the key might hide.
_ESCAPED: Final = re.compile(rb"\\u00(?:6[dfc45DFC])")


def with_model(body: bytes, parsed: dict[str, Any], model: str) -> bytes:
    """`body`, a JSON object that parsed to `parsed`, with another value of its member `model`.

    Where the place cannot be told for certain (a tool's input may hold a `model` too) the object is written anew: the
    order of keys and unknown members stay; spaces, repeated keys and numbers beyond 64 bits do not. Raises
    InvalidRequestError where it is nested too deeply for that.
    """
    spliced = splice_model(body, model)
    return to_json({**parsed, "model": model}).encode() if spliced is None else spliced


def splice_model(text: bytes, model: str) -> bytes | None:
    """JSON text with another value of its only string member `model`, at whatever depth; every other byte stays.

    None where there is not exactly one. In JSON `"model"` whose first quote is not escaped is always a whole string, so
    the members are found without reading what is around them; none may hide behind escapes either, for then somebody
    else might take another value than we do.
    """
    found: tuple[int, int] | None = None
    # From the end: Python looks several times as fast that way, and a long body is all looking.
    at = text.rfind(_KEY)
    while at >= 0:
        if not at or text[at - 1] != _BACKSLASH:
            match = _VALUE.match(text, at + len(_KEY))
            if match is not None:
                if found is not None:
                    return None
                found = match.span(1)
        at = text.rfind(_KEY, 0, at + len(_KEY) - 1)
    if found is None:
        return None
    # One byte is looked for twenty times as fast as several, and texts without any escape are long, too.
    if text.find(b"\\") >= 0 and text.rfind(b"\\u006") >= 0 and _ESCAPED.search(text) is not None:
        return None
    # Views, since a slice of bytes is one more copy of a long body.
    view = memoryview(text)
    return b"".join((view[: found[0]], orjson.dumps(model), view[found[1] :]))
