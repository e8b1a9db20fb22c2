"""What a request must mean, beyond its shape: rules over the validated request, in the order the service reports.

The first rule that is broken raises; its words are those recorded from the service, or documented by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from understudy.engines.catalog import Model
from understudy.wire.errors import InvalidRequestError

_Messages = list[dict[str, Any]]


def _runs(messages: _Messages) -> Iterator[tuple[int, int, str]]:
    """Runs of neighbours of one role, which the service merges: first index, index after the last, role."""
    start = 0
    for index in range(1, len(messages) + 1):
        if index == len(messages) or messages[index]["role"] != messages[start]["role"]:
            yield start, index, messages[start]["role"]
            start = index


def _check_conversation(messages: _Messages, model: Model) -> None:
    if not messages:
        raise InvalidRequestError("messages: at least one message is required")
    runs = list(_runs(messages))
    for place, (start, end, role) in enumerate(runs):
        if role == "system":
            _check_system_run(messages, start, end, model, runs[place + 1][2] if place + 1 < len(runs) else None)
    for place, (start, end, role) in enumerate(runs):
        empty = all(not message.get("content") for message in messages[start:end])
        last_assistant = role == "assistant" and place == len(runs) - 1
        if empty and role != "system" and not last_assistant:
            if model.mid_conversation_system:
                raise InvalidRequestError(f"messages.{start}: {role} messages must have non-empty content")
            raise InvalidRequestError(
                f"messages.{start}: all messages must have non-empty content except for the optional final assistant "
                "message"
            )


def _check_system_run(messages: _Messages, start: int, end: int, model: Model, following: str | None) -> None:
    if not model.mid_conversation_system:
        raise InvalidRequestError(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" '
            "as an input message role."
        )
    directive = "the directive-only form (content: [] with output_config) is accepted at any position"
    for index in range(start, end):
        message = messages[index]
        content = message.get("content")
        if isinstance(content, list) and any(
            block["type"] not in {"text", "tool_addition", "tool_removal"}
            for block in cast("list[dict[str, Any]]", content)
        ):
            raise InvalidRequestError(
                f"messages.{index}: role 'system' supports text, tool_addition, and tool_removal blocks only"
            )
        if not content and not message.get("output_config"):
            raise InvalidRequestError(f"messages.{index}: system content must contain at least one block")
    if all(not message.get("content") for message in messages[start:end]):
        return
    if start == 0:
        raise InvalidRequestError(
            f"messages.0: use the top-level 'system' parameter for the initial system prompt; {directive}"
        )
    if following not in {None, "assistant"}:
        raise InvalidRequestError(
            f"messages.{end - 1}: role 'system' must precede an 'assistant' message or end the array; {directive}"
        )


def _check_length(request: dict[str, Any], model: Model) -> None:
    max_tokens = request["max_tokens"]
    if max_tokens > model.max_tokens:
        raise InvalidRequestError(
            f"max_tokens: {max_tokens} > {model.max_tokens}, which is the maximum allowed number of output tokens for "
            f"{model.id}"
        )
    if max_tokens == 0 and request.get("stream"):
        raise InvalidRequestError("max_tokens: 0 is not allowed with stream: true")


def _check_texts(request: dict[str, Any]) -> None:
    contents = [request.get("system"), *(message.get("content") for message in request["messages"])]
    for content in contents:
        if isinstance(content, list):
            for block in cast("list[dict[str, Any]]", content):
                if block["type"] == "text" and not block["text"]:
                    raise InvalidRequestError("messages: text content blocks must be non-empty")


def _check_stop_sequences(request: dict[str, Any]) -> None:
    for sequence in cast("list[str]", request.get("stop_sequences") or []):
        if not sequence.strip():
            # Reported by clients; not recorded.
            raise InvalidRequestError("stop_sequences: each stop sequence must contain non-whitespace")


def check_request(request: dict[str, Any], model: Model) -> None:
    """Raise the error the service would report first for a well-formed Messages request."""
    _check_stop_sequences(request)
    _check_conversation(request["messages"], model)
    _check_length(request, model)
    _check_texts(request)


def check_prompt_length(input_tokens: int, model: Model) -> None:
    """Clients read the two numbers out of this text to shorten their prompt."""
    if input_tokens > model.max_input_tokens:
        raise InvalidRequestError(f"prompt is too long: {input_tokens} tokens > {model.max_input_tokens} maximum")
