"""Thinking and effort: what each model takes, and what the end of the conversation must look like."""

from __future__ import annotations

from typing import Any, Final, cast

from understudy.engines.catalog import EFFORTS, Effort, Model

from .found import Found
from .texts import BUDGET_OVER_MAX_TOKENS, FIRST_BLOCK_NOT_THINKING

_THINKING_BLOCKS: Final = frozenset({"thinking", "redacted_thinking"})


def thinking_fault(thinking: dict[str, Any], request: dict[str, Any], model: Model) -> str | None:
    """`thinking` against the model, max_tokens and tool_choice. Texts: documented for each model, 2026-10."""
    kind = thinking["type"]
    if kind not in model.capabilities.thinking:
        return _unsupported(kind, model)
    if kind == "enabled":
        max_tokens = request.get("max_tokens")
        if max_tokens is not None and thinking["budget_tokens"] >= max_tokens:
            return BUDGET_OVER_MAX_TOKENS
        choice = request.get("tool_choice")
        if choice and choice["type"] in {"any", "tool"}:
            return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def _unsupported(kind: str, model: Model) -> str:
    if kind == "adaptive":
        return "adaptive thinking is not supported on this model"
    if kind == "between_tools":
        return '"thinking.type.between_tools" is not supported for this model.'
    if kind == "disabled":
        if "between_tools" in model.capabilities.thinking:
            return (
                'To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of {"type": '
                '"disabled"}. The model does not think before responding. The short updates it writes between tool '
                "calls come back as thinking blocks."
            )
        if model.extended_thinking_advised:
            return (
                '"thinking.type.disabled" is not supported for this model. Thinking defaults to adaptive mode when not '
                'specified; use "thinking.type.enabled" with "budget_tokens" for extended thinking.'
            )
    elif not model.capabilities.thinks:
        # Models before extended thinking; no wording was seen [guess].
        return f"'{model.id}' does not support thinking."
    return (
        f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.adaptive" and '
        '"output_config.effort" to control thinking behavior.'
    )


def effort_fault(effort: Effort, thinking_type: str | None, model: Model) -> str | None:
    levels = model.capabilities.effort
    if not levels:
        return "This model does not support the effort parameter."
    if effort not in levels:
        return f"This model does not support effort level '{effort}'. Supported levels: {', '.join(sorted(levels))}."
    highest = model.disabled_thinking_max_effort
    if highest is None or thinking_type not in {"disabled", "between_tools"}:
        return None
    if EFFORTS.index(effort) > EFFORTS.index(highest):
        return (
            f"output_config.effort '{effort}' is not supported when thinking is disabled on this model. Use effort "
            f"'{highest}' or below, or enable thinking."
        )
    return None


def changed_effort_fault(effort: str | None, thinking_type: str | None, found: Found, model: Model) -> str | None:
    """Effort that a message changes where thinking is off: documented for the models that bound effort there."""
    if found.efforts is None or thinking_type not in {"disabled", "between_tools"}:
        return None
    if model.disabled_thinking_max_effort is None:
        return None
    before = effort or model.default_effort
    for index, wanted in found.efforts:
        if wanted != before:
            return (
                f"messages.{index}: output_config.effort '{wanted}' differs from the '{before}' in effect before it; "
                f"effort cannot change when thinking is disabled on this model. Use effort '{before}', or enable "
                "thinking."
            )
    return None


def last_turn_fault(
    messages: list[dict[str, Any]], thinking_type: str | None, found: Found, model: Model
) -> str | None:
    """Thinking blocks at the end of the conversation, against `thinking`."""
    if thinking_type == "enabled":
        start = _start_of_last_turn(messages)
        return None if start is None else _must_begin_with_thinking(messages, start)
    off = thinking_type == "disabled" or (thinking_type is None and not model.thinks_by_default)
    if off and found.last_role == "assistant" and not found.ends_with_system:
        for index in range(found.last_start, len(messages)):
            for place, block in enumerate(_blocks(messages[index])):
                if block["type"] in _THINKING_BLOCKS:
                    return (
                        f"messages.{index}.content.{place}: When thinking is disabled, an `assistant` message in the "
                        f"final position cannot contain `{block['type']}`. To use thinking blocks, enable "
                        "`thinking` in your request."
                    )
    return None


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return cast("list[dict[str, Any]]", content) if isinstance(content, list) else []


def _start_of_last_turn(messages: list[dict[str, Any]]) -> int | None:
    """The first assistant message of the turn that goes on: behind the last user message that is no result of a tool.
    None where the conversation ends with a question."""
    start = None
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message["role"] == "assistant":
            if message["content"]:
                start = index
        elif message["role"] == "user" and message["content"]:
            blocks = _blocks(message)
            if not blocks or blocks[0]["type"] != "tool_result":
                return start
    return start


def _must_begin_with_thinking(messages: list[dict[str, Any]], start: int) -> str | None:
    blocks = _blocks(messages[start])
    kind = blocks[0]["type"] if blocks else "text"
    if kind in _THINKING_BLOCKS:
        return None
    return f"messages.{start}.content.0.type: " + FIRST_BLOCK_NOT_THINKING.format(found=kind)
