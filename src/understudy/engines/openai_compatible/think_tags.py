"""Thinking that stands in the text between tags, as models write it when their server does not tell it apart."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["text", "thinking"]

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


class ThinkTags:
    """Only tags at the beginning of the answer count: later ones are text that speaks of them.

    `opened`: the prompt has opened them already. White space around the thinking belongs to nothing.
    """

    __slots__ = ("_blank", "_held", "_state")

    def __init__(self, *, opened: bool) -> None:
        self._state: Literal["start", "thinking", "after", "text"] = "thinking" if opened else "start"
        self._held: str = ""
        # Whether nothing but white space was thought yet.
        self._blank = True

    @property
    def passed(self) -> bool:
        """Whether all that comes is text."""
        return self._state == "text"

    def feed(self, text: str) -> list[tuple[Kind, str]]:
        if self._state == "text":
            return [("text", text)]
        found: list[tuple[Kind, str]] = []
        text = self._held + text
        self._held = ""
        if self._state == "start":
            beginning = text.lstrip()
            if beginning.startswith(_OPEN):
                self._state = "thinking"
                text = beginning[len(_OPEN) :]
            elif _OPEN.startswith(beginning):
                self._held = text
                return []
            else:
                self._state = "text"
                return [("text", text)]
        if self._state == "thinking":
            if self._blank:
                text = text.lstrip()
                self._blank = not text
            end = text.find(_CLOSE)
            if end < 0:
                kept = _beginning_of(_CLOSE, text)
                self._held = text[len(text) - kept :]
                text = text[: len(text) - kept]
                return [("thinking", text)] if text else []
            if end:
                found.append(("thinking", text[:end]))
            self._state = "after"
            text = text[end + len(_CLOSE) :]
        text = text.lstrip()
        if text:
            self._state = "text"
            found.append(("text", text))
        return found

    def end(self) -> list[tuple[Kind, str]]:
        """What was held back when the answer ends."""
        held = self._held
        self._held = ""
        if not held:
            return []
        return [("thinking" if self._state == "thinking" else "text", held)]

    def told_apart(self) -> None:
        """The server tells thinking from text by itself."""
        if self._state == "thinking" and not self._held:
            self._state = "start"


def _beginning_of(tag: str, text: str) -> int:
    """Length of the longest end of `text` with which `tag` begins."""
    return next((length for length in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:length])), 0)
