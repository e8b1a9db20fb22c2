"""A turn as the body of POST /v1/messages, and the betas that its fields need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from understudy.engines.engine import EngineTurn

from .left_out import FIELDS
from .thinking import KINDS, going_on_without

_Block: TypeAlias = dict[str, Any]

VERSION: Final = "2023-06-01"
"""The `anthropic-version` of what is sent. Newer versions only take fields away, and whether the request may have them
was judged before."""

# The smallest budget that there is (messages API reference).
_LEAST_BUDGET: Final = 1_024

# What needs a beta, as `wire/requests` has it.
_OF_TOOLS: Final = {
    "advisor_20260301": "advisor-tool-2026-03-01",
    "bash_20241022": "computer-use-2024-10-22",
    "computer_20241022": "computer-use-2024-10-22",
    "text_editor_20241022": "computer-use-2024-10-22",
    "mcp_toolset": "mcp-client-2026-09-15",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
}
_OF_BLOCKS: Final = {
    "advisor_tool_result": "advisor-tool-2026-03-01",
    "compaction": "compact-2026-09-04",
    "fallback": "server-side-fallback-2026-07-01",
    "mcp_tool_listing": "mcp-client-2026-09-15",
    "mcp_tool_result": "mcp-client-2026-09-15",
    "mcp_tool_use": "mcp-client-2026-09-15",
    "tool_addition": "mid-conversation-tool-changes-2026-07-01",
    "tool_removal": "mid-conversation-tool-changes-2026-07-01",
}
_OF_FIELDS: Final = {"speed": "fast-mode-2026-02-01", "safeguards": "dangerous-tool-use-2026-09-03"}
_TASK_BUDGET: Final = "task-budgets-2026-03-13"
_UPDATES: Final = "thinking-display-updates-2026-08-18"
_ADVISOR: Final = "advisor-tool-2026-03-01"
_INLINE_TOOLS: Final = "inline-tools-2026-09-15"
_SYSTEM_OUTPUT_CONFIG: Final = "mid-conversation-output-config-2026-07-01"


@dataclass(frozen=True, slots=True)
class Asked:
    """`betas` is the value of `anthropic-beta`, in order and without repetition."""

    body: _Block
    betas: tuple[str, ...]


def upstream_request(turn: EngineTurn) -> Asked:
    """The request as the upstream gets it. `left_out` says what it does not get."""
    request = turn.request
    body = {name: value for name, value in request.items() if name not in FIELDS and value is not None}
    betas: dict[str, None] = {}
    body["model"] = turn.model.upstream
    body["messages"], thoughtless = _messages(cast("list[_Block]", request["messages"]), betas)
    if thoughtless:
        body = going_on_without(body)
    body["max_tokens"] = turn.max_tokens
    body["stream"] = True
    if "output_format" in body:
        body["output_config"] = {**(body.get("output_config") or {}), "format": body.pop("output_format")}
    if "thinking" in body:
        body["thinking"] = _thinking(body["thinking"], turn.max_tokens)
        if body["thinking"].get("display") == "updates":
            betas[_UPDATES] = None
    for tool in cast("list[_Block]", body.get("tools") or ()):
        beta = _OF_TOOLS.get(tool.get("type") or "")
        if beta is not None:
            betas[beta] = None
    for name, beta in _OF_FIELDS.items():
        if name in body:
            betas[beta] = None
    if cast("_Block", body.get("output_config") or {}).get("task_budget"):
        betas[_TASK_BUDGET] = None
    return Asked(body, tuple(betas))


def _messages(messages: list[_Block], betas: dict[str, None]) -> tuple[list[_Block], bool]:
    """The messages as they are sent, and whether thinking was taken out of them."""
    kept: list[_Block] = []
    thoughtless = False
    for message in messages:
        if "clear_at" in message:
            message = {name: value for name, value in message.items() if name != "clear_at"}
        if message["role"] == "system" and message.get("output_config"):
            betas[_SYSTEM_OUTPUT_CONFIG] = None
        content: Any = message.get("content")
        if isinstance(content, list):
            blocks = cast("list[_Block]", content)
            left = [block for block in blocks if block["type"] not in KINDS]
            for block in left:
                betas.update(dict.fromkeys(_betas_of(block)))
            if len(left) < len(blocks):
                thoughtless = True
                message = {**message, "content": left}
                if not left:
                    continue
        kept.append(message)
    return kept, thoughtless


def _betas_of(block: _Block) -> Iterator[str]:
    kind: str = block["type"]
    if kind in _OF_BLOCKS:
        yield _OF_BLOCKS[kind]
    if kind == "tool_addition" and block["tool"]["type"] == "tool_definition":
        yield _INLINE_TOOLS
        beta = _OF_TOOLS.get(block["tool"]["definition"].get("type") or "")
        if beta is not None:
            yield beta
    elif kind == "server_tool_use" and block["name"] == "advisor":
        yield _ADVISOR
    elif kind == "compaction":
        for change in cast("list[_Block]", block.get("tool_changes") or ()):
            yield from _betas_of(change)


def _thinking(thinking: _Block, max_tokens: int) -> _Block:
    """`thinking` with a budget that `max_tokens` has room for, and off where there is none."""
    if thinking["type"] == "enabled":
        budget = min(thinking["budget_tokens"], max_tokens - 1)
        if budget < _LEAST_BUDGET:
            return {"type": "disabled"}
        thinking = {**thinking, "budget_tokens": budget}
    return {name: value for name, value in thinking.items() if name != "block_binding" and value is not None}
