"""What stands before a block of thinking, as three digests: the system prompt, the tools, and the messages.

Not part of it (documented, preserved-thinking.md): cache_control, deferred tools that nothing refers to yet, thinking,
and all parameters beside these three. Left out as well: what the assistant itself said since the last message of
another, so that an answer in several parts may be sent back as one message or as several.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, cast

from understudy.messages.counting.tools import deferred_tool
from understudy.wire.json_text import canonical_json

_Block = dict[str, Any]

THINKING: Final = frozenset({"thinking", "redacted_thinking"})
_SIZE: Final = 16
# The first block of Claude Code's system prompt has a number in it that changes with every request, and still "Claude
# Code manages your conversation history" [guess: that the service leaves this block out follows from both].
_ATTRIBUTION: Final = "x-anthropic-billing-header:"


class Prefix:
    """Takes the messages of a request one after the other."""

    __slots__ = ("_deferred", "_messages", "_referenced", "_said", "_system", "_tools", "_tools_digests")

    def __init__(self, request: dict[str, Any]) -> None:
        system = [block for block in _blocks(request.get("system")) if not block["text"].startswith(_ATTRIBUTION)]
        self._system = _digest([canonical_json(_bare(block)) for block in system])
        self._tools: list[bytes] = []
        self._deferred: dict[str, bytes] = {}
        for tool in cast("list[_Block]", request.get("tools") or []):
            if deferred_tool(tool):
                self._deferred[tool["name"]] = canonical_json(_bare(tool))
            else:
                self._tools.append(canonical_json(_bare(tool)))
        self._tools_digests: dict[frozenset[str], bytes] = {}
        self._referenced: frozenset[str] = frozenset()
        self._messages = hashlib.blake2b(digest_size=_SIZE)
        self._said: list[_Block] = []

    def add(self, message: _Block) -> None:
        """Take one message. What an assistant says counts once somebody else's message follows."""
        blocks = _blocks(message.get("content"))
        if message["role"] == "assistant":
            for block in blocks:
                if is_summary(block):
                    self.compacted()
                if block["type"] not in THINKING:
                    self._said.append(block)
            return
        for block in self._said:
            self._take("assistant", block)
        self._said.clear()
        for block in blocks:
            self._take(message["role"], block)

    def compacted(self) -> None:
        """Forget what a summary stands for: "the checked prefix starts at the most recent compaction block"."""
        self._messages = hashlib.blake2b(digest_size=_SIZE)
        self._referenced = frozenset()
        self._said.clear()

    def digest(self) -> bytes:
        """48 bytes for what stands before a block of the assistant's that comes now."""
        tools = self._tools_digests.get(self._referenced)
        if tools is None:
            found = [text for name, text in self._deferred.items() if name in self._referenced]
            # "The set of tools": their order is no matter.
            tools = self._tools_digests[self._referenced] = _digest(sorted(self._tools + found))
        return self._system + tools + self._messages.digest()

    def _take(self, role: str, block: _Block) -> None:
        text = canonical_json(_bare(block))
        self._messages.update(f"{role} {len(text)} ".encode())
        self._messages.update(text)
        if self._deferred:
            found = {name for name in _references(block) if name in self._deferred}
            if found - self._referenced:
                self._referenced |= found


def is_summary(block: _Block) -> bool:
    """Whether a block takes the place of all before it."""
    return block["type"] == "compaction" and block.get("content") is not None


def difference(made: bytes, now: bytes) -> str | None:
    """Where two digests differ: the sentence that names it, empty for the messages; None where they are the same.

    Observed for the first two; nothing was said in the recorded errors about an earlier message that was edited.
    """
    if made == now:
        return None
    if made[:_SIZE] != now[:_SIZE]:
        return " The `system` prompt differs from the one this block was created with."
    if made[_SIZE : 2 * _SIZE] != now[_SIZE : 2 * _SIZE]:
        return " The `tools` list differs from the one this block was created with."
    return ""


def _blocks(content: object) -> list[_Block]:
    """A string is one text block: to mark it for the cache it has to be written as one."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return cast("list[_Block]", content or [])


def _bare(block: _Block) -> _Block:
    """The block without cache_control, nor in what it holds, and without nulls."""
    bare = {name: value for name, value in block.items() if value is not None and name != "cache_control"}
    content = bare.get("content")
    if isinstance(content, list):
        bare["content"] = [_bare(part) for part in cast("list[_Block]", content)]
    source = bare.get("source")
    if isinstance(source, dict):
        bare["source"] = _bare_source(cast("_Block", source))
    return bare


def _bare_source(source: _Block) -> _Block:
    if isinstance(source.get("url"), str):
        # Signed addresses change while their bytes stay. The bytes are not fetched for this, only the place is
        # compared [guess: the service compares the bytes].
        return {**source, "url": source["url"].partition("?")[0]}
    return _bare(source)


def _references(block: _Block) -> list[str]:
    """Names of deferred tools that a block brings into the prompt."""
    if block["type"] == "tool_addition":
        return [block["tool"].get("name") or ""]
    content = block.get("content")
    if isinstance(content, dict):
        content = cast("_Block", content).get("tool_references")
    if not isinstance(content, list):
        return []
    return [part["tool_name"] for part in cast("list[_Block]", content) if part.get("type") == "tool_reference"]


def _digest(texts: list[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=_SIZE)
    for text in texts:
        digest.update(len(text).to_bytes(8, "big"))
        digest.update(text)
    return digest.digest()
