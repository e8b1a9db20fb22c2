"""What the simulator reads of a request: the text asked now, and what was said or shown before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

# Clients wrap their own notes to the model in such tags; they are not what the person asked.
_OPENING = re.compile(r"<(system-reminder|environment_details|ide_[a-z_]{1,40}|command-[a-z]{1,40})>")
# Tags that are opened and never closed, after which a text is taken as it is: each costs a look at all of it.
_MOST_UNCLOSED = 8


@dataclass(slots=True, frozen=True)
class Reading:
    """`asked` is the text of the last user turn, `tool_results` the texts of the tool results it brings.

    That turn is `messages[first:last]` of the request.
    """

    asked: str
    tool_results: list[str]
    request: dict[str, Any]
    first: int
    last: int

    def background(self) -> list[str]:
        """What is shown beside what is asked, then what stands before it, newest first, then the system prompt."""
        messages = cast("list[dict[str, Any]]", self.request["messages"])
        texts: list[str] = []
        for message in messages[self.first : self.last]:
            for block in _blocks(message["content"]):
                if block.get("type") in {"document", "search_result"}:
                    texts += texts_of([block])
        for message in reversed(messages[: self.first]):
            texts += texts_of(message.get("content"))
        texts += texts_of(self.request.get("system"))
        return texts


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [] if isinstance(content, str) or content is None else cast("list[dict[str, Any]]", content)


def texts_of(content: Any) -> list[str]:
    """All readable texts of a message's content, in order."""
    if isinstance(content, str):
        return [content]
    found: list[str] = []
    for block in cast("list[dict[str, Any]]", content or []):
        kind = block.get("type")
        if kind == "text":
            found.append(block["text"])
        elif kind == "tool_result":
            found += texts_of(block.get("content"))
        elif kind == "search_result":
            found.append(f"{block['title']}: " + " ".join(texts_of(block["content"])))
        elif kind == "document":
            source = block["source"]
            if source["type"] == "text":
                found.append(source["data"])
            elif source["type"] == "content":
                found += texts_of(source["content"])
    return found


def _without_notes(text: str) -> str:
    """`text` without the notes in it. The work is linear in its length."""
    if "</" not in text:
        return text.strip()
    kept: list[str] = []
    unclosed: set[str] = set()
    place = 0
    for opening in _OPENING.finditer(text):
        closing = f"</{opening[1]}>"
        if opening.start() < place or closing in unclosed:
            continue
        end = text.find(closing, opening.end())
        if end >= 0:
            kept.append(text[place : opening.start()])
            place = end + len(closing)
        else:
            unclosed.add(closing)
            if len(unclosed) == _MOST_UNCLOSED:
                break
    kept.append(text[place:])
    return "".join(kept).strip()


def _asked(content: Any) -> str:
    if isinstance(content, str):
        return _without_notes(content)
    texts = [
        _without_notes(block["text"]) for block in cast("list[dict[str, Any]]", content) if block.get("type") == "text"
    ]
    return "\n".join(text for text in texts if text)


def read(request: dict[str, Any]) -> Reading:
    messages = cast("list[dict[str, Any]]", request["messages"])
    last = len(messages)
    while last > 0 and messages[last - 1]["role"] != "user":
        last -= 1
    first = last
    # Neighbours of one role are one turn.
    while first > 0 and messages[first - 1]["role"] == "user":
        first -= 1
    if last - first == 1 and isinstance(messages[first]["content"], str):
        return Reading(_without_notes(messages[first]["content"]), [], request, first, last)
    asked: list[str] = []
    results: list[str] = []
    for message in messages[first:last]:
        asked.append(_asked(message["content"]))
        for block in _blocks(message["content"]):
            if block.get("type") == "tool_result":
                results += texts_of(block.get("content"))
    return Reading("\n".join(text for text in asked if text), results, request, first, last)
