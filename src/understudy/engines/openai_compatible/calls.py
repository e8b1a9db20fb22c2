"""Calls of tools as they come in pieces: whose piece it is, and when the input is whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from understudy.engines.openai_compatible.errors import UpstreamError

Fields = dict[str, Any]


@dataclass(slots=True)
class Call:
    """`waiting` is input that has not been passed on; `given` what has been."""

    id: str | None = None
    name: str | None = None
    opened: bool = False
    waiting: list[str] = field(default_factory=list[str])
    given: list[str] = field(default_factory=list[str])
    _whole: bool = False

    def add(self, name: object, arguments: object) -> None:
        if self.name is None and isinstance(name, str) and name:
            # Half a character could not be written down again.
            self.name = name if name.isascii() else name.encode("utf-8", "replace").decode()
        if arguments is None or arguments == "":
            return
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        if self._whole and text.strip():
            raise UpstreamError("The model's server sent more of a tool's input than there can be.")
        self.waiting.append(text)

    def ready(self) -> str:
        """Input that may be passed on: as soon as it is known to begin as an object."""
        if not self.waiting:
            return ""
        text = "".join(self.waiting)
        if not self.given and not text.lstrip().startswith("{"):
            return ""
        self.waiting.clear()
        self.given.append(text)
        return text

    def whole(self) -> bool:
        """Whether the input is an object that has ended, so that nothing can follow."""
        if not self._whole and self.given and self.given[-1].rstrip().endswith("}"):
            self._whole = isinstance(_parsed("".join(self.given)), dict)
        return self._whole

    def breaks_off(self) -> bool:
        """Whether the input has begun as an object and not ended as one."""
        text = "".join([*self.given, *self.waiting])
        return text.lstrip().startswith("{") and not isinstance(_parsed(text), dict)

    def end(self, *, cut: bool) -> str:
        """The rest of the input when no more comes. `cut`: it may stay unfinished.

        Raises UpstreamError where the input can be no object.
        """
        if not self.given:
            return self._held(cut=cut)
        if cut or self.whole():
            return ""
        text = "".join(self.given)
        closing = _closing(text)
        if not isinstance(_parsed(text + closing), dict):
            raise UpstreamError(f"The model called {self.name} with an input that is no JSON object.")
        return closing

    def _held(self, *, cut: bool) -> str:
        """Input that does not begin as an object: none at all, or one that was made a string once too often."""
        text = "".join(self.waiting).strip()
        self.waiting.clear()
        if not text or text == "null" or cut:
            return ""
        value = _parsed(text)
        if isinstance(value, str):
            if not value.strip():
                return ""
            value = _parsed(value)
        if not isinstance(value, dict):
            raise UpstreamError(f"The model called {self.name} with an input that is no JSON object.")
        return orjson.dumps(value).decode()


class Calls:
    """Finds the call that a piece belongs to. Servers number them, name them by id, or do neither."""

    __slots__ = ("_by_id", "_by_index", "_last")

    def __init__(self) -> None:
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}
        self._last: Call | None = None

    def find(self, piece: Fields) -> tuple[Call, bool]:
        """The call, and whether it is a new one."""
        index, id_ = piece.get("index"), piece.get("id")
        function = _fields(piece.get("function"))
        named = bool(function.get("name"))
        identity = id_ if isinstance(id_, str) and id_ else None
        if isinstance(index, int):
            known = self._by_index.get(index)
        elif identity is not None:
            known = self._by_id.get(identity)
            if known is None and not named:
                known = self._last
        else:
            known = self._last
        if known is not None and named and self._another(known, identity, function):
            known = None
        new = known is None
        call = Call(id=identity) if known is None else known
        if call.id is None:
            call.id = identity
        if isinstance(index, int):
            self._by_index[index] = call
        if identity is not None:
            self._by_id[identity] = call
        self._last = call
        return call, new

    def _another(self, known: Call, identity: str | None, function: Fields) -> bool:
        """Whether a piece with a name begins another call, though its number or place is that of `known`."""
        if identity is not None and known.id is not None:
            return identity != known.id
        if known.name is None:
            return False
        return bool(function.get("arguments")) and isinstance(_parsed("".join([*known.given, *known.waiting])), dict)


def _fields(value: Any) -> Fields:
    return cast("Fields", value) if isinstance(value, dict) else {}


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _closing(text: str) -> str:
    """What ends the strings and brackets that `text` leaves open."""
    open_brackets: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "{[":
            open_brackets.append("}" if character == "{" else "]")
        elif character in "}]" and open_brackets:
            open_brackets.pop()
    return '"' * in_string + "".join(reversed(open_brackets))
