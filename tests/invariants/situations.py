"""Whether the situations of `wire/not_prompted` hold for a text of a request, told from the request alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from invariants.request_leaves import Place
from understudy.engines.catalog import Model
from understudy.wire.not_prompted import CLEARED, COMPACTED, DEFERRED, EARLIER_TURN

Request: TypeAlias = dict[str, Any]


def _last_summary(request: Request) -> tuple[int, int]:
    """The place of the last compaction block with a summary."""
    return max(
        (
            (index, place)
            for index, message in enumerate(request["messages"])
            if isinstance(message["content"], list)
            for place, block in enumerate(message["content"])
            if block["type"] == "compaction" and block["content"] is not None
        ),
        default=(-1, -1),
    )


def _compacted(request: Request, place: Place, model: Model) -> bool:
    if place.where[0] != "messages":
        return False
    _, message, *rest = place.where
    # A content that is one text is its own first block.
    block = rest[1] if len(rest) > 1 else 0
    return (message, block) < _last_summary(request)


def _deferred(request: Request, place: Place, model: Model) -> bool:
    if place.where[0] != "tools":
        return False
    tool = request["tools"][place.where[1]]
    if not tool.get("defer_loading"):
        return False
    cut = _last_summary(request)
    blocks = [
        block
        for index, message in enumerate(request["messages"])
        if isinstance(message["content"], list)
        for at, block in enumerate(message["content"])
        if (index, at) >= cut
    ]
    return tool["name"] not in _referred_to(blocks)


def _referred_to(value: Any) -> set[str]:
    """The names that tool references give, wherever they stand."""
    if isinstance(value, list):
        return {name for part in value for name in _referred_to(part)}
    if not isinstance(value, dict):
        return set()
    if value.get("type") == "tool_removal":
        return set()
    if value.get("type") in {"tool_reference", "mcp_tool_reference"}:
        return {value.get("tool_name") or value["name"]}
    return {name for part in value.values() for name in _referred_to(part)}


def _of_earlier_turn(request: Request, place: Place, model: Model) -> bool:
    if place.where[0] != "messages" or model.keeps_thinking:
        return False
    begins = [
        index
        for index, message in enumerate(request["messages"])
        if message["role"] == "user"
        and (isinstance(message["content"], str) or any(block["type"] != "tool_result" for block in message["content"]))
    ]
    return int(place.where[1]) < max(begins, default=0)


def _cleared(request: Request, place: Place, model: Model) -> bool:
    return False  # these requests ask for no edits


SITUATIONS: Final[dict[str, Callable[[Request, Place, Model], bool]]] = {
    COMPACTED: _compacted,
    DEFERRED: _deferred,
    EARLIER_TURN: _of_earlier_turn,
    CLEARED: _cleared,
}
