"""What was found out about the messages of a conversation, kept for its next request: most of them come again.

A conversation is known by the very objects of its messages, which the server keeps of bytes that it has read before.
What is kept of one tenant's serves no other.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final, TypeAlias, cast

from understudy.engines.simulator.notes import Note
from understudy.engines.simulator.prefixes import Prefix

_Block: TypeAlias = dict[str, Any]

FEWEST: Final = 4
"""Messages of a conversation that is worth keeping."""

_KEPT: Final = 32
# Tokens of the prompts that are kept, of one and of all together; a token is some four characters.
_LARGEST: Final = 150_000
_MOST_TOKENS: Final = 1_000_000
# A conversation that has come back so often is worth knowing by its words.
_OFTEN: Final = 6


class History:
    """The notes of a request's messages. `known` is how many of them were there in the request before.

    `plain`: no message is a summary, says which tools there are, or is of the system.
    """

    __slots__ = ("_length", "_special", "_system", "_told", "_words", "known", "notes", "prefix", "times", "tokens")

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.known = 0
        self.times = 0
        self.tokens = 0
        self.prefix = Prefix()
        self._special = bytearray()
        self._system: Note | None = None
        # The words and characters of the first messages, so many as are told.
        self._words: set[str] = set()
        self._length = self._told = 0

    @property
    def plain(self) -> bool:
        return not any(self._special)

    def take(self, messages: list[_Block]) -> None:
        """Keeps the notes of the messages that begin a request as they began the one before."""
        notes = self.notes
        known = 0
        for note, message in zip(notes, messages, strict=False):
            if note.message is not message:
                break
            known += 1
        del notes[known:], self._special[known:]
        if known < self._told:
            self._words, self._length, self._told = set(), 0, 0
        for message in messages[known:]:
            notes.append(Note(message))
            self._special.append(_is_special(message))
        self.known = known
        self.times += 2 * known >= len(messages)

    def system(self, system: Any) -> Note:
        """The note of the system prompt."""
        if self._system is None or self._system.message["content"] is not system:
            self._system = Note({"role": "system", "content": system})
        return self._system

    def background(self, first: int, last: int, system: Any) -> list[str]:
        """The texts of the messages behind `last`, then of those before `first`, newest first, then of `system`."""
        found: list[str] = []
        for note in self.notes[last:]:
            found += note.texts
        for note in reversed(self.notes[:first]):
            found += note.texts
        return found + self.system(system).texts

    def may_say(self, wanted: set[str], least: float, first: int, system: Any, longest: int) -> bool:
        """Whether so many of the words may stand before the message `first`, or in `system`, as far as is known;
        nothing is of more than `longest` characters."""
        if self.times < _OFTEN or self._told > first:
            return True
        for note in self.notes[self._told : first]:
            self._words |= note.words
            self._length += note.length
        self._told = first
        prompt = self.system(system)
        # How a final sigma is written small hangs on what stands behind it.
        if self._length + prompt.length > longest or "Σ" in self._words or "Σ" in prompt.words:
            return True
        return sum(word in self._words or word in prompt.words for word in wanted) >= least


_kept: OrderedDict[tuple[str | None, int], History] = OrderedDict()


def history_of(tenant: str | None, messages: list[_Block], tokens: int) -> History | None:
    """What is known of a conversation whose prompt has about so many tokens; None where it is short, or very long."""
    if len(messages) < FEWEST or tokens > _LARGEST:
        return None
    # As long as a message is kept, no other has its id.
    key = (tenant, id(messages[0]))
    history = _kept.get(key)
    if history is None:
        history = _kept[key] = History()
    else:
        _kept.move_to_end(key)
    history.take(messages)
    history.tokens = tokens
    while len(_kept) > _KEPT or sum(one.tokens for one in _kept.values()) > _MOST_TOKENS:
        _kept.popitem(last=False)
    return history


def kept_history(tenant: str | None, messages: list[_Block]) -> History | None:
    """What is kept of just these messages."""
    history = _kept.get((tenant, id(messages[0]))) if messages else None
    if history is None or len(history.notes) != len(messages) or history.notes[-1].message is not messages[-1]:
        return None
    return history


def _is_special(message: _Block) -> bool:
    content = message.get("content")
    if message["role"] == "system":
        return True
    for block in cast("list[_Block]", content) if isinstance(content, list) else ():
        inner = block.get("content")
        if block["type"] in {"compaction", "tool_addition", "tool_removal"} or isinstance(inner, dict):
            return True
        parts = cast("list[_Block]", inner) if isinstance(inner, list) else []
        if any(part.get("type") == "tool_reference" for part in parts):
            return True
    return False
