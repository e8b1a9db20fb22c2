"""Texts that match a regular expression: the common subset, in the spelling of ECMA-262.

Look-around and back references are passed over; whether the text really matches is for the validator to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from understudy.engines.simulator.seeded import Seeded

MOST_READ: Final = 2_000
MOST_LONG: Final = 4_000
_PRINTABLE: Final = "".join(map(chr, range(32, 127)))
_DIGITS: Final = "0123456789"
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_WORD: Final = _LOWER + _LOWER.upper() + _DIGITS + "_"
_CLASSES: Final = {"d": _DIGITS, "w": _WORD, "s": " ", "h": " "}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}


@dataclass(slots=True)
class _Chars:
    options: str


@dataclass(slots=True)
class _Repeat:
    part: _Node
    least: int
    most: int


@dataclass(slots=True)
class _Group:
    """Alternatives, each a sequence."""

    options: list[list[_Node]]


_Node: TypeAlias = "_Chars | _Repeat | _Group"


class PatternError(ValueError):
    """The pattern is outside of the subset."""


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.place = 0
        self.depth = 0

    def _next(self) -> str:
        return self.pattern[self.place : self.place + 1]

    def group(self) -> _Group:
        self.depth += 1
        if self.depth > 40:
            raise PatternError("too deep")
        options: list[list[_Node]] = [[]]
        while (char := self._next()) not in ("", ")"):
            if char == "|":
                self.place += 1
                options.append([])
                continue
            part = self._part()
            if part is not None:
                options[-1].append(self._repeated(part))
        self.depth -= 1
        return _Group(options)

    def _part(self) -> _Node | None:
        char = self._next()
        self.place += 1
        if char in "^$":
            return None
        if char == "(":
            return self._parenthesis()
        if char == "[":
            return _Chars(self._set())
        if char == ".":
            return _Chars(_LOWER)
        if char == "\\":
            return self._escape()
        return _Chars(char)

    def _parenthesis(self) -> _Node | None:
        looking = False
        if self.pattern.startswith("?", self.place):
            rest = self.pattern[self.place : self.place + 3]
            if rest.startswith("?:"):
                self.place += 2
            elif rest[:2] in ("?=", "?!") or rest in ("?<=", "?<!"):
                looking = True
                self.place += 3 if rest.startswith("?<") else 2
            elif rest.startswith(("?<", "?P<")):
                self.place = self.pattern.find(">", self.place) + 1
                if not self.place:
                    raise PatternError("group name")
            else:
                close = self.pattern.find(":", self.place)
                end = self.pattern.find(")", self.place)
                if close < 0 or (0 <= end < close):
                    self.place = end + 1
                    return None
                self.place = close + 1
        inner = self.group()
        if self._next() != ")":
            raise PatternError("parenthesis")
        self.place += 1
        return None if looking else inner

    def _escape(self) -> _Node | None:
        char = self._next()
        self.place += 1
        if char in ("b", "B", "A", "z", "Z"):
            return None
        return _Chars(self._escaped(char) or "a")

    def _escaped(self, char: str) -> str:
        """The characters that an escape outside or inside of a set stands for."""
        if char in _CLASSES:
            return _CLASSES[char]
        if char.lower() in _CLASSES and char.isalpha():
            return "".join(other for other in _PRINTABLE if other not in _CLASSES[char.lower()]) or "a"
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in ("x", "u"):
            digits = self.pattern[self.place : self.place + (2 if char == "x" else 4)]
            if digits.startswith("{"):
                end = self.pattern.find("}", self.place)
                digits = self.pattern[self.place + 1 : end]
                self.place = end + 1
            else:
                self.place += len(digits)
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise PatternError("escape") from None
        if char in ("p", "P") and self._next() == "{":
            end = self.pattern.find("}", self.place)
            name = self.pattern[self.place + 1 : end]
            self.place = end + 1
            if name.startswith(("N", "Decimal")):
                return _DIGITS
            return _LOWER.upper() if name.startswith(("Lu", "Upper")) else _LOWER
        if char.isdigit():
            raise PatternError("back reference")
        return char

    def _set(self) -> str:
        negated = self._next() == "^"
        self.place += negated
        found: list[str] = []
        first = True
        while True:
            char = self._next()
            if not char:
                raise PatternError("set")
            self.place += 1
            if char == "]" and not first:
                break
            first = False
            if char == "\\":
                escape = self._next()
                self.place += 1
                char = "\b" if escape == "b" else self._escaped(escape)
            if (
                len(char) == 1
                and self._next() == "-"
                and self.pattern[self.place + 1 : self.place + 2] not in ("]", "")
            ):
                self.place += 1
                last = self._next()
                self.place += 1
                if last == "\\":
                    last = self._escaped(self._next())
                    self.place += 1
                if len(last) != 1 or last < char:
                    raise PatternError("range")
                found.append("".join(map(chr, range(ord(char), min(ord(last), ord(char) + 200) + 1))))
            else:
                found.append(char)
        chosen = "".join(found)
        if not negated:
            return chosen
        barred = set(chosen)
        return "".join(char for char in _LOWER + _WORD + _PRINTABLE if char not in barred) or "é"

    def _repeated(self, part: _Node) -> _Node:
        char = self._next()
        least, most = 1, 1
        if char and char in "*+?":
            self.place += 1
            least, most = {"*": (0, 8), "+": (1, 8), "?": (0, 1)}[char]
        elif char == "{":
            end = self.pattern.find("}", self.place)
            inside = self.pattern[self.place + 1 : end].split(",") if end > 0 else []
            if not inside or not inside[0].strip().isdigit() or len(inside) > 2:
                return part
            self.place = end + 1
            least = min(int(inside[0]), MOST_LONG)
            most = least
            if len(inside) == 2:
                most = min(int(inside[1]), MOST_LONG) if inside[1].strip().isdigit() else least + 8
        else:
            return part
        if self._next() in ("?", "+") and self._next():
            self.place += 1
        return _Repeat(part, least, max(least, most))


def text_matching(pattern: str, seeded: Seeded, more: int = 0) -> str:
    """A text for `pattern`; `more` asks the open repetitions for so many rounds beyond the fewest.

    Raises PatternError where the pattern is longer than 2,000 characters or outside of the subset.
    """
    if len(pattern) > MOST_READ:
        raise PatternError("too long")
    reader = _Reader(pattern)
    tree = reader.group()
    if reader.place < len(pattern):
        raise PatternError("parenthesis")
    made: list[str] = []
    _write(tree, seeded, more, made, [MOST_LONG])
    return "".join(made)


def _write(node: _Node, seeded: Seeded, more: int, made: list[str], left: list[int]) -> None:
    if left[0] <= 0:
        return
    if isinstance(node, _Chars):
        left[0] -= 1
        made.append(seeded.choice(node.options) if node.options else "")
    elif isinstance(node, _Repeat):
        # A repetition inside of one that is empty costs a step, too.
        for _ in range(min(node.most, node.least + more)):
            left[0] -= 1
            if left[0] <= 0:
                break
            _write(node.part, seeded, more, made, left)
    else:
        for part in node.options[0] if len(node.options) == 1 else seeded.choice(node.options):
            _write(part, seeded, more, made, left)
