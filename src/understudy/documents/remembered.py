"""Answers that are kept by the hash of what they were made of, up to so many bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class Remembered(Generic[_Answer]):
    """At most `most` bytes, as those who put them in say; what was not asked for the longest goes first."""

    __slots__ = ("_answers", "_bytes", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[bytes, tuple[_Answer, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes) -> _Answer | None:
        known = self._answers.get(key)
        if known is None:
            return None
        self._answers.move_to_end(key)
        return known[0]

    def put(self, key: bytes, answer: _Answer, size: int) -> None:
        """What is larger than all there may be is not kept."""
        if size > self._most or key in self._answers:
            return
        self._answers[key] = (answer, size)
        self._bytes += size
        while self._bytes > self._most:
            _, (_, freed) = self._answers.popitem(last=False)
            self._bytes -= freed
