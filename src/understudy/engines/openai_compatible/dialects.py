"""What servers that all say "OpenAI-compatible" take and give: a row for each kind, and what an operator may change.

Sources: each project's documentation of its /v1/chat/completions (2026-11). What a row does not say of a server is a
matter of the model it serves, so every field can be set by the operator (`dataclasses.replace`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one upstream differs from the others.

    `max_tokens_field`: what the limit of the answer is called. `top_k`: whether it takes `top_k`. `vision`: whether its
    model sees images. `page_images`: how many pages of a request's PDFs are then shown as images beside their text, the
    first ones; 0 for none. `tool_choice`: whether it minds one; where it does not, a forced call is refused.
    `parallel_tool_calls`: whether it takes that switch. `structured_outputs`: where a JSON Schema for the answer goes;
    None where it cannot be had. `thinking`: how thinking is turned on and off; None where the model cannot be told.
    `no_effort`: the `reasoning_effort` that means not to think; None where there is none. `thinking_history`: the field
    of an assistant message that takes its thinking; None leaves it out. `think_tags`: whether thinking stands in the
    text between tags; "open" where the prompt has already opened them. `prefill`: how an answer that the client began
    is gone on with; None refuses it. `late_system`: as whose a system message behind the first is said. `stream_usage`:
    whether each chunk can bear the usage so far. `count_route`: which route counts a prompt, None for none.
    `extra_body`: fields that go into every request as they are.
    """

    name: str
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    top_k: bool = True
    vision: bool = False
    page_images: int = 100
    tool_choice: bool = True
    parallel_tool_calls: bool = True
    structured_outputs: Literal["response_format", "format"] | None = "response_format"
    thinking: Literal["reasoning_effort", "chat_template_kwargs"] | None = "chat_template_kwargs"
    no_effort: str | None = None
    thinking_history: Literal["reasoning", "reasoning_content"] | None = None
    think_tags: Literal["no", "yes", "open"] = "yes"
    prefill: Literal["continue_final_message", "last_message"] | None = None
    # Many templates (Qwen's, Gemma's, Mistral's) refuse a request with one, or take it only at the very beginning.
    late_system: Literal["system", "user"] = "user"
    stream_usage: bool = False
    count_route: Literal["tokenize", "input_tokens"] | None = None
    extra_body: dict[str, Any] = field(default_factory=dict[str, Any])


DIALECTS: Final[dict[str, Dialect]] = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            "openai",
            max_tokens_field="max_completion_tokens",
            top_k=False,
            vision=True,
            thinking="reasoning_effort",
            think_tags="no",
            late_system="system",
        ),
        Dialect(
            "vllm",
            # `reasoning_content` until 0.11, when both were taken.
            thinking_history="reasoning",
            prefill="continue_final_message",
            stream_usage=True,
            count_route="tokenize",
        ),
        Dialect("sglang", thinking_history="reasoning_content", prefill="continue_final_message"),
        # Its list of fields has no tool_choice, and `format` is of its own API: this route takes response_format.
        Dialect(
            "ollama",
            top_k=False,
            tool_choice=False,
            parallel_tool_calls=False,
            thinking="reasoning_effort",
            no_effort="none",
            thinking_history="reasoning",
            prefill="last_message",
        ),
        Dialect("lmstudio", parallel_tool_calls=False, thinking=None, prefill="last_message"),
        Dialect(
            "llama-server",
            thinking_history="reasoning_content",
            prefill="last_message",
            # Counted with the template, as reference engine tests showed of this route.
            count_route="input_tokens",
        ),
        # Any other server: nothing is sent that only some understand.
        Dialect("generic", top_k=False, parallel_tool_calls=False, thinking=None),
    )
}


# What a server may not have at all.
_MAY_BE_NONE: Final = ("structured_outputs", "thinking", "no_effort", "thinking_history", "prefill", "count_route")


def changed(dialect: Dialect, options: Mapping[str, Any]) -> Dialect:
    """`dialect` with what an operator says of the server instead. TOML knows no null, so false turns a feature off.

    Raises ValueError for a name that is no field's, and for a value that the field cannot have.
    """
    fields = get_type_hints(Dialect)
    given: dict[str, Any] = {}
    for name, value in options.items():
        if name not in fields:
            raise ValueError(f"{name}: there is {', '.join(fields)}")
        told = None if value is False and name in _MAY_BE_NONE else value
        try:
            given[name] = TypeAdapter[Any](fields[name]).validate_python(told, strict=True)
        except ValidationError as error:
            raise ValueError(f"{name}: {error.errors(include_url=False)[0]['msg']}") from None
    return replace(dialect, **given)
