"""What an engine yields as the content blocks of a stream: opened, filled and closed one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, TypeAlias

from understudy.engines.engine import (
    BlockEnd,
    Citation,
    EngineEvent,
    InputDelta,
    RedactedThinking,
    TextDelta,
    ThinkingDelta,
    ToolUse,
)
from understudy.messages.stops import StopCutter
from understudy.wire.ids import new_id
from understudy.wire.server_tools import SERVER, ServerFunction

Events: TypeAlias = list[dict[str, Any]]
Display: TypeAlias = Literal["summarized", "omitted", "updates"]

_PING: Final = {"type": "ping"}
_DIRECT: Final = {"type": "direct"}
_NO_FUNCTIONS: Final[Mapping[str, ServerFunction]] = MappingProxyType({})
_NONE_WAITING: Final[dict[str, str]] = {}
# Of the beta thinking-token-count: every thinking_delta bears it, and its value is this or null (recorded).
_ESTIMATED_TOKENS: Final = 50


class Seals(Protocol):
    """Makes what comes with thinking: its signature, or the data that stands for what must not be read.

    `compacted`: what was before stands in a summary now."""

    def sign(self, thinking: str, shown: str) -> str: ...

    def seal(self, thinking: str) -> str: ...

    def compacted(self) -> None: ...


class Cite(Protocol):
    """Writes down where a text is taken from, as the `citation` of the API."""

    def __call__(self, citation: Citation) -> dict[str, Any]: ...


class Blocks:
    """The content of one answer.

    `output_tokens` are those of all that was taken in, `thinking_tokens` those of them that were thinking. `cite`
    writes down citations. `calls` counts the calls of client tools. `matched` is the stop sequence that ended the text,
    once one has. `functions`, by name, are those that this server runs, `waiting` their calls without a result: ids
    with names; `thoughts` then are the blocks of thinking as the model wrote them, whatever of them is shown.
    """

    __slots__ = (
        "_cutter",
        "_display",
        "_estimates",
        "_index",
        "_kind",
        "_seals",
        "_thinking",
        "calls",
        "cite",
        "functions",
        "matched",
        "output_tokens",
        "thinking_tokens",
        "thoughts",
        "waiting",
    )

    def __init__(
        self, stop_sequences: list[str], display: Display, seals: Seals, cite: Cite, *, estimates: bool
    ) -> None:
        self._cutter = StopCutter(stop_sequences) if stop_sequences else None
        self._display = display
        self._seals = seals
        self.cite = cite
        self._estimates = estimates
        self._index = -1
        self._kind: str | None = None
        self._thinking: list[str] = []
        self.output_tokens = 0
        self.thinking_tokens = 0
        self.calls = 0
        self.matched: str | None = None
        self.thoughts: list[str] | None = None
        self.functions: Mapping[str, ServerFunction] = _NO_FUNCTIONS
        self.waiting: dict[str, str] = _NONE_WAITING

    def serve(self, functions: Sequence[ServerFunction]) -> None:
        """Take calls of `functions` for those of this server."""
        self.functions = {function.name: function for function in functions}
        self.waiting, self.thoughts = {}, []

    @property
    def in_call(self) -> bool:
        """Whether a call, of any kind of tool, is open."""
        return self._kind is not None and self._kind.endswith("tool_use")

    def take(self, event: EngineEvent, events: Events) -> None:
        """Add what `event` gives rise to. Nothing more may be taken once `matched` is set."""
        if isinstance(event, TextDelta):
            self.output_tokens += event.tokens
            self._text(event.text, events)
        elif isinstance(event, InputDelta):
            self.output_tokens += event.tokens
            if event.partial_json:
                delta = {"type": "input_json_delta", "partial_json": event.partial_json}
                events.append({"type": "content_block_delta", "index": self._index, "delta": delta})
        elif isinstance(event, ThinkingDelta):
            self._count_thinking(event.tokens)
            self._think(event.text, events)
        elif isinstance(event, ToolUse):
            self.output_tokens += event.tokens
            self._call(event, events)
        elif isinstance(event, RedactedThinking):
            self._count_thinking(event.tokens)
            self.close(events)
            self._open("redacted_thinking", {"type": "redacted_thinking", "data": self._seals.seal(event.text)}, events)
            self.close(events)
        elif isinstance(event, Citation):
            self._cited(event, events)
        elif isinstance(event, BlockEnd):
            self.close(events)
        else:
            raise TypeError(f"not a part of a content: {event.__class__}")

    def flow(self, batch: Sequence[EngineEvent], start: int, most: int, events: Events) -> int:
        """Take the texts that stand in `batch` from `start` on, if they only make an open text longer, up to `most`
        tokens in all: most events of most answers. Returns the place of what is to be taken otherwise."""
        if self._kind != "text" or self._cutter is not None:
            return start
        index, tokens, place = self._index, self.output_tokens, start
        while place < len(batch):
            event = batch[place]
            if not isinstance(event, TextDelta) or not event.text or tokens + event.tokens > most:
                break
            tokens += event.tokens
            place += 1
            delta = {"type": "text_delta", "text": event.text}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        self.output_tokens = tokens
        return place

    def close(self, events: Events) -> None:
        """End the open block, if there is one."""
        if self._cutter is not None:
            # Held back from the text that is open, or from one that was all held back, so that none was opened.
            rest = self._cutter.rest()
            if rest:
                self._add_text(rest, events)
        kind = self._kind
        if kind is None:
            return
        if kind == "thinking":
            whole = "".join(self._thinking)
            self._thinking.clear()
            if self.thoughts is not None:
                self.thoughts.append(whole)
            signature = self._seals.sign(whole, "" if self._display == "omitted" else whole)
            delta = {"type": "signature_delta", "signature": signature}
            events.append({"type": "content_block_delta", "index": self._index, "delta": delta})
        events.append({"type": "content_block_stop", "index": self._index})
        self._kind = None

    def _open(self, kind: str, block: dict[str, Any], events: Events) -> None:
        self._kind = kind
        self._index += 1
        events.append({"type": "content_block_start", "index": self._index, "content_block": block})
        if self._index == 0:
            events.append(_PING)

    def _count_thinking(self, tokens: int) -> None:
        self.output_tokens += tokens
        self.thinking_tokens += tokens

    # --- text ---

    def _text(self, text: str, events: Events) -> None:
        if self._kind is not None and self._kind != "text":
            self.close(events)
        if self._cutter is not None:
            text, self.matched = self._cutter.feed(text)
        if text:
            self._add_text(text, events)

    def _add_text(self, text: str, events: Events) -> None:
        if self._kind is None:
            self._open("text", {"type": "text", "text": ""}, events)
        delta = {"type": "text_delta", "text": text}
        events.append({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _cited(self, event: Citation, events: Events) -> None:
        # Cited spans are blocks of their own, and name their source before their text (recorded).
        self.close(events)
        self._open("text", {"citations": [], "type": "text", "text": ""}, events)
        delta = {"type": "citations_delta", "citation": self.cite(event)}
        events.append({"type": "content_block_delta", "index": self._index, "delta": delta})

    # --- thinking ---

    def _think(self, text: str, events: Events) -> None:
        opened = self._kind != "thinking"
        if opened:
            self.close(events)
            self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""}, events)
        self._thinking.append(text)
        if self._display != "omitted":
            self._show_thinking(text, events)
        elif opened:
            # Recorded, though the documentation speaks of no such event.
            self._show_thinking("", events)

    def _show_thinking(self, text: str, events: Events) -> None:
        delta: dict[str, Any] = {"type": "thinking_delta", "thinking": text}
        if self._estimates:
            delta["estimated_tokens"] = _ESTIMATED_TOKENS if self._display == "omitted" else None
        events.append({"type": "content_block_delta", "index": self._index, "delta": delta})

    # --- summaries ---

    def open_summary(self, members: dict[str, Any], events: Events) -> None:
        """Begin a compaction block, whose content is not there yet. `members` are what else it has."""
        self.close(events)
        self._open("compaction", {"type": "compaction", "content": None, **members}, events)

    def close_summary(self, content: str | None, events: Events) -> None:
        """The summary comes as a whole; None where there is none. What is thought from now on comes after it."""
        delta = {"type": "compaction_delta", "content": content}
        events.append({"type": "content_block_delta", "index": self._index, "delta": delta})
        self.close(events)
        if content is not None:
            self._seals.compacted()

    # --- calls ---

    def put(self, block: dict[str, Any], events: Events) -> None:
        """Add a block that comes whole: the result of a server tool, or a call that code has made."""
        self.close(events)
        self._open(block["type"], block, events)
        self.close(events)
        if "tool_use_id" in block:
            self.waiting.pop(block["tool_use_id"], None)
        elif block["type"] == "tool_use":
            self.calls += 1

    def _call(self, event: ToolUse, events: Events) -> None:
        self.close(events)
        if event.toolset_name == SERVER:
            self._server_call(self.functions[event.name], events)
            return
        if event.toolset_name is None:
            # Those of MCP servers are to engines like the client's.
            listed = self.functions.get(event.name)
            if listed is not None and listed.server_name is not None:
                self._server_call(listed, events)
                return
        self.calls += 1
        block: dict[str, Any] = {"type": "tool_use", "id": new_id("toolu_"), "name": event.name, "input": {}}
        block["caller"] = _DIRECT
        if event.toolset_name is not None:
            block["toolset_name"] = event.toolset_name
        self._begin_call(block, events)

    def _server_call(self, function: ServerFunction, events: Events) -> None:
        # Calls that the model makes itself have no `caller` in the newest recordings.
        call_id = new_id(function.id_prefix)
        self.waiting[call_id] = function.name
        name = function.title or function.name
        block: dict[str, Any] = {"type": function.block, "id": call_id, "name": name, "input": {}}
        if function.server_name is not None:
            block["server_name"] = function.server_name
        self._begin_call(block, events)

    def _begin_call(self, block: dict[str, Any], events: Events) -> None:
        self._open(block["type"], block, events)
        # Every recorded call begins with an empty piece.
        delta = {"type": "input_json_delta", "partial_json": ""}
        events.append({"type": "content_block_delta", "index": self._index, "delta": delta})
