"""The conversation as one who answers sees it: what is asked now, what was done about it, and what came before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from understudy.engines.simulator.notes import LONGEST_SAID, Note
from understudy.engines.simulator.reading import Reading, asked_in, texts_of
from understudy.wire.json_text import canonical_json
from understudy.wire.server_tools import ServerFunction

# Characters of a result that are looked at.
_LONGEST = 20_000
_MOST_EARLIER = 12


@dataclass(slots=True)
class MadeCall:
    """A call that was made for the turn at hand, and what came of it. `served`: its tool is an MCP server's."""

    id: str
    name: str
    input: dict[str, Any]
    result: str = ""
    is_error: bool = False
    served: bool = False


@dataclass(slots=True)
class Conversation:
    """`asked` is the text of the newest user message that says something; `calls` were made since, in order.

    `start` is that message's place in the request.
    """

    request: dict[str, Any]
    reading: Reading
    asked: str
    start: int
    calls: list[MadeCall] = field(default_factory=list[MadeCall])
    _noted: list[Note] | None = None

    def earlier(self) -> list[tuple[str, str]]:
        """Role and text of what was said before, oldest first; what tools brought is not among it."""
        return [(note.message["role"], note.said) for note in self._before() if note.said]

    def _before(self) -> list[Note]:
        earliest = max(self.start - _MOST_EARLIER, 0)
        if self.reading.history is not None:
            return self.reading.history.notes[earliest : self.start]
        if self._noted is None:
            messages = cast("list[dict[str, Any]]", self.request["messages"])
            self._noted = list(map(Note, messages[earliest : self.start]))
        return self._noted

    def made_before(self) -> list[tuple[str, dict[str, Any], str]]:
        """Name, input and result of the calls made for earlier turns, oldest first. Of an input its short values."""
        made: dict[str, tuple[str, dict[str, Any], str]] = {}
        for note in self._before():
            for call, name, given, result in note.calls:
                if name:
                    made[call] = (name, given, "")
                elif call in made:
                    made[call] = (*made[call][:2], result)
        return list(made.values())

    def asked_before(self) -> list[str]:
        """What the user said in earlier messages, oldest first."""
        messages = cast("list[dict[str, Any]]", self.request["messages"][: self.start])
        texts = (asked_in(message["content"]) for message in messages if message["role"] == "user")
        return [text[:_LONGEST] for text in texts if text]

    def context(self) -> list[str]:
        """Texts in which a value may be found that the question itself does not give, nearest first."""
        texts = [self.asked]
        texts += [call.result for call in reversed(self.calls) if call.result]
        before = (" ".join(note.texts)[:LONGEST_SAID] for note in reversed(self._before()))
        texts += [text for text in before if text]
        # What was given to a tool before may be meant again.
        texts += [canonical_json(given).decode() for _, given, _ in reversed(self.made_before()) if given]
        texts += [text[:_LONGEST] for text in self.reading.shown]
        system = self.system()
        if system:
            texts.append(system)
        return texts

    def brought(self) -> tuple[int, int]:
        """How many documents and images came with the newest results."""
        documents = images = 0
        for message in self.request["messages"][self.reading.first : self.reading.last]:
            content = message.get("content")
            for block in cast("list[dict[str, Any]]", content) if isinstance(content, list) else []:
                inner = block.get("content") if block.get("type") == "tool_result" else None
                for part in cast("list[dict[str, Any]]", inner) if isinstance(inner, list) else []:
                    documents += part["type"] == "document"
                    images += part["type"] == "image"
        return documents, images

    def system(self) -> str:
        return " ".join(texts_of(self.request.get("system")))[:_LONGEST]

    def hidden_tools(self) -> list[dict[str, Any]]:
        """Deferred tools that no search has found."""
        loaded = self.loaded_tools()
        return [
            tool
            for tool in cast("list[dict[str, Any]]", self.request.get("tools") or [])
            if tool.get("defer_loading") and tool.get("name") and tool["name"] not in loaded
        ]

    def loaded_tools(self) -> set[str]:
        """Names of deferred tools that a search has found."""
        found: set[str] = set()
        if self.reading.history is not None:
            # Where any are found, what is known of the messages is not used.
            return found
        for message in cast("list[dict[str, Any]]", self.request["messages"]):
            content = message.get("content")
            if not isinstance(content, list):
                continue
            for block in cast("list[dict[str, Any]]", content):
                inner = block.get("content")
                if isinstance(inner, dict):
                    inner = cast("dict[str, Any]", inner).get("tool_references")
                if isinstance(inner, list):
                    for item in cast("list[Any]", inner):
                        if isinstance(item, dict) and cast("dict[str, Any]", item).get("type") == "tool_reference":
                            found.add(cast("dict[str, Any]", item)["tool_name"])
        return found


def converse(request: dict[str, Any], reading: Reading, functions: Sequence[ServerFunction] = ()) -> Conversation:
    """`functions` that this server runs, some of which may be listed among the client's tools."""
    messages = cast("list[dict[str, Any]]", request["messages"])
    asked, start = reading.asked, reading.first
    if not asked:
        for place in range(reading.first - 1, -1, -1):
            if messages[place]["role"] == "user":
                asked = asked_in(messages[place]["content"])
                if asked:
                    start = place
                    break
    conversation = Conversation(request, reading, asked, start)
    names = {(function.server_name, function.title): function.name for function in functions}
    by_id: dict[str, MadeCall] = {}
    for message in messages[start:]:
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for block in cast("list[dict[str, Any]]", content):
            kind = block.get("type")
            if kind in {"tool_use", "mcp_tool_use"}:
                name: str = names.get((block.get("server_name"), block["name"])) or block["name"]
                call = MadeCall(block["id"], name, block["input"], served=kind == "mcp_tool_use")
                by_id[call.id] = call
                conversation.calls.append(call)
            elif kind in {"tool_result", "mcp_tool_result"}:
                made = by_id.get(block["tool_use_id"])
                if made is not None:
                    made.result = " ".join(texts_of([block]))[:_LONGEST]
                    made.is_error = bool(block.get("is_error"))
    return conversation
