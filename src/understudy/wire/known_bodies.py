"""Bodies that go on from one that came before: agents send their whole conversation again with every turn.

What two bodies share is compared as bytes, which takes a thousandth of the time of parsing it. Only the messages that
are new are parsed; all else is the very same objects as before, which nobody may change. So what a later stage found
out about the beginning of a conversation still holds, and can be noted with it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from itertools import pairwise
from json import JSONDecoder
from typing import Any, Final, TypeAlias, cast

import orjson

_Object: TypeAlias = dict[str, Any]

_MESSAGES: Final = "messages"

# Bytes. Shorter bodies are parsed sooner than they are looked up; of longer ones few would fill the memory.
_SHORTEST: Final = 8 * 1024
_LONGEST: Final = 1024 * 1024
_MOST_BYTES: Final = 8 * 1024 * 1024

# Commas, quotes and brackets of a text that is cut; more would take longer than others can wait.
_MOST_PARTS: Final = 60_000
_MOST_MESSAGES: Final = 4_096

# Bodies are looked for among those of the same owner that begin with the same bytes.
_BEGINNING: Final = 192
_MOST_ALIKE: Final = 16
_MOST_SEEN: Final = 4_096
# A body that takes back fewer messages of another than this goes on from it; no better one is looked for.
_TAKEN_BACK: Final = 3

# A stage's notes of one conversation, and before how many of its last messages they are taken.
_MOST_NOTES: Final = 8
_LAST: Final = 4

_SPACE: Final = " \t\n\r"
# The value that begins at a place of a text, and where it ends; ValueError where there is none.
_scan: Final[Callable[[str, int], tuple[Any, int]]] = JSONDecoder().raw_decode


class KnownBody:
    """A body that is remembered. Its messages up to any one of them are the same objects as in the body it goes on
    from, and so is all beside its messages.

    Notes are what a stage found out about the first messages together with all that is no message.
    """

    __slots__ = ("_notes", "body", "head", "segments", "size", "tail")

    def __init__(self, body: _Object, head: bytes, segments: list[bytes], tail: bytes, size: int) -> None:
        """`segments`: the text of each message, with the comma before it, between `head` and `tail`."""
        self.body = body
        self.head = head
        self.segments = segments
        self.tail = tail
        self.size = size
        self._notes: dict[Hashable, dict[int, Any]] = {}

    def parsed(self) -> _Object:
        """Its JSON value. Only its outermost members may be changed."""
        return {**self.body}

    def note(self, stage: Hashable, messages: int, what: Any) -> None:
        """Note what holds of the first so many messages. `what` is not to be changed afterwards."""
        notes = self._notes.setdefault(stage, {})
        notes[messages] = what
        if len(notes) > _MOST_NOTES:
            del notes[min(filter(None, notes))]

    def worth_noting(self, after: int = -1) -> frozenset[int]:
        """Of how many first messages, beyond `after`, notes are worth taking: of none, which serves other conversations
        with the same tools, and of nearly all and all, for the next turn may take some back."""
        messages = len(self.segments)
        return frozenset(place for place in (0, *range(max(messages - _LAST, 1), messages + 1)) if place > after)

    def noted(self, stage: Hashable) -> tuple[int, Any]:
        """The note about the most messages, and how many they are; 0 and None where there is none. One about 0 messages
        is about what stands beside them alone."""
        notes = self._notes.get(stage)
        if not notes:
            return 0, None
        messages = max(notes)
        return messages, notes[messages]

    def after(self, body: _Object, shared: int, segments: list[bytes], size: int) -> KnownBody:
        """One that has the first `shared` messages of this one, then others."""
        known = KnownBody(body, self.head, self.segments[:shared] + segments, self.tail, size)
        for stage, notes in self._notes.items():
            kept = {messages: what for messages, what in notes.items() if messages <= shared}
            if kept:
                known._notes[stage] = kept
        return known


class Notes:
    """One stage's notes of a body; none where it is not known. `begun` is what it goes on from, which tells of the
    `first` messages; None where it begins anew. `worth`: of how many first messages notes are worth taking now.
    """

    __slots__ = ("_known", "_stage", "begun", "first", "worth")

    def __init__(self, known: KnownBody | None, stage: Hashable, serves: Callable[[int, Any], bool]) -> None:
        """`serves` says whether a note, which tells of so many messages, is any use for this request."""
        self._known = known
        self._stage = stage
        self.begun: Any = None
        self.first = 0
        self.worth: Collection[int] = ()
        if known is not None:
            first, begun = known.noted(stage)
            if begun is not None and serves(first, begun):
                self.first, self.begun = first, begun
            self.worth = known.worth_noting(-1 if self.begun is None else self.first)

    def take(self, messages: int, what: Any) -> None:
        """Note what holds of the first so many messages. `what` is not to be changed afterwards."""
        if self._known is not None:
            self._known.note(self._stage, messages, what)


UNKNOWN: Final = Notes(None, None, lambda _, begun: False)
"""Those of a body that is not known."""


class _Alike:
    """Known bodies of an owner that begin alike, the newest first. `missed`: how many in a row went on from none."""

    __slots__ = ("known", "missed")

    def __init__(self) -> None:
        self.known: list[KnownBody] = []
        self.missed = 0


class KnownBodies:
    """Remembers the last bodies, of each owner apart."""

    def __init__(self, shortest: int = _SHORTEST, most_bytes: int = _MOST_BYTES) -> None:
        self._shortest = shortest
        self._most_bytes = most_bytes
        self._bytes = 0
        # Those that were not looked for the longest come first.
        self._alike: OrderedDict[Hashable, _Alike] = OrderedDict()
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def find(self, text: bytes, owner: Hashable) -> KnownBody | None:
        """What is known of a body; None for one that is to be parsed."""
        if not self._shortest <= len(text) <= _LONGEST:
            return None
        key = (owner, text[:_BEGINNING])
        alike = self._alike.get(key)
        if alike is None:
            # Of a body whose like never comes again, nothing is worth remembering.
            if key in self._seen:
                return self._learn(key, text)
            self._seen[key] = None
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
            return None
        self._alike.move_to_end(key)
        best, most, place = None, -1, 0
        for known in alike.known:
            shared, end = _shared(known, text)
            if shared > most:
                best, most, place = known, shared, end
                if shared > len(known.segments) - _TAKEN_BACK:
                    break
        found = None if best is None else _gone_on(best, most, text, place)
        if found is not None:
            alike.missed = 0
            if found is not best:
                self._remember(key, found)
            return found
        # Cutting a body takes three times as long as parsing it: the more were cut in vain, the fewer are.
        alike.missed += 1
        return None if alike.missed & (alike.missed - 1) else self._learn(key, text)

    def _learn(self, key: Hashable, text: bytes) -> KnownBody | None:
        known = learned(text)
        if known is not None:
            self._remember(key, known)
        return known

    def _remember(self, key: Hashable, known: KnownBody) -> None:
        alike = self._alike.setdefault(key, _Alike()).known
        alike.insert(0, known)
        self._bytes += known.size
        if len(alike) > _MOST_ALIKE:
            self._bytes -= alike.pop().size
        while self._bytes > self._most_bytes:
            oldest = next(iter(self._alike))
            of_it = self._alike[oldest].known
            self._bytes -= of_it.pop().size
            if not of_it:
                del self._alike[oldest]


def _shared(known: KnownBody, text: bytes) -> tuple[int, int]:
    """How many messages of a known body another begins with, and where they end; -1 where the rest of it is not the
    same."""
    place, shared, end = len(known.head), 0, len(text) - len(known.tail)
    if place > end or not text.startswith(known.head) or not text.endswith(known.tail):
        return -1, 0
    for segment in known.segments:
        after = place + len(segment)
        if after > end or not text.startswith(segment, place):
            break
        place = after
        shared += 1
    return shared, place


def _gone_on(known: KnownBody, shared: int, text: bytes, place: int) -> KnownBody | None:
    """The body of `text`, which is a known one but for the messages behind the first `shared`, that end at `place`;
    None where it is not JSON, or not worth it."""
    middle = text[place : len(text) - len(known.tail)]
    messages: list[Any] = known.body[_MESSAGES]
    if not middle:
        if shared == len(messages):
            return known
        return known.after({**known.body, _MESSAGES: messages[:shared]}, shared, [], len(text))
    listed = middle.lstrip() if shared else b"," + middle
    if not listed.startswith(b","):
        return None
    try:
        new: list[Any] = orjson.loads(b"[%b]" % listed[1:])
    except orjson.JSONDecodeError:
        return None
    if not new:
        return None
    segments = [middle] if len(new) == 1 else _cut(middle, first=not shared)
    if segments is None or len(segments) != len(new):
        return None
    body = {**known.body, _MESSAGES: [*messages[:shared], *new]}
    return known.after(body, shared, segments, len(text))


def _cut(middle: bytes, *, first: bool) -> list[bytes] | None:
    """The text of each message of a row, with what stands before it. `first`: no comma stands before the first."""
    if _parts(middle) > _MOST_PARTS:
        return None
    try:
        text = middle.decode()
        ends = _ends(text, 0, first=first)
    except (ValueError, RecursionError):
        return None
    segments = [text[start:end].encode() for start, end in pairwise((0, *ends))]
    return segments if b"".join(segments) == middle else None


def _ends(text: str, place: int, *, first: bool) -> list[int]:
    """Where each value of a row ends. `first`: the row begins here, else with a comma."""
    ends: list[int] = []
    while place < len(text):
        place = _skip(text, place)
        if not first:
            if text[place : place + 1] != ",":
                break
            place = _skip(text, place + 1)
        first = False
        _, place = _scan(text, place)
        ends.append(place)
    return ends


def _parts(text: bytes) -> int:
    """How many parts a JSON text has at the most."""
    return sum(map(text.count, (b",", b'"', b"[", b"{")))


def _skip(text: str, place: int) -> int:
    while text[place : place + 1] in _SPACE and place < len(text):
        place += 1
    return place


def learned(text: bytes) -> KnownBody | None:
    """A body cut into its parts. None for what is no object with a list of messages, names a field twice, or has very
    many parts."""
    if _parts(text) > _MOST_PARTS:
        return None
    try:
        whole: Any = orjson.loads(text)
        spans = _spans(text.decode())
    except (ValueError, RecursionError):
        return None
    if spans is None:
        return None
    return _known(cast("_Object", whole), text, spans)


def _known(whole: _Object, text: bytes, spans: tuple[str, list[str], str]) -> KnownBody | None:
    head, segments, tail = spans
    parts = [segment.encode() for segment in segments]
    known = KnownBody(whole, head.encode(), parts, tail.encode(), len(text))
    # The scanner is another than the parser: what they do not see alike is not remembered.
    if (
        len(parts) > _MOST_MESSAGES
        or len(whole[_MESSAGES]) != len(parts)
        or b"".join((known.head, *parts, known.tail)) != text
    ):
        return None
    return known


def _spans(text: str) -> tuple[str, list[str], str] | None:
    """The text up to the first message, each message with what stands before it, and the rest."""
    place = _skip(text, 0)
    if text[place : place + 1] != "{":
        return None
    names: set[str] = set()
    found: tuple[str, list[str], int] | None = None
    while text[place : place + 1] in ("{", ","):
        place = _skip(text, place + 1)
        if text[place : place + 1] != '"':
            return None
        name, place = _scan(text, place)
        if name in names:
            return None
        names.add(name)
        place = _skip(text, place)
        if text[place : place + 1] != ":":
            return None
        place = _skip(text, place + 1)
        if name == _MESSAGES and text[place : place + 1] == "[":
            start = place + 1
            if text[_skip(text, start) :][:1] == "]":
                return None
            ends = _ends(text, start, first=True)
            segments = [text[begin:end] for begin, end in pairwise((start, *ends))]
            found = text[:start], segments, ends[-1]
            place = _skip(text, ends[-1])
            if text[place : place + 1] != "]":
                return None
            place += 1
        else:
            _, place = _scan(text, place)
        place = _skip(text, place)
    if found is None:
        return None
    head, segments, end = found
    return head, segments, text[end:]
