"""What the other texts change in values that are found: the way back, a path's folders, an id's beginning."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from .hints import Hint
from .making import MISSING
from .merging import Schema
from .tokens import Value
from .values import Text, read_text

_WAY_BACK: Final = re.compile(
    r"(?i)\b(?:(?:the|my|our|a) (?:way|trip|journey|train|flight|leg|ride) (?:back|home)|"
    r"the way back|return (?:trip|journey|flight|leg|train|ticket)|"
    r"the (?:return|reverse)|other way (?:round|around)|(?:in )?the (?:other|opposite) direction|"
    r"and back\b|vice versa|"
    r"zurück|rückfahrt|rückflug|la vuelta|de vuelta|le retour|il ritorno)"
)
_CREATED: Final = re.compile(
    r"(?i)\b(?:created|added|opened|drafted|draft|saved|submitted|registered|booked|new|placed|filed)\b"
)
_PREFIXED: Final = re.compile(r"\b([A-Za-z]{1,6}[-_]?)(\d{1,8})\b")


def head_of(ask: str, context: Sequence[str]) -> int:
    """Where the new words of an ask end that goes on with what was asked before; its length where it does not."""
    head, _, tail = ask.partition("\n")
    tail = tail.strip()
    if tail and any(tail in other for other in context[1:]) and tail not in context[0]:
        return len(head)
    return len(ask)


def turned(hints: list[Hint], filled: Schema, head: str) -> None:
    """The way back goes from where the way there went to."""
    if _WAY_BACK.search(head) is None:
        return
    starts = [one for one in hints if one.side == "from" and isinstance(filled.get(one.name), str)]
    ends = [one for one in hints if one.side == "to" and isinstance(filled.get(one.name), str)]
    for start in starts:
        for end in ends:
            mine, theirs = filled[start.name], filled[end.name]
            plain = not any(char.isdigit() for char in mine + theirs)
            if plain and mine.lower() not in head.lower() and theirs.lower() not in head.lower():
                filled[start.name], filled[end.name] = theirs, mine
                return


def whole_path(one: Hint, value: str, context: Sequence[str]) -> str:
    """A file that is named without its folders, with those that an earlier text names."""
    if "/" in value or "." not in value or one.kinds.get("path", 0) < 22:
        return value
    found: set[str] = set()
    for other in context[1:6]:
        if re.search(rf"(?<![\w/.-]){re.escape(value)}(?![\w/])", other[:6000]):
            return value
        found |= set(re.findall(rf"(?<![\w/.-])((?:/?[\w.@-]+/)+{re.escape(value)})(?![\w/])", other[:6000]))
    return found.pop() if len(found) == 1 else value


def prefixed(value: str, ask: str, context: Sequence[str]) -> str:
    """A bare number as the earlier ids of the same length are written: "and 381?" after M-377."""
    if not value.isdigit():
        return value
    for other in (ask, *context[1:3]):
        beginnings = {match[1] for match in _PREFIXED.finditer(other[:6000]) if len(match[2]) == len(value)}
        if len(beginnings) == 1:
            return beginnings.pop() + value
    return value


def created(
    missing: list[Hint], text: Text, context: Sequence[str], convert: Callable[[Hint, Value], Any], filled: Schema
) -> None:
    """The id of what was just made goes before a bare number: "season 2 episode 5, then publish it"."""
    if len(context) < 2 or "id" in text.by_kind or len(context[1]) > 400 or _CREATED.search(context[1]) is None:
        return
    ids = [value for value in read_text(context[1]).by_kind.get("id", ()) if not value.text.isdigit()]
    for one in missing:
        if one.identifies and "string" in one.types and len(ids) == 1:
            made = convert(one, ids[0])
            if made is not MISSING:
                filled[one.name] = made


def finish(hints: list[Hint], ask: str, head: int, context: Sequence[str], filled: Schema) -> None:
    """Changes what is found as the texts before say. `head`: where the new words of the ask end."""
    for one in hints:
        value = filled.get(one.name)
        if isinstance(value, str) and "string" in one.types:
            value = whole_path(one, value, context)
            filled[one.name] = prefixed(value, ask, context) if head < len(ask) and one.identifies else value
    turned(hints, filled, ask[:head])
