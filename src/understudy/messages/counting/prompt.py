"""Reading a request as a model would: its texts, and what the rest of it costs.

Every text that a model reads is taken. What it does not read is not: ids, signatures, cache_control, encrypted
contents, metadata, quotations in citations (they "do not count towards input tokens": citations.md).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final, TypeAlias, cast

from understudy.documents.pdf import scan_pages
from understudy.engines.catalog import Model
from understudy.messages.counting.media import image_tokens, pdf_tokens
from understudy.messages.counting.thinking import kept_thinking_from
from understudy.messages.counting.tools import TOOL, built_in_tool_tokens, deferred_tool, definition_of
from understudy.tokens.costs import costs_of
from understudy.tokens.tokenizer import count_text
from understudy.wire.json_text import to_json
from understudy.wire.output_format import output_format_of

_Block: TypeAlias = dict[str, Any]
Scan: TypeAlias = Generator[None, None, int | None]
"""The page count of a PDF, on its way."""

# A single short user text costs 7 tokens beyond its own in all recordings, each further turn 3 more. Some of them stand
# behind the last block: with a breakpoint on that, 2 tokens were recorded as not cached on Claude 5 and Opus 4.8.
_PROMPT: Final = 2
_END: Final = 2
_TURN: Final = 3
# What stands around a tool call, around a result, and around any other block that is more than text. These are texts of
# the service's own, in tokens of `o200k_base` like those of the request: recorded conversations agree on the average.
_CALL: Final = 27
_BLOCK: Final = 8
# What comes with documents to be cited, and with a schema for the answer: recorded.
_CITATIONS_PROMPT: Final = 590
_FORMAT_PROMPT: Final = 150
# What stands around a summary of what was before: two recorded answers agree within 3.
_SUMMARY: Final = 84
_DEFERRED_PROMPT: Final = 40

# Longer contents are read in stretches.
_SHORT: Final = 16

_NOT_READ: Final = frozenset(
    {
        "abort_reason",
        "cache_control",
        "caller",
        "citations",
        "encrypted_content",
        "encrypted_index",
        "encrypted_stdout",
        "file_id",
        "id",
        "retrieved_at",
        "signature",
        "stop_reason",
        "tool_use_id",
        "type",
    }
)


# Of a request that is little text and nothing else: what costs no tokens, and its most messages and characters.
_FREE: Final = frozenset(
    {
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "top_k",
        "top_p",
    }
)
_FEW: Final = 8
_LITTLE: Final = 16 * 1024


def plain_tokens(request: dict[str, Any], model: Model) -> int | None:
    """The tokens of a prompt that is little text and nothing else, in a fifth of the time that reading it takes; None
    for any other."""
    messages: list[_Block] = request["messages"]
    system = request.get("system") or ""
    if not _FREE.issuperset(request) or len(messages) > _FEW or system.__class__ is not str:
        return None
    texts, turns, role = [system] if system else [], 0, None
    for message in messages:
        content = message.get("content")
        if content.__class__ is not str:
            return None
        texts.append(content)
        if message["role"] != role:
            role = message["role"]
            turns += 1
    if sum(map(len, texts)) > _LITTLE:
        return None
    text = sum(map(count_text, texts)) * costs_of(model.id).text_percent
    return _PROMPT + turns * _TURN + (text + 50) // 100 + _END


class Prompt:
    """What was read so far. `waiting` are lists still to be read, each with the method for one item.

    What a part costs depends on nothing behind it but `citations` and on which thinking is kept, so that the tokens of
    a prefix are the same in every request that begins with it.
    """

    __slots__ = (
        "_costs",
        "_deferred",
        "_front",
        "_kept_thinking",
        "_model",
        "_place",
        "_referenced",
        "_request",
        "_role",
        "citations",
        "fixed",
        "images",
        "text_tokens",
        "texts",
        "waiting",
    )

    def __init__(self, request: dict[str, Any], model: Model) -> None:
        self._request = request
        self._model = model
        self._costs = costs_of(model.id)
        self.texts: list[str] = []
        self.text_tokens = 0
        self.fixed = _PROMPT
        self.waiting: list[tuple[list[Any], Callable[[Any], Scan | None]]] = []
        self._front: tuple[list[str], int, int, bool] = ([], 0, 0, False)
        self._role: str | None = None
        self.citations = False
        self.images = False
        self._place = -1
        self._kept_thinking: int | None = None
        self._deferred: dict[str, _Block] = {}
        self._referenced: set[str] = set()

    def copied(self, request: dict[str, Any]) -> Prompt:
        """The same reading, to be gone on with for `request`, which is the same up to here. Nothing may be waiting, nor
        any text."""
        copy = Prompt(request, self._model)
        copy.text_tokens, copy.fixed = self.text_tokens, self.fixed
        copy.citations, copy.images = self.citations, self.images
        copy._front, copy._role, copy._place = self._front, self._role, self._place
        copy._deferred, copy._referenced = self._deferred, set(self._referenced)
        return copy

    def reads(self, model: Model) -> bool:
        """Whether it is for `model` that it reads, and what it has read counts the same however the prompt goes on."""
        return self._model is model and (model.keeps_thinking or self._kept_thinking is None)

    def tokens(self, fixed: int, text_tokens: int, *, citations: bool) -> int:
        """The tokens of a prompt of which so much was read."""
        text = (text_tokens * self._costs.text_percent + 50) // 100
        return fixed + text + (_CITATIONS_PROMPT if citations else 0)

    def all_tokens(self) -> int:
        return self.tokens(self.fixed, self.text_tokens, citations=self.citations)

    # What stands before the messages

    def read_front(self) -> None:
        offered = self.read_tool_prompt()
        if offered:
            self.waiting.append((offered, self.read_tool))
        self.read_content(self._request.get("system"))
        self.read_settings()

    def read_tool_prompt(self) -> list[_Block]:
        """What comes with having tools at all. Returns those to be read: deferred ones are not before they are found
        (tool-search-tool.md)."""
        tools = cast("list[_Block]", self._request.get("tools") or [])
        if tools:
            model = self._model
            self.fixed += min(model.tool_prompt_tokens, model.forced_tool_prompt_tokens)
            self._deferred = {tool["name"]: tool for tool in tools if deferred_tool(tool)}
            if self._deferred:
                self.text_tokens += _DEFERRED_PROMPT
                return [tool for tool in tools if not deferred_tool(tool)]
        return tools

    def read_settings(self) -> None:
        """What the request's parameters add. It stands before the messages: changing them leaves the cache of tools and
        system as it is (prompt-caching.md)."""
        request = self._request
        if request.get("tools"):
            choice = cast("dict[str, Any]", request.get("tool_choice") or {"type": "auto"})
            forced, free = self._model.forced_tool_prompt_tokens, self._model.tool_prompt_tokens
            self.fixed += (forced if choice["type"] in {"any", "tool"} else free) - min(forced, free)
        thinking = request.get("thinking")
        if thinking and thinking.get("type") == "enabled":
            self.fixed += self._costs.thinking_prompt
        output_format = output_format_of(request)
        if output_format:
            self.fixed += _FORMAT_PROMPT
            self.texts.append(to_json(output_format["schema"]))

    def end_front(self) -> None:
        """Remember where the messages begin: what a compaction stands for is read no more."""
        self._front = (self.texts, self.text_tokens, self.fixed, self.citations)
        self.texts = []

    def read_tool(self, tool: _Block) -> None:
        self.fixed += built_in_tool_tokens(tool)
        self.text_tokens += TOOL
        self.texts += definition_of(tool)
        self._cited(tool)
        listed = tool.get("tools")
        if listed:
            self.waiting.append((listed, self.read_tool))

    # Messages

    def read_message(self, message: _Block) -> None:
        role = message["role"]
        self._place += 1
        if role != self._role:
            self._role = role
            self.fixed += _TURN
        self.read_content(message.get("content"))

    def end_messages(self) -> None:
        """Take what stood aside, and what is behind the last message."""
        self.texts += self._front[0]
        self.fixed += _END

    def read_content(self, content: str | list[_Block] | None) -> None:
        if isinstance(content, str):
            self.texts.append(content)
        elif content:
            if len(content) <= _SHORT and all(block["type"] == "text" for block in content):
                self.texts += [block["text"] for block in content]
            else:
                self.waiting.append((content, self.read_block))

    def read_block(self, block: _Block) -> Scan | None:
        """Take one block of whatever kind. A PDF comes back as its scan, which takes time."""
        match block["type"]:
            case "text":
                self.texts.append(block["text"])
            case "image":
                self.images = True
                self.fixed += image_tokens(block["source"], self._costs)
            case "document":
                return self._document(block)
            case "search_result":
                self.text_tokens += _BLOCK
                self.texts += (block["title"], block["source"])
                self.read_content(block["content"])
                self._cited(block)
            case "thinking":
                if self._sees_thinking():
                    self.texts.append(block["thinking"])
            case "redacted_thinking" | "fallback":
                pass
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                self.text_tokens += _CALL
                self.texts += (block["name"], to_json(block["input"]))
                for name in ("server_name", "toolset_name"):
                    if block.get(name):
                        self.texts.append(block[name])
            case "tool_result" | "mcp_tool_result":
                self.text_tokens += _CALL
                if block.get("toolset_name"):
                    self.texts.append(block["toolset_name"])
                self.read_content(block.get("content"))
            case "tool_reference":
                self.texts.append(block["tool_name"])
                self._refer(block["tool_name"])
            case "compaction":
                self._compaction(block)
            case "tool_addition" | "tool_removal":
                self.text_tokens += _BLOCK
                self._tool_change(block["tool"], added=block["type"] == "tool_addition")
            case "mcp_tool_listing":
                self.text_tokens += _BLOCK
                self.texts.append(block["mcp_server_name"])
                self.waiting.append((block["tools"], self.read_tool))
            case _:
                # Results of server tools, container_upload, browser_state.
                self.text_tokens += _BLOCK
                self._leaves(block)
        return None

    def _document(self, block: _Block) -> Scan | None:
        self.text_tokens += _BLOCK
        self.texts += [block[name] for name in ("title", "context") if block.get(name)]
        self._cited(block)
        source = block["source"]
        match source["type"]:
            case "text":
                self.texts.append(source["data"])
            case "content":
                self.read_content(source["content"])
            case "base64":
                return scan_pages(source["data"])
            case _:
                self.fixed += pdf_tokens(None)
        return None

    def _cited(self, block: _Block) -> None:
        citations = block.get("citations")
        if citations and citations.get("enabled"):
            self.citations = True

    def _sees_thinking(self) -> bool:
        if self._kept_thinking is None:
            self._kept_thinking = kept_thinking_from(self._request["messages"], self._model)
        return self._place >= self._kept_thinking

    def _refer(self, name: str) -> None:
        """A deferred tool's definition is read where the tool is first found."""
        if name not in self._referenced:
            self._referenced.add(name)
            tool = self._deferred.get(name)
            if tool is not None:
                self.read_tool(tool)

    def _compaction(self, block: _Block) -> None:
        """A summary: "all content blocks before it are ignored" (compaction.md). Where it is null there is none."""
        if block.get("content") is not None:
            _, self.text_tokens, self.fixed, self.citations = self._front
            self.images = False
            self.texts.clear()
            self.waiting.clear()
            self._referenced.clear()
            self.fixed += _TURN + _SUMMARY
            self.texts.append(block["content"])
        self.text_tokens += _BLOCK
        if block.get("tool_changes"):
            self.waiting.append((block["tool_changes"], self.read_block))

    def _tool_change(self, tool: _Block, *, added: bool) -> None:
        if tool["type"] == "tool_definition":
            self.read_tool(tool["definition"])
            return
        if tool.get("server_name"):
            self.texts.append(tool["server_name"])
        if tool.get("name"):
            self.texts.append(tool["name"])
            if added:
                self._refer(tool["name"])

    def _leaves(self, value: Any) -> Scan | None:
        """All texts in a part that has no shape of its own to be minded."""
        if isinstance(value, str):
            self.texts.append(value)
        elif isinstance(value, list):
            self.waiting.append((cast("list[Any]", value), self._leaves))
        elif isinstance(value, dict):
            part = cast("_Block", value)
            if part.get("type") in {"document", "tool_reference"}:
                return self.read_block(part)
            for name, item in part.items():
                if name not in _NOT_READ and item is not None:
                    # A part in a part: put aside like a list, so that a PDF in it is paced as well.
                    if isinstance(item, str):
                        self.texts.append(item)
                    elif isinstance(item, dict):
                        self.waiting.append(([item], self._leaves))
                    else:
                        self._leaves(item)
        return None
