"""What a piece of an answer costs, where the upstream has not said it yet."""

from __future__ import annotations

from typing import Any, Final, cast

from understudy.tokens.tokenizer import count_text

# Servers stream token by token, so pieces of a stream come again and again. Characters of those that are remembered.
_LONGEST: Final = 24
_MOST: Final = 8_192

pieces: Final[dict[str, int]] = {}
"""Tokens of short texts that were estimated."""


def estimate(text: str) -> int:
    """The tokens of `text`. Half a character counts as none."""
    tokens = count_text(text if text.isascii() else text.encode("utf-8", "ignore").decode())
    if len(text) <= _LONGEST:
        if len(pieces) >= _MOST:
            pieces.clear()
        pieces[text] = tokens
    return tokens


def text_of(part: Any) -> str:
    """The texts in a part of a chunk, to be counted."""
    if isinstance(part, str):
        return part
    if isinstance(part, dict):
        named = cast("dict[str, Any]", part)
        return "".join(text_of(value) for name, value in named.items() if name not in {"id", "type"})
    if isinstance(part, list):
        return "".join(text_of(item) for item in cast("list[Any]", part))
    return ""
