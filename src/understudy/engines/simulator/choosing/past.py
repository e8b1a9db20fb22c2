"""What the calls of the turns before say of the tools: which were used, with which values, and what they brought."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.words import GENERIC, Token

Made = Sequence[tuple[str, dict[str, Any], str]]

_MOST_MADE = 6
_KEY = re.compile(r'"(\w+)"\s*:')
_KEY_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_SHAPE = ((re.compile(r"[A-Z]+"), "A"), (re.compile(r"[a-z]+"), "a"), (re.compile(r"\d+"), "9"))
_VALUES = frozenset(("id", "code", "number", "time", "date", "name", "path"))


class Past:
    """The calls made before, oldest first, beside the tools offered now: read once for all that is weighed of a turn.

    The columns have a number for each tool, by place: `brought` how new the result is that has what the tool needs,
    `last` and `made_before` whether the tool was called.
    """

    def __init__(self, offer: Offer, made: Made) -> None:
        made = made[-_MOST_MADE:]
        self.any = bool(made)
        self.names = [offered.tool.name for offered in offer.tools]
        self._values: dict[str, set[str]] = {}
        self._shapes: dict[str, set[str]] = {}
        self.nothing = [0.0] * len(self.names)
        self.brought = self.last = self.made_before = self.nothing
        if not made:
            return
        brought = self._read(made)
        used = {name for name, _, _ in made}
        self.last = [float(name == made[-1][0]) for name in self.names]
        self.made_before = [float(name in used) for name in self.names]
        if brought:
            self.brought = [
                max((brought.get(word, 0.0) for word in traits.lacked), default=0.0)
                for traits in offer.matters().traits
            ]

    def _read(self, made: Made) -> dict[str, float]:
        """What the results have brought, by stem; the values given are kept."""
        stem = lexicon().stem
        brought: dict[str, float] = {}
        for age, (name, given, result) in enumerate(reversed(made), 1):
            for key in _KEY.findall(result[:4_000]):
                for part in _KEY_PART.findall(key):
                    word = stem(part.lower())
                    if word not in GENERIC:
                        brought.setdefault(word, 1.0 / age)
            for value in given.values():
                if isinstance(value, str | int) and not isinstance(value, bool):
                    text = str(value)[:40]
                    self._values.setdefault(text.lower(), set()).add(name)
                    if not text.isalpha():
                        self._shapes.setdefault(_shape(text), set()).add(name)
        return brought

    def same(self, values: Sequence[Token]) -> tuple[list[float], list[float]]:
        """Whether each tool was called with one of the values said now, and with one that looks like it."""
        said = [token.text for token in values if token.kind in _VALUES] if self._values else []
        if not said:
            return self.nothing, self.nothing
        told: set[str] = set()
        alike: set[str] = set()
        for text in said:
            told |= self._values.get(text.lower(), set())
            if not text.isalpha():
                alike |= self._shapes.get(_shape(text), set())
        return [float(name in told) for name in self.names], [float(name in alike) for name in self.names]


def _shape(text: str) -> str:
    """A text with its runs of letters and digits as one sign each: codes of one sort look alike."""
    for pattern, sign in _SHAPE:
        text = pattern.sub(sign, text)
    return text
