"""Server-sent events as upstreams write them, however their bytes are cut (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from typing import Final

_DATA: Final = b"data: "
_BOM: Final = b"\xef\xbb\xbf"
# Bytes of one event: a whole answer in one chunk has room, endless garbage has not.
MOST_BYTES: Final = 32 * 1024 * 1024


class EventTooLongError(Exception):
    """No event ended within MOST_BYTES."""


class EventReader:
    """Takes bytes and gives the data of the events that they complete: of each, its lines.

    Comments, ids, names and retry times are passed over. Some servers put an error into a field `error`; it is taken
    for data.
    """

    __slots__ = ("_held", "_lines", "_size", "_started")

    def __init__(self) -> None:
        # Pieces of the line that has not ended, so that a long one is joined once.
        self._held: list[bytes] = []
        self._lines: list[bytes] = []
        self._size = 0
        self._started = False

    def feed(self, data: bytes) -> list[list[bytes]]:
        """Raises EventTooLongError."""
        if not self._started or b"\r" in data or (self._held and self._held[-1].endswith(b"\r")):
            data = self._plain(data)
        events: list[list[bytes]] = []
        if not self._held and not self._lines:
            # Nearly always whole events come, each of one line.
            end = data.rfind(b"\n\n") + 2
            if end > 1:
                self._whole(data if end == len(data) else data[:end], events)
                self._size = 0
                if end == len(data):
                    return events
                data = data[end:]
        if b"\n" not in data:
            if data:
                self._grow(len(data))
                self._held.append(data)
            return events
        if self._held:
            self._held.append(data)
            data = b"".join(self._held)
            self._held.clear()
        lines = data.split(b"\n")
        last = lines.pop()
        for line in lines:
            if line.startswith(_DATA):
                self._lines.append(line[len(_DATA) :])
            elif line:
                self._take(line)
            elif self._lines:
                events.append(self._lines)
                self._lines = []
        self._size = 0
        self._grow(sum(map(len, self._lines)))
        if last:
            self._grow(len(last))
            self._held.append(last)
        return events

    @property
    def between_events(self) -> bool:
        """Whether the next byte would begin an event."""
        return not self._held and not self._lines and self._started

    def _whole(self, data: bytes, events: list[list[bytes]]) -> None:
        """Add the events of `data`, which begins and ends with one."""
        pieces = data.split(b"\n\n")
        pieces.pop()
        for piece in pieces:
            if piece.startswith(_DATA) and b"\n" not in piece:
                events.append([piece[len(_DATA) :]])
                continue
            for line in piece.split(b"\n"):
                self._take(line)
            if self._lines:
                events.append(self._lines)
                self._lines = []

    def end(self) -> list[list[bytes]]:
        """The event that no blank line ended, if there is one."""
        line = b"".join(self._held).rstrip(b"\r")
        self._held.clear()
        if line:
            self._take(line)
        events = [self._lines] if self._lines else []
        self._lines = []
        return events

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MOST_BYTES:
            raise EventTooLongError

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name in (b"data", b"error"):
            self._lines.append(value[1:] if value.startswith(b" ") else value)

    def _plain(self, data: bytes) -> bytes:
        """`data` with `\\n` for every kind of line end, behind what was held for that, and without a BOM."""
        if not self._started:
            data = b"".join([*self._held, data])
            self._held.clear()
            if len(data) < len(_BOM) and _BOM.startswith(data):
                if data:
                    self._held.append(data)
                return b""
            self._started = True
            data = data.removeprefix(_BOM)
        elif self._held and self._held[-1].endswith(b"\r"):
            data = self._held.pop() + data
        # A carriage return at the very end may be half of a line end.
        half = data.endswith(b"\r")
        whole = (data[:-1] if half else data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return whole + b"\r" if half else whole
