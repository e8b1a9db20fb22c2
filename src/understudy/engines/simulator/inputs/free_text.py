"""Text in free words: what a question, a message or a note says, without the words that only ask for it."""

from __future__ import annotations

import re
from typing import Final

from . import words
from .hints import Hint
from .topic import about, topic
from .values import Text

__all__ = ["about", "free_text"]

_THAT: Final = re.compile(
    r"(?i)\b(?:tell|text|message|let|write|note|remind|email|mail|ping|post|log|record|say|announce|inform|warn|know)\b"
    r"[^.!?\n]{0,80}?\b(?:know\s+that|that|know)\s+(?P<rest>[^\n]{3,})"
)
_TELL: Final = re.compile(
    r"(?:^|[,.;:]\s|(?i:\bplease|pls|can you|could you|\band|then)\s)(?i:tell|text|message|ping|let)\s"
    r"(?:[A-Z][\w'-]*(?:\s[A-Z][\w'-]*)?|him|her|them|everyone|[@#][\w-]+|(?:the\s)?team)\s(?:know\s)?(?:that\s)?(?P<rest>[^\n]{3,})"
)
_REMIND: Final = re.compile(
    r"(?i)\b(?:remind|erinner\w*)\s+(?:me|us|\w+)\b[^.!?\n]{0,40}?\s(?:to|about|of)\s+(?P<rest>[^\n]{3,})"
)
_TRAILING: Final = re.compile(r"(?i)[\s,]*\b(?:on|at|by|for|from|in|to|near|under|until|with|and|the|a|due|of)$")


def free_text(one: Hint, text: Text, taken: list[tuple[int, int]]) -> str:
    """The words of `text` that a free property takes, without those that other properties have at their end."""
    if "topic" in one.kinds:
        return _without(topic(text.text), text, taken)
    told = _TELL.search(text.text)
    if told is not None and not told["rest"].lower().startswith(
        ("to ", "about ", "if ", "how ", "what ", "when ", "where ")
    ):
        return told["rest"].strip().rstrip(".!").strip()
    for pattern in (_THAT, _REMIND):
        match = pattern.search(text.text)
        if match is not None:
            rest = match["rest"].strip().rstrip(".!").strip()
            return _without(rest, text, taken) if pattern is _REMIND else rest
    said = about(text.text)
    if said:
        return said
    return topic(text.text)


def _without(piece: str, text: Text, taken: list[tuple[int, int]]) -> str:
    """A piece of the text cut where only other properties' values and the words that bring them follow."""
    begin = text.text.find(piece)
    if begin < 0 or not piece:
        return piece
    end = begin + len(piece)
    for start, stop in sorted(taken, reverse=True):
        if start < begin or stop > end:
            continue
        between = text.text[stop:end].strip(" ,.?!")
        if between and between.lower() not in words.PREPOSITIONS:
            continue
        end = start
        kept = text.text[begin:end].rstrip(" ,;:\"'#$€£")
        while (shorter := _TRAILING.sub("", kept)) != kept:
            kept = shorter
        end = begin + len(kept)
    kept = text.text[begin:end].strip(" ,;:")
    return kept if len(kept) > 2 else piece
