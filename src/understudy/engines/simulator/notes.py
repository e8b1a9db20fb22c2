"""What one message of a conversation says, found out when it is first asked for."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias, cast

from understudy.engines.simulator.reading import asked_in, texts_of, words_said

_Block: TypeAlias = dict[str, Any]

LONGEST_SAID: Final = 4_000
"""Characters of an earlier message that are looked at."""

# Characters of a value given to a tool that may be meant again.
_LONGEST_VALUE: Final = 200


class Made(NamedTuple):
    """A call and its short values, or with no `name` the text of what it brought."""

    id: str
    name: str
    given: dict[str, Any]
    result: str


class Note:
    __slots__ = ("_calls", "_length", "_said", "_texts", "_words", "message")

    def __init__(self, message: _Block) -> None:
        self.message = message
        self._texts: list[str] | None = None
        self._length: int | None = None
        self._said: str | None = None
        self._calls: list[Made] | None = None
        self._words: frozenset[str] | None = None

    @property
    def texts(self) -> list[str]:
        if self._texts is None:
            self._texts = texts_of(self.message.get("content"))
        return self._texts

    @property
    def length(self) -> int:
        """Characters of the texts."""
        if self._length is None:
            self._length = sum(map(len, self.texts))
        return self._length

    @property
    def said(self) -> str:
        """What was said, without clients' notes where the user did; its beginning."""
        if self._said is None:
            self._said = said_in(self.message)
        return self._said

    @property
    def calls(self) -> list[Made]:
        if self._calls is None:
            self._calls = calls_in(self.message.get("content"))
        return self._calls

    @property
    def words(self) -> frozenset[str]:
        """All words of the texts, in small letters."""
        if self._words is None:
            self._words = frozenset[str]().union(*map(words_said, self.texts))
        return self._words


def said_in(message: _Block) -> str:
    content = message.get("content")
    text = asked_in(content) if message["role"] == "user" else " ".join(texts_of(content))
    return text[:LONGEST_SAID]


def calls_in(content: Any) -> list[Made]:
    found: list[Made] = []
    for block in cast("list[_Block]", content) if isinstance(content, list) else ():
        kind = block.get("type")
        if kind == "tool_use":
            found.append(Made(block["id"], block["name"], _short_values(block["input"]), ""))
        elif kind == "tool_result":
            found.append(Made(block["tool_use_id"], "", {}, " ".join(texts_of([block]))[:LONGEST_SAID]))
    return found


def _short_values(given: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in given.items()
        if isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= _LONGEST_VALUE)
    }
