"""A conversation that ends with words of the assistant, which the answer goes on from."""

from __future__ import annotations

from typing import Any, Final, cast

from understudy.engines.catalog import Model
from understudy.wire.server_tools import RESULTS

from .found import Found

# A turn that the service paused is sent back as it came, and goes on (documented for pause_turn). The compaction block
# of a paused compaction stands there alike.
_PAUSED: Final = frozenset({"server_tool_use", "mcp_tool_use", "mcp_tool_result", "compaction", *RESULTS})


def prefill_fault(messages: list[dict[str, Any]], found: Found, model: Model) -> str | None:
    """The rules for a last turn of the assistant's. An empty one is taken by every model (observed, 2026-08)."""
    if found.last_empty:
        return None
    last = next(message for message in reversed(messages) if message.get("content"))
    content: str | list[dict[str, Any]] = last["content"]
    if isinstance(content, list) and not _PAUSED.isdisjoint([block["type"] for block in content]):
        return None
    if not model.prefill:
        return "This model does not support assistant message prefill. The conversation must end with a user message."
    text = content if isinstance(content, str) else cast("str", content[-1].get("text", ""))
    if text and text[-1].isspace():
        return "messages: final assistant content cannot end with trailing whitespace"
    return None
