"""Checking a body with very long lists in slices, with the same verdict as checking it at once.

pydantic holds the interpreter while it works: 60,000 blocks take it 50 ms, in which no stream gets its next event. The
lists that may be so long are `tools`, `messages`, `system` and the content of a message. Each is checked some items at
a time, the rest of the body standing in for it, and the faults are picked in the order in which the whole would give
them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeAlias, cast

from pydantic_core import ErrorDetails

from .validation import Validator

Pause: TypeAlias = Callable[[], Awaitable[None]]

SLICE: Final = 2_000
"""Items that are checked at once: about 2 ms."""

# The order in which top-level fields are reported (observed); all others come later.
_RANK: Final = {"model": 0, "tool_choice": 1, "tools": 2, "messages": 3, "system": 4}
_LAST: Final = 5
_STUBS: Final[dict[str, Any]] = {
    "tools": [],
    "messages": [{"role": "user", "content": "x"}],
    "system": [],
}

_Object: TypeAlias = dict[str, Any]

# More than these are refused, which costs little: pydantic stops at the first that is too many.
_MOST_MESSAGES: Final = 100_000


def long_fields(body: object, most: int = SLICE) -> list[str]:
    """The fields of a parsed body whose lists are worth slicing, in the order in which they are reported."""
    if not isinstance(body, dict):
        return []
    fields = cast("_Object", body)
    found = [name for name in ("tools", "system") if _length(fields.get(name)) > most]
    messages = fields.get("messages")
    if isinstance(messages, list) and len(cast("list[object]", messages)) <= _MOST_MESSAGES:
        items = 0
        for message in cast("list[object]", messages):
            content = cast("_Object", message).get("content") if isinstance(message, dict) else None
            items += 1 + _length(content)
        if items > most:
            found.append("messages")
    return sorted(found, key=_RANK.__getitem__)


def _length(value: object) -> int:
    return len(cast("list[object]", value)) if isinstance(value, list) else 0


async def check_in_slices(
    validator: Validator,
    body: object,
    mid_conversation_system: Callable[[str], bool],
    pause: Pause,
    most: int = SLICE,
) -> None:
    """What `validator.check` does, with a pause after every `most` items. Raises the same error."""
    names = long_fields(body, most)
    if not names:
        validator.check(body, mid_conversation_system)
        return
    whole = cast("_Object", body)
    skeleton = {name: _STUBS[name] if name in names else value for name, value in whole.items()}
    fault = validator.fault(skeleton)
    for name in names:
        if fault is not None and _rank(fault) < _RANK[name]:
            break
        await pause()
        # Nothing but the field in question can be at fault now, or it is reported later.
        base = {"model": "m", "max_tokens": 1, "messages": _STUBS["messages"]}
        found = None
        slices = _messages(whole[name], most) if name == "messages" else _items(whole[name], most)
        for part, place in slices:
            found = validator.fault({**base, name: part})
            if found is not None and found["loc"][0] == name:
                found["loc"] = place(found["loc"])
                break
            found = None
            await pause()
        if found is not None:
            fault = found
            break
    if fault is not None:
        validator.refuse(fault, whole, mid_conversation_system)


def _rank(fault: ErrorDetails) -> int:
    return _RANK.get(str(fault["loc"][0]), _LAST) if fault["loc"] else -1


_Loc: TypeAlias = tuple[int | str, ...]
_Slice: TypeAlias = tuple[list[Any], Callable[[_Loc], _Loc]]


def _items(items: list[Any], most: int) -> Iterator[_Slice]:
    for start in range(0, len(items), most):
        yield items[start : start + most], _moved(start, _first_number)


def _first_number(loc: _Loc) -> int:
    return next(place for place, part in enumerate(loc) if isinstance(part, int))


def _moved(by: int, where: Callable[[_Loc], int]) -> Callable[[_Loc], _Loc]:
    """Adds `by` to the number that stands at `where(loc)`."""

    def move(loc: _Loc) -> _Loc:
        place = where(loc)
        return (*loc[:place], cast("int", loc[place]) + by, *loc[place + 1 :])

    return move


def _messages(messages: list[Any], most: int) -> Iterator[_Slice]:
    """Runs of messages that are short together; a message with long content by itself, its content in runs."""
    start = size = 0
    for index, message in enumerate(messages):
        content = cast("_Object", message).get("content") if isinstance(message, dict) else None
        length = _length(content)
        if size and (size + 1 + length > most):
            yield messages[start:index], _moved(start, _first_number)
            start, size = index, 0
        if length <= most:
            size += 1 + length
            continue
        # A wrong role is told before the content, all else that is wrong with the message after it.
        whole, blocks = cast("_Object", message), cast("list[Any]", content)
        role = {name: whole[name] for name in ("role",) if name in whole}
        for begin in range(0, length, most):
            yield [{**role, "content": blocks[begin : begin + most]}], _in_content(index, begin)
        yield [{**whole, "content": "x"}], _moved(index, _first_number)
        start, size = index + 1, 0
    if size:
        yield messages[start:], _moved(start, _first_number)


def _in_content(index: int, begin: int) -> Callable[[_Loc], _Loc]:
    def move(loc: _Loc) -> _Loc:
        numbers = [place for place, part in enumerate(loc) if isinstance(part, int)]
        moved = list(loc)
        moved[numbers[0]] = index
        if len(numbers) > 1 and "content" in loc[numbers[0] : numbers[1]]:
            moved[numbers[1]] = cast("int", loc[numbers[1]]) + begin
        return tuple(moved)

    return move
