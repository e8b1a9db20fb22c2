"""The texts that a request can hold, taken from the annotations of the request types themselves.

A place is written as the API writes it in errors, with `*` for an entry of a list and `{key}` for a key of the client's
own: `messages.*.content.*.document.source.text.data`. What lies inside a free-form object is one place.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, cast, get_args, get_origin

from typing_extensions import NoExtraItems, get_type_hints, is_typeddict

from understudy.wire.gates import Unwrapped, unwrap
from understudy.wire.requests.params import MessageCreateParams
from understudy.wire.schema import HIDDEN, Label, Limits, Tagged

KEY = "{key}"
"""The part of a place that stands for a key of the client's own."""

Kind: TypeAlias = Literal["text", "fixed"]
Make: TypeAlias = Callable[[str], Any]
_Path: TypeAlias = tuple[str, ...]
_Where: TypeAlias = tuple[str | int, ...]
_Found: TypeAlias = tuple[_Path, Kind, Make]

# The pattern of an id, and how a text begins that has to match it.
_BEGINNINGS = {"^srvtoolu_[a-zA-Z0-9_]+$": "srvtoolu_"}


@dataclass(frozen=True)
class Leaf:
    """A place for a text, and how to make the smallest request that has one there.

    `fixed`: it takes one of a few given words only.
    """

    path: str
    kind: Kind
    make: Make


@dataclass(frozen=True)
class Place:
    """A leaf of a given request: its path, and the keys and indexes that lead to it."""

    path: str
    where: _Where

    def added(self, request: dict[str, Any], word: str) -> dict[str, Any]:
        """A copy of `request` with `word` at the end of the text."""
        changed = holder = copy.deepcopy(request)
        for key in self.where[:-1]:
            holder = cast("dict[Any, Any]", holder)[key]
        holder[cast("str", self.where[-1])] += word
        return changed


def leaves() -> list[Leaf]:
    """Every leaf of every request, with every beta on."""
    return [Leaf(".".join(path), kind, make) for path, kind, make in _walk(unwrap(MessageCreateParams), ())]


def _walk(at: Unwrapped, path: _Path) -> Iterator[_Found]:
    kind, origin = at.type, get_origin(at.type)
    if origin is Union or origin is UnionType:
        for member, tag in _members(at):
            yield from _walk(member, path + tag)
    elif is_typeddict(kind):
        path += ("ephemeral",) * (kind.__name__ == "CacheControlEphemeralParam")
        for name, hint in _fields(kind).items():
            for place, leaf_kind, make in _walk(hint, (*path, name)):
                yield place, leaf_kind, _in_object(kind, name, make)
        if _open_ended(kind):
            yield (*path, KEY), "text", lambda text: {**_smallest(at), text: "a value"}
            yield (*path, KEY), "text", lambda text: {**_smallest(at), "a_key": [{"inside": text}]}
    elif origin is list:
        for place, leaf_kind, make in _walk(unwrap(get_args(kind)[0]), (*path, "*")):
            yield place, leaf_kind, _in_list(make)
    elif origin is dict:
        value = unwrap(get_args(kind)[1])
        yield (*path, KEY), "text", lambda text: {text: _smallest(value)}
        if value.type is object:
            yield (*path, KEY), "text", lambda text: {"a_key": [{"inside": text}]}
        else:
            for place, leaf_kind, make in _walk(value, (*path, KEY)):
                yield place, leaf_kind, _in_object(None, "a_key", make)
    elif origin is Literal:
        if any(isinstance(word, str) for word in get_args(kind)):
            yield path, "fixed", lambda text: text
    elif kind is str:
        beginning = _beginning(at)
        yield path, "text", lambda text: beginning + text
    elif kind is object:
        yield path, "text", lambda text: text
    elif kind not in {int, float, bool, NoneType}:
        raise TypeError(f"what can stand at {'.'.join(path)}? {kind!r}")


def places_in(request: dict[str, Any]) -> Iterator[Place]:
    """The leaves of a given request that are free text."""
    for path, where in _places(unwrap(MessageCreateParams), request, (), ()):
        yield Place(".".join(path), where)


