"""Lists of things in what is asked: "Paris, Rome and Oslo"."""

from __future__ import annotations

import re
from typing import Any, Final

_MOST: Final = 50

_BETWEEN: Final = r"(?:\s*,\s*(?:(?:and|or|und|et|y)\s+)?|\s*[、;]\s*|\s+(?:and|or|und|et|y|&)\s+)"
# Names of several words begin with capitals; other things are one word, or stand in quotes.
_NAME: Final = r"[A-Z\d][\w.'-]*(?:[ ][A-Z\d][\w.'-]*){0,3}"
_WORD: Final = r"[\w#@][\w.@/#'-]*"
_QUOTED: Final = r"\"[^\"\n]{1,100}\"|'[^'\n]{1,100}'|`[^`\n]{1,100}`"
_LISTS: Final = tuple(
    re.compile(rf"(?:{item})(?:{_BETWEEN}(?:{item}))+") for item in (_QUOTED, _NAME, rf"{_NAME}|{_WORD}")
)
_SPLIT: Final = re.compile(_BETWEEN)
_NONE: Final = frozenset({"also", "please", "so", "tell", "then"})
_TRIM: Final = "\"'`.?!"


def inputs_for_all(value: dict[str, Any], asked: str) -> list[dict[str, Any]]:
    """`value`, an input made from what is asked, once for each of the things among which one of its fields stands
    there; or alone."""
    for name, given in value.items():
        if isinstance(given, bool) or not isinstance(given, str | int):
            continue
        items = _beside(str(given), asked)
        if len(items) > 1:
            texts = [item for item in items if isinstance(given, str) or item.isdecimal()]
            return [{**value, name: text if isinstance(given, str) else int(text)} for text in texts][:_MOST]
    return [value]


def _beside(text: str, asked: str) -> list[str]:
    """The things of the first list that `text` stands in."""
    if not text or text not in asked:
        return []
    for pattern in _LISTS:
        for found in pattern.finditer(asked):
            items = [item.strip(_TRIM) for item in _SPLIT.split(found[0])]
            if text in items:
                return list(dict.fromkeys(item for item in items if _is_alike(item, text)))
    return []


def _is_alike(item: str, text: str) -> bool:
    """Whether it may be a thing of the same kind: what follows the list, and is none, begins otherwise."""
    if not item or item.lower() in _NONE:
        return False
    return not text[0].isupper() or not item[0].islower()
