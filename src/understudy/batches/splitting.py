"""Cuts the body of a new batch into its requests while it arrives: bytes go in, whole values come out.

The body is one JSON object of up to 256 MB. Only the value that is just arriving is held. Brackets and strings alone
say where a value ends; what stands between is orjson's to judge, value by value, so that a body which is no JSON is
refused in the same words, and at the same place, as if orjson had been given the whole of it.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final, Literal, TypeAlias

import orjson

from understudy.wire.errors import InvalidRequestError, RequestTooLargeError
from understudy.wire.validation import parse_json

# A request's bytes, and its value.
Request: TypeAlias = tuple[bytearray, Any]

_Context: TypeAlias = Literal["body", "first member", "next member", "first request", "next request", "end"]
_Step: TypeAlias = Literal["before", "comma", "key", "colon", "space", "value"]

# What stands for all that comes before a value, to be read in its place where the body is at fault.
_BEFORE: Final[dict[_Context, str]] = {
    "body": "",
    "first member": "{",
    "next member": '{"":""',
    "first request": '{"":[',
    "next request": '{"":[""',
    "end": "{}",
}

_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_OTHERS: Final = rb'[^"{}\[\]]*+'
_FLAT: Final = rb"[{\[]" + _OTHERS + rb"(?:" + _STRING + _OTHERS + rb")*+[}\]]"
_TEXT: Final = re.compile(_STRING, re.DOTALL)
# Up to what must be looked at: a bracket, or a string whose end has not come. Arrays and objects without others in
# them are passed over as one.
_RUN: Final = re.compile(_OTHERS + rb"(?:(?:" + _STRING + rb"|" + _FLAT + rb")" + _OTHERS + rb")*+", re.DOTALL)
_HIDDEN_DEPTH: Final = 1
_IN_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^ \t\n\r,\]}]*+")
_SPACE: Final = re.compile(rb"[ \t\n\r]*+")

# orjson's most, less the two brackets around each request. Deeper values are judged in their place.
_DEPTH: Final = 1_020
_MOST_OF_KEY: Final = 64 * 1024
# Bytes of a value from which on it is parsed as large bodies are.
_LARGE: Final = 256 * 1024

_NOT_UTF8: Final = "str is not valid UTF-8: surrogates not allowed: line 1 column 1 (char 0)"


def end_of(text: bytes | bytearray, start: int) -> int:
    """Where the value that begins at `start` ends, in a text that is known to be JSON."""
    first = text[start]
    if first == 0x22:
        found = _TEXT.match(text, start)
    elif first not in b"{[":
        found = _SCALAR.match(text, start)
    else:
        depth, at = 1, start + 1
        while depth:
            found = _RUN.match(text, at)
            assert found is not None
            depth += 1 if text[found.end()] in b"{[" else -1
            at = found.end() + 1
        return at
    assert found is not None
    return found.end()


class Splitter:
    """Give it the body piece by piece, then close it.

    `most`: bytes of one request; one with more is refused at once [guess], since none such would be answered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # Begins with what has come since the end of the value before.
        self._buffer = bytearray()
        self._begin = 0
        self._at = 0
        self._value = 0
        self._context: _Context = "body"
        self._step: _Step = "before"
        self._depth = 0
        self._deepest = 0
        self._in_string = False
        self._key = ""
        self._found: list[Request] = []
        # Of all before `_begin`: characters, line breaks, and the place of the last one.
        self._chars = 0
        self._lines = 0
        self._line_start = -1
        self._fault: str | None = None
        self._is_whole = False
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.is_object = False
        self.others: dict[str, object] = {}
        """Members of the body beside an array of requests, by name in their order; their values where that matters."""
        self.members = 0
        self.has_requests = False
        self.is_repeated = False
        """Whether there is more than one array of requests."""

    @property
    def held(self) -> int:
        """Bytes that are held."""
        return len(self._buffer)

    @property
    def failed(self) -> bool:
        """Whether the body is known not to be JSON. What is wrong with it is said at its end."""
        return self._fault is not None

    def feed(self, piece: bytes) -> list[Request]:
        """The requests that end in `piece`. Raises RequestTooLargeError for one that is too large."""
        if self._fault is not None:
            self._decode(piece)
            return []
        self._buffer += piece
        found = self._found = list[Request]()
        while self._fault is None and self._advance():
            pass
        if self._begin:
            del self._buffer[: self._begin]
            self._at -= self._begin
            self._value -= self._begin
            self._begin = 0
        self._check_size(len(self._buffer))
        return found

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise RequestTooLargeError(
                f"A request of a batch exceeds the maximum size of {self._most / (1024 * 1024):g} MB"
            )

    def close(self) -> list[Request]:
        """The requests that end with the body: none, but for faults. Raises InvalidRequestError when it is no JSON."""
        found = self._found = list[Request]()
        self._is_whole = True
        if self._fault is None and self._context == "body" and self._step == "value" and self._is_scalar():
            # Nothing need follow a number.
            self._at = len(self._buffer)
            self._take()
        if self._fault is None and self._context != "end":
            self._fail()
        else:
            self._decode(b"")
        if self._fault is not None:
            raise InvalidRequestError(f"The request body is not valid JSON: {self._fault}")
        return found

    # --- from one value to the next ---

    def _advance(self) -> bool:
        """Take one step; False when more of the body is needed."""
        if self._step == "value":
            return self._scan()
        if self._step == "key":
            return self._read_key()
        found = _SPACE.match(self._buffer, self._at)
        assert found is not None
        self._at = found.end()
        if self._at == len(self._buffer):
            return False
        self._structure(self._buffer[self._at])
        return True

    def _structure(self, byte: int) -> None:
        context, step = self._context, self._step
        member = context in ("first member", "next member")
        if step == "colon":
            self._expect(byte == 0x3A, "space")
        elif step == "space" or context == "body":
            self._enter(byte)
        elif context == "end":
            self._fail()
        elif step == "before" and byte == (0x7D if member else 0x5D):
            self._leave()
        elif step == "before" and context in ("next member", "next request"):
            self._expect(byte == 0x2C, "comma")
        elif member:
            self._expect(byte == 0x22, "key", past=False)
        elif byte == 0x5D:
            self._fail()
        else:
            self._enter(byte)

    def _expect(self, right: bool, step: _Step, *, past: bool = True) -> None:
        if right:
            self._step = step
            self._at += past
        else:
            self._fail()

    def _read_key(self) -> bool:
        found = _TEXT.match(self._buffer, self._at)
        if found is None:
            if len(self._buffer) - self._at > _MOST_OF_KEY:
                raise RequestTooLargeError("The name of a field is too long")
            return False
        try:
            self._key = orjson.loads(self._buffer[self._at : found.end()])
        except orjson.JSONDecodeError:
            self._fail()
            return False
        self.members += 1
        self._at = found.end()
        self._step = "colon"
        return True

    def _enter(self, byte: int) -> None:
        """At the first byte of a value."""
        if self._context == "body" and byte == 0x7B:
            self.is_object = True
            self._consume(self._at + 1)
            self._context = "first member"
        elif byte == 0x5B and self._context in ("first member", "next member") and self._key == "requests":
            self.is_repeated = self.has_requests
            self.has_requests = True
            self._consume(self._at + 1)
            self._context = "first request"
        else:
            self._step = "value"
            self._value = self._at
            self._in_string = False

    def _leave(self) -> None:
        """At the bracket that closes the requests, or the body."""
        self._consume(self._at + 1)
        self._context = "end" if self._context in ("first member", "next member") else "next member"

    def _consume(self, end: int) -> None:
        """All up to `end` has been read."""
        done = self._buffer[self._begin : end]
        text = None if done.isascii() else done.decode()
        breaks = done.count(b"\n")
        if breaks:
            self._lines += breaks
            self._line_start = self._chars + (done.rfind(b"\n") if text is None else text.rfind("\n"))
        self._chars += len(done) if text is None else len(text)
        self._begin = self._at = end
        self._step = "before"

    # --- one value ---

    def _is_scalar(self) -> bool:
        return self._buffer[self._value] not in b'{["'

    def _scan(self) -> bool:
        """Go on to the end of the value; False when that has not come yet."""
        buffer, first = self._buffer, self._buffer[self._value]
        if first in b'{["':
            if self._at == self._value:
                self._at += 1
                self._in_string = first == 0x22
                self._depth = self._deepest = 0 if self._in_string else 1
            whole = self._scan_brackets()
        else:
            found = _SCALAR.match(buffer, self._at)
            assert found is not None
            self._at = found.end()
            whole = self._at < len(buffer)
        if whole:
            self._take()
        return whole

    def _scan_brackets(self) -> bool:
        buffer, at, depth, deepest = self._buffer, self._at, self._depth, self._deepest
        size = len(buffer)
        if self._in_string:
            found = _IN_STRING.match(buffer, at)
            assert found is not None
            at = found.end()
            # A backslash at the end waits for what it escapes.
            if at >= size or buffer[at] != 0x22:
                self._at = at
                return False
            at += 1
            self._in_string = False
        whole = depth == 0
        match = _RUN.match
        while not whole:
            found = match(buffer, at)
            assert found is not None
            at = found.end()
            if at == size:
                break
            byte = buffer[at]
            at += 1
            if byte == 0x22:
                self._in_string = True
                found = _IN_STRING.match(buffer, at)
                assert found is not None
                at = found.end()
                break
            if byte in b"{[":
                depth += 1
                if depth > deepest:
                    deepest = depth
            else:
                depth -= 1
                whole = depth == 0
        self._at, self._depth, self._deepest = at, depth, deepest
        return whole

    def _take(self) -> None:
        """The value has come to its end."""
        raw = self._buffer[self._value : self._at]
        self._check_size(len(raw))
        try:
            value = orjson.loads(raw) if len(raw) <= _LARGE else parse_json(bytes(raw))
        except (orjson.JSONDecodeError, InvalidRequestError):
            self._fail()
            return
        if self._deepest + _HIDDEN_DEPTH > _DEPTH and self._is_too_deep(raw):
            self._fail()
            return
        context = self._context
        self._consume(self._at)
        if context in ("first request", "next request"):
            self._found.append((raw, value))
            self._context = "next request"
        elif context == "body":
            self._context = "end"
        else:
            # Large values of unknown members are of no use.
            self.others[self._key] = value if self._key == "requests" else None
            self._context = "next member"

    def _is_too_deep(self, raw: bytearray) -> bool:
        inner = self._context in ("first request", "next request")
        opening, closing = (b'{"":[', b"]}") if inner else (b'{"":', b"}")
        try:
            orjson.loads(opening + raw + closing if self._context != "body" else raw)
        except orjson.JSONDecodeError:
            return True
        return False

    # --- what is no JSON ---

    def _fail(self) -> None:
        """Say what orjson would of the body so far, which is at fault."""
        rest = bytes(self._buffer[self._begin :])
        self._buffer = bytearray()
        self._begin = self._at = self._value = 0
        self._fault = _NOT_UTF8
        try:
            text = self._decoder.decode(rest, final=self._is_whole)
        except UnicodeDecodeError:
            return
        before = _BEFORE[self._context]
        # More may follow, so nothing must seem to be cut off here: not the text, nor a character.
        after = "" if self._is_whole else "\ufffd" * bool(self._decoder.getstate()[0]) + " " * 16
        try:
            orjson.loads(before + text + after)
        except orjson.JSONDecodeError as error:
            self._fault = self._told(error.msg, text, error.pos - len(before))
        else:
            self._fault = self._told("unexpected end of data", text, len(text))

    def _told(self, what: str, text: str, place: int) -> str:
        """`place`: where in `text`, which begins behind what was consumed."""
        char = self._chars + place
        line = self._lines + text.count("\n", 0, place) + 1
        last = text.rfind("\n", 0, place)
        start = self._chars + last if last >= 0 else self._line_start
        return f"{what}: line {line} column {char - start} (char {char})"

    def _decode(self, piece: bytes) -> None:
        """After a fault only one thing matters that may follow: orjson looks for it first."""
        if self._fault is None or self._fault == _NOT_UTF8:
            return
        try:
            self._decoder.decode(piece, final=self._is_whole)
        except UnicodeDecodeError:
            self._fault = _NOT_UTF8