def _places(at: Unwrapped, value: Any, path: _Path, where: _Where) -> Iterator[tuple[_Path, _Where]]:
    kind, origin = at.type, get_origin(at.type)
    if value is None:
        return
    if origin is Union or origin is UnionType:
        member, tag = next((member, tag) for member, tag in _members(at) if _fits(member, value))
        yield from _places(member, value, path + tag, where)
    elif is_typeddict(kind):
        hints = _fields(kind)
        for name, part in value.items():
            if name in hints:
                yield from _places(hints[name], part, (*path, name), (*where, name))
            else:
                yield from _texts_in(part, (*path, KEY), (*where, name))
    elif origin is list:
        for index, part in enumerate(value):
            yield from _places(unwrap(get_args(kind)[0]), part, (*path, "*"), (*where, index))
    elif origin is dict:
        item = unwrap(get_args(kind)[1])
        for name, part in value.items():
            yield from _places(item, part, (*path, KEY), (*where, name))
    elif kind is str:
        yield path, where
    elif kind is object:
        yield from _texts_in(value, path, where)


def _texts_in(value: Any, path: _Path, where: _Where) -> Iterator[tuple[_Path, _Where]]:
    """What is free-form is one place by its path, however deep its texts are."""
    if isinstance(value, str):
        yield path, where
    elif isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts_in(part, path, (*where, name))


def _fits(member: Unwrapped, value: Any) -> bool:
    kind, origin = member.type, get_origin(member.type)
    if is_typeddict(kind):
        if not isinstance(value, dict):
            return False
        hints = _fields(kind)
        known = _open_ended(kind) or all(name in hints for name in value)
        tags = _tags(kind)
        return known and (not tags or value.get("type", "custom") in tags)
    if origin is Literal:
        return value in get_args(kind)
    return isinstance(value, origin or kind)


def _members(at: Unwrapped) -> list[tuple[Unwrapped, _Path]]:
    """The members of a union but null, each with what it adds to the path."""
    members = [unwrap(member) for member in get_args(at.type)]
    # A union of the members keeps the markers of what stands around it: `str` in `Annotated[str | None, Limits(…)]`.
    members = [Unwrapped(m.type, m.markers + at.markers, m.required) for m in members if m.type is not NoneType]
    objects = [member for member in members if is_typeddict(member.type)]
    hidden = any(isinstance(marker, Tagged) and marker.hidden for marker in at.markers)
    # One object beside a string or a list shows its label if it has one; of two or more each shows its tag.
    tagged = not hidden and len(objects) > 1
    return [(m, (_tags(m.type)[0],) if tagged and m in objects else _label(m)) for m in members]


def _label(at: Unwrapped) -> _Path:
    names = (marker.name for marker in at.markers if isinstance(marker, Label))
    return tuple(name for name in names if not name.startswith(HIDDEN))


@cache
def _fields(cls: Any) -> dict[str, Unwrapped]:
    hints = get_type_hints(cls, include_extras=True)
    return {name: unwrap(hint) for name, hint in hints.items()}


def _open_ended(cls: Any) -> bool:
    return getattr(cls, "__extra_items__", NoExtraItems) is not NoExtraItems


@cache
def _tags(cls: Any) -> tuple[str, ...]:
    kind = _fields(cls).get("type")
    if kind is None or is_typeddict(kind.type):
        return ()
    members = [kind.type] if get_origin(kind.type) is Literal else get_args(kind.type)
    return tuple(word for member in members if get_origin(member) is Literal for word in get_args(member))


def _smallest(at: Unwrapped) -> Any:
    """The smallest value of a type."""
    kind, origin = at.type, get_origin(at.type)
    if origin is Union or origin is UnionType:
        members = [member for member, _ in _members(at)]
        return _smallest(next((member for member in members if member.type is str), members[0]))
    if is_typeddict(kind):
        return {name: _smallest(field) for name, field in _fields(kind).items() if field.required}
    if origin is list:
        return []
    if origin is dict:
        return {}
    if origin is Literal:
        return get_args(kind)[0]
    limits = next((marker for marker in at.markers if isinstance(marker, Limits)), Limits())
    if kind is str or kind is object:
        return _beginning(at) + "x"
    return {int: limits.ge or 1, float: 1.0, bool: True}[kind]


def _beginning(at: Unwrapped) -> str:
    limits = next((marker for marker in at.markers if isinstance(marker, Limits)), None)
    return _BEGINNINGS.get((limits and limits.pattern) or "", "")


def _in_object(cls: Any, name: str, make: Make) -> Make:
    around = {} if cls is None else _smallest(unwrap(cls))
    return lambda text: {**around, name: make(text)}


def _in_list(make: Make) -> Make:
    return lambda text: [make(text)]
