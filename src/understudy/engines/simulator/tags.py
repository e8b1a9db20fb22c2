"""Answers in the tags that a prompt asks for: "put the summary in <summary> tags"."""

from __future__ import annotations

import re
from typing import Final

from understudy.engines.simulator.answers import words_of
from understudy.engines.simulator.conversation import Conversation

_TAG: Final = re.compile(r"<([a-z][a-z_-]{1,30})>")
# What is said of tags that an answer should have.
_WANTED: Final = re.compile(
    r"\b(?:wrap|put|place|enclose|surround|inside|within|between|respond|reply|answer|output|return|write|provide|use)\b"
    r"[^\n]{0,120}<[a-z][a-z_-]{1,30}>|<[a-z][a-z_-]{1,30}>[^\n<]{0,20}\b(?:tags?|blocks?|sections?)\b",
    re.IGNORECASE,
)
_LOOKED_AT: Final = 20_000
_MOST_TAGS: Final = 6
_MOST_SAID: Final = 12
_SHOWN: Final = 200


def in_tags(conversation: Conversation) -> str | None:
    """An answer in the tags that are asked for, in the order in which they are named; None where none are."""
    asked = conversation.asked[:_LOOKED_AT]
    if "<" not in asked or not _WANTED.search(asked):
        return None
    wanted = " ".join(match.group() for match in _WANTED.finditer(asked))
    tags = list(dict.fromkeys(_TAG.findall(wanted)))[:_MOST_TAGS]
    if not tags:
        return None
    said = [_short(text) for text in conversation.asked_before()][-_MOST_SAID:]
    return "\n\n".join([f"<{tag}>\n{_content(tag, said, asked)}\n</{tag}>" for tag in tags])


def _content(tag: str, said: list[str], asked: str) -> str:
    if not said:
        return "This is about " + (", ".join(words_of(_TAG.sub(" ", asked), 4)) or tag) + "."
    listed = "\n".join(f"{place}. {text}" for place, text in enumerate(said, 1))
    return f"What was asked so far:\n{listed}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN].rsplit(" ", 1)[0] + " …"
