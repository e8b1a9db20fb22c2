"""The edits of `context_management`, one after the other, each counted by what it took away.

Source: platform.claude.com/docs build-with-claude/context-editing (2026-08-22). Compaction is no editing: its edit is
read in `compaction`. The client's own request is never changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from understudy.engines.catalog import Model
from understudy.wire.errors import InvalidRequestError

from .thinking import clear_thinking
from .tool_uses import clear_tool_uses, count_tool_uses

Count: TypeAlias = Callable[[dict[str, Any]], Awaitable[int]]
"""Tokens of a request's prompt."""

_Edit: TypeAlias = dict[str, Any]

CLEAR_TOOL_USES: Final = "clear_tool_uses_20250919"
CLEAR_THINKING: Final = "clear_thinking_20251015"

_TRIGGER: Final[_Edit] = {"type": "input_tokens", "value": 100_000}


@dataclass(frozen=True, slots=True)
class Edited:
    """A request after its edits. `request` is the very object that came where nothing was cleared.

    `applied_edits` are the entries of the answer's `context_management`. `original_input_tokens` counts the prompt
    before, `input_tokens` after.
    """

    request: dict[str, Any]
    applied_edits: list[dict[str, Any]]
    original_input_tokens: int
    input_tokens: int


async def edit_context(request: dict[str, Any], model: Model, count: Count) -> Edited:
    """Apply the edits of a validated request. Raises InvalidRequestError for those that cannot be."""
    edits = _edits(request)
    _check(edits, request, model)
    original = tokens = await count(request)
    applied: list[dict[str, Any]] = []
    for edit in edits:
        if edit["type"] == CLEAR_THINKING:
            changed, cleared = clear_thinking(request, model, edit.get("keep"))
            name = "cleared_thinking_turns"
        elif edit["type"] == CLEAR_TOOL_USES and _triggered(edit, request, tokens):
            changed, cleared = clear_tool_uses(request, edit)
            name = "cleared_tool_uses"
        else:
            continue
        if not cleared:
            continue
        left = await count(changed)
        if edit["type"] == CLEAR_TOOL_USES and tokens - left < _at_least(edit):
            continue
        applied.append({"type": edit["type"], name: cleared, "cleared_input_tokens": max(tokens - left, 0)})
        request, tokens = changed, left
    return Edited(request, applied, original, tokens)


def _edits(request: dict[str, Any]) -> list[_Edit]:
    management = cast("dict[str, Any]", request.get("context_management") or {})
    return management.get("edits") or []


def _check(edits: list[_Edit], request: dict[str, Any], model: Model) -> None:
    for place, edit in enumerate(edits):
        if edit["type"] not in model.capabilities.context_management:
            # The models of the catalog that have no context editing are those before it; no wording was seen [guess].
            raise InvalidRequestError(f"`{edit['type']}` strategy is not supported for this model.")
        if edit["type"] != CLEAR_THINKING:
            continue
        if place:
            # "must be listed first in the `edits` array"; the wording of the refusal was not seen [guess].
            raise InvalidRequestError(f"`{CLEAR_THINKING}` strategy must be listed first in `context_management.edits`")
        thinking = request.get("thinking")
        thinks = model.thinks_by_default if thinking is None else thinking["type"] in {"enabled", "adaptive"}
        if not thinks:
            # Observed, 2026-05 to 2026-09.
            raise InvalidRequestError(f"`{CLEAR_THINKING}` strategy requires `thinking` to be enabled or adaptive")


def _triggered(edit: _Edit, request: dict[str, Any], tokens: int) -> bool:
    """ "Once the prompt exceeds this threshold": what an edit before this one took away does not count any more."""
    trigger: _Edit = edit.get("trigger") or _TRIGGER
    size = tokens if trigger["type"] == "input_tokens" else count_tool_uses(request["messages"])
    return size > trigger["value"]


def _at_least(edit: _Edit) -> int:
    """Fewer tokens than these are not worth it. Clearing that would make the prompt longer never is [guess]."""
    least: _Edit | None = edit.get("clear_at_least")
    return 1 if least is None else max(least["value"], 1)
