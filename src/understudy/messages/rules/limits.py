"""How much may be asked for: max_tokens, the context window, stop sequences; and what a model has no part in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from understudy.engines.catalog import Model
from understudy.engines.engine import PromptTooLongError
from understudy.messages.budgets import task_budget_fault, task_budget_of
from understudy.wire.output_format import output_format_of

_CONTEXT_1M: Final = "context-1m-2025-08-07"
_OUTPUT_128K: Final = "output-128k-2025-02-19"
_OUTPUT_300K: Final = "output-300k-2026-03-24"  # in batches only


def stop_sequences_fault(sequences: list[str]) -> str | None:
    for sequence in sequences:
        if not sequence or sequence.isspace():
            return "stop_sequences: each stop sequence must contain non-whitespace"
    return None


def max_tokens_fault(
    request: dict[str, Any], model: Model, betas: Collection[str], *, batch: bool = False
) -> str | None:
    max_tokens, limit = request["max_tokens"], model.max_tokens
    if max_tokens > limit and batch and model.batch_max_tokens_with_output_300k is not None and _OUTPUT_300K in betas:
        limit = model.batch_max_tokens_with_output_300k
    if max_tokens > limit and model.max_tokens_with_output_128k is not None and _OUTPUT_128K in betas:
        limit = model.max_tokens_with_output_128k
    if max_tokens > limit:
        return (
            f"max_tokens: {max_tokens} > {limit}, which is the maximum allowed number of output tokens for {model.id}"
        )
    if max_tokens == 0:
        # Recorded for batches; elsewhere 0 is a number like others.
        return "max_tokens: must be greater than or equal to 1" if batch else _prewarming_fault(request)
    return None


def _prewarming_fault(request: dict[str, Any]) -> str | None:
    """max_tokens 0 writes the cache and answers nothing. Only the first text was seen; the others follow its form."""
    thinking, choice = request.get("thinking"), request.get("tool_choice")
    if request.get("stream"):
        return "max_tokens: 0 is not allowed with stream: true"
    if thinking and thinking["type"] == "enabled":
        return "max_tokens: 0 is not allowed with thinking.type: enabled"
    if choice and choice["type"] in {"any", "tool"}:
        return f"max_tokens: 0 is not allowed with tool_choice.type: {choice['type']}"
    if output_format_of(request):
        return "max_tokens: 0 is not allowed with output_config.format"
    return None


def unsupported_fault(request: dict[str, Any], model: Model) -> str | None:
    """Parameters that other models have."""
    if not model.inference_geo and request.get("inference_geo") is not None:
        # Documented as a 400; the wording follows the other texts about models [guess].
        return "inference_geo: inference_geo is not supported for this model."
    if not model.fast_mode and request.get("speed") == "fast":
        return f"'{model.id}' does not support the `speed` parameter."
    budget = task_budget_of(request)
    return None if budget is None else task_budget_fault(budget, model)


def check_prompt_length(input_tokens: int, request: dict[str, Any], model: Model, betas: Collection[str] = ()) -> None:
    """Clients read the numbers out of these texts to shorten their prompt."""
    window = model.max_input_tokens
    if model.max_input_tokens_with_context_1m is not None and _CONTEXT_1M in betas:
        window = model.max_input_tokens_with_context_1m
    if input_tokens > window:
        raise PromptTooLongError(f"prompt is too long: {input_tokens} tokens > {window} maximum")
    max_tokens = request["max_tokens"]
    if not model.stops_at_context_window and input_tokens + max_tokens > window:
        raise PromptTooLongError(
            f"input length and `max_tokens` exceed context limit: {input_tokens} + {max_tokens} > {window}, decrease "
            "input length or `max_tokens` and try again",
            max(window - input_tokens, 0),
        )
