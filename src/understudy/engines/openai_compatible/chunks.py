"""An upstream's stream as its chunks. Most hold a piece of the answer's text in ever the same surroundings."""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeAlias, cast

import orjson

from .errors import UpstreamError, read_error
from .sse import EventReader, EventTooLongError

Chunk: TypeAlias = dict[str, Any] | list[str]
"""A chunk, or of some that say nothing else the pieces of the answer's text, none of them empty."""

_DONE: Final = b"[DONE]"
_KEY: Final = b'"content":'
_STRING: Final = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*")')
_SOME_TEXT: Final = re.compile(rb'"content":[ ]?"[^"]')
_PROBE: Final = "\x01?"
_STRINGS: Final = {str}
# Chunks that must have looked like one before them until it is tried again to learn how they look.
_WORTH: Final = 8
# Events at the beginning of a stream among which the first text is expected.
_TRIES: Final = 4


class Chunks:
    """The chunks in an upstream's bytes. `done`: there are no more. `broken`: no `[DONE]` said so."""

    __slots__ = ("_after", "_alike", "_before", "_between", "_learned", "_reader", "_tries", "broken", "done")

    def __init__(self) -> None:
        self._reader = EventReader()
        # What stands around the text in an event that has nothing else, and between two of them.
        self._before = b""
        self._after = b""
        self._between = b""
        # How many came that look like that, and how often it was learned how they look.
        self._alike = 0
        self._learned = 0
        self._tries = _TRIES
        self.done = False
        self.broken = False

    def feed(self, data: bytes) -> list[Chunk]:
        """No bytes are the end. Raises UpstreamError for what is no chunk."""
        found: list[Chunk] = []
        while not self._before and self._tries:
            # How a text looks is learned of the first one, so that those that came with it are read as fast.
            self._tries -= 1
            end = data.find(b"\n\n") + 2
            if not 1 < end < len(data):
                break
            self._events(data[:end], found)
            data = data[end:]
            if self.done:
                return found
        if self._before and data.startswith(self._before) and self._reader.between_events:
            data = self._texts(data, found)
            if not data:
                return found
        self._events(data, found)
        return found

    def _events(self, data: bytes, found: list[Chunk]) -> None:
        """Add the chunks of the events that `data` completes."""
        try:
            events = self._reader.feed(data) if data else self._reader.end()
        except EventTooLongError:
            raise UpstreamError("The model's server sent an event without an end.") from None
        for lines in events:
            # Almost all of a stream are chunks of one line.
            if len(lines) == 1:
                line = lines[0]
                chunk: Any = None
                try:
                    chunk = orjson.loads(line)
                except orjson.JSONDecodeError:
                    pass
                if chunk.__class__ is dict:
                    found.append(chunk)
                    if self._alike >= self._learned * _WORTH and _SOME_TEXT.search(line) is not None:
                        self._learn(line, chunk)
                    continue
            self._take(lines, found)
            if self.done:
                return
        if not data:
            self.done = self.broken = True

    def _texts(self, data: bytes, found: list[Chunk]) -> bytes:
        """Add the texts of the events with which `data` begins and that hold nothing else. Returns what is left."""
        end = data.rfind(self._after)
        if end < 0:
            return data
        # One JSON string in the place of another: nothing else in such an event can have changed. The line ends between
        # two events can stand in no string.
        inner = data[len(self._before) : end]
        try:
            texts: list[Any] = orjson.loads(b"[%b]" % inner.replace(self._between, b","))
        except orjson.JSONDecodeError:
            return data
        if len(texts) != inner.count(self._between) + 1 or set(map(type, texts)) != _STRINGS:
            return data
        self._alike += len(texts)
        if "" in texts:
            texts = list(filter(None, texts))
        if texts:
            found.append(texts)
        return data[end + len(self._after) :]

    def _learn(self, line: bytes, chunk: dict[str, Any]) -> None:
        """Note what stands around the text of a chunk that holds nothing else."""
        if _only_text(chunk) is None:
            return
        self._learned += 1
        match = _STRING.match(line, line.find(_KEY) + len(_KEY))
        if match is None:
            return
        start, end = match.span(1)
        before, after = line[:start], line[end:]
        try:
            other = orjson.loads(b"".join((before, orjson.dumps(_PROBE), after)))
        except orjson.JSONDecodeError:
            return
        # The place is the text's if another one can be put there.
        if _only_text(other) == _PROBE:
            self._before, self._after = b"data: " + before, after + b"\n\n"
            self._between = self._after + self._before

    def _take(self, lines: list[bytes], found: list[Chunk]) -> None:
        data = lines[0] if len(lines) == 1 else b"\n".join(lines)
        if data.strip() == _DONE:
            self.done = True
            return
        if not data or data.isspace():
            return
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            if len(lines) > 1:
                # Without blank lines between them, events look like one of several lines.
                for line in lines:
                    if not self.done:
                        self._take([line], found)
                return
            chunk = parsed(data)
        if not isinstance(chunk, dict):
            raise UpstreamError("The model's server sent what cannot be read.")
        found.append(cast("dict[str, Any]", chunk))


def _only_text(chunk: dict[str, Any]) -> str | None:
    """The piece of text that a chunk is there for; None of one that says something else too."""
    choices: Any = chunk.get("choices")
    if chunk.get("usage") is not None or choices.__class__ is not list or len(choices) != 1:
        return None
    choice: Any = choices[0]
    if choice.__class__ is not dict or choice.get("index") or choice.get("finish_reason") or read_error(chunk):
        return None
    delta: Any = choice.get("delta")
    if delta.__class__ is not dict:
        return None
    if any(value and name not in {"content", "role"} for name, value in delta.items()):
        return None
    text: Any = delta.get("content")
    return text if text.__class__ is str and text else None


def parsed(data: bytes) -> Any:
    """The JSON of `data`, None if it is none. Halves of characters are let through, and put together later."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
