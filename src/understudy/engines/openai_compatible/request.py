"""A Messages request as the body of POST /chat/completions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from understudy.engines.engine import EngineTurn
from understudy.wire.errors import InvalidRequestError
from understudy.wire.output_format import output_format_of

from .content import Reader
from .dialects import Dialect
from .history import History
from .messages import begun_by_client, upstream_messages
from .pages import NO_IMAGES, PageImages
from .tools import Names, functions

_Block: TypeAlias = dict[str, Any]

# `reasoning_effort` has three names that every server knows.
_EFFORTS: Final = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
# [guess] Up to how many tokens of a budget an effort is meant; nothing is published that compares the two.
_BUDGETS: Final = ((4_096, "low"), (16_384, "medium"))

TRANSLATED: Final = frozenset(
    {
        "tool_choice",
        "tools",
        "messages",
        "system",
        "thinking",
        "output_config",
        "output_format",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
    }
)
"""Fields of a request that are translated here. The rest stands in `left_out`."""


@dataclass(frozen=True, slots=True)
class Translated:
    """`calls`: whether the model may call tools; `forced`: whether it must; `one_call`: whether once at most."""

    body: _Block
    names: Names
    calls: bool
    forced: bool
    one_call: bool


def translate(
    turn: EngineTurn, dialect: Dialect, images: PageImages = NO_IMAGES, history: History | None = None
) -> Translated:
    """`images` are those of `page_images`. With a `history` parts of the body may be JSON already. Raises
    InvalidRequestError, naming the field, for what cannot be said to the upstream."""
    request, names = turn.request, Names()
    choice = cast("_Block", request.get("tool_choice") or {"type": "auto"})
    kind: str = choice["type"]
    forced = kind in {"any", "tool"}
    if forced and not dialect.tool_choice:
        raise InvalidRequestError(
            f"tool_choice: the model behind `{request['model']}` cannot be made to call a tool; `auto` and `none` are "
            "supported."
        )
    known = None if history is None or turn.server_functions else history.find(request["messages"])
    tools = functions(request, names, turn.server_functions, history, known)
    reader = Reader(request, turn.materials, vision=dialect.vision, images=images)
    begun = begun_by_client(request, dialect)
    body: _Block = {
        "model": turn.model.upstream,
        "messages": upstream_messages(request, reader, dialect, names, turn.server_functions, history, known),
        "stream": True,
        "stream_options": {"include_usage": True},
        # An upstream refuses nought; what it then says is dropped.
        dialect.max_tokens_field: max(turn.max_tokens, 1),
    }
    if dialect.stream_usage:
        body["stream_options"]["continuous_usage_stats"] = True
    if begun and dialect.prefill == "continue_final_message":
        body["add_generation_prompt"] = False
        body["continue_final_message"] = True
    one_call = bool(choice.get("disable_parallel_tool_use"))
    if tools and (dialect.tool_choice or kind != "none"):
        body["tools"] = tools
        if kind == "tool":
            body["tool_choice"] = {
                "type": "function",
                "function": {"name": names.of_choice(choice["name"], turn.server_functions)},
            }
        elif turn.summarizes:
            if dialect.tool_choice:
                body["tool_choice"] = "none"
        elif kind != "auto":
            body["tool_choice"] = "required" if kind == "any" else "none"
        if one_call and dialect.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    _sampling(request, dialect, body)
    _format(request, dialect, body)
    _thinking(turn, dialect, body)
    body.update(dialect.extra_body)
    return Translated(body, names, bool(tools) and kind != "none", forced, one_call)


def _sampling(request: _Block, dialect: Dialect, body: _Block) -> None:
    for name in ("temperature", "top_p"):
        if request.get(name) is not None:
            body[name] = request[name]
    top_k = request.get("top_k")
    # Less than one is no limit.
    if top_k is not None and top_k > 0:
        if not dialect.top_k:
            raise InvalidRequestError(f"top_k: the model behind `{request['model']}` has no such parameter.")
        body["top_k"] = top_k


def _format(request: _Block, dialect: Dialect, body: _Block) -> None:
    wanted = output_format_of(request)
    if not wanted:
        return
    schema = wanted["schema"]
    match dialect.structured_outputs:
        case "response_format":
            named = {"name": "answer", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        case "format":
            body["format"] = schema
        case None:
            raise InvalidRequestError(
                f"output_config.format: the model behind `{request['model']}` cannot be held to a schema."
            )


def _object(request: _Block, name: str) -> _Block:
    return cast("_Block", request.get(name) or {})


def _thinking(turn: EngineTurn, dialect: Dialect, body: _Block) -> None:
    request = turn.request
    thinks = turn.thinking is not None
    if dialect.thinking == "chat_template_kwargs":
        # Templates have either name for it, and pass over the other.
        body["chat_template_kwargs"] = {"enable_thinking": thinks, "thinking": thinks}
    if dialect.thinking is None:
        return
    effort = _effort(request) if thinks else dialect.no_effort
    if effort is not None:
        body["reasoning_effort"] = effort


def _effort(request: _Block) -> str | None:
    """The effort that is asked for: by the last system message that does, else for the request, else by the budget."""
    wanted = _object(request, "output_config").get("effort")
    for message in cast("list[_Block]", request["messages"]):
        config = message.get("output_config")
        if config and config.get("effort"):
            wanted = config["effort"]
    if wanted:
        return _EFFORTS[wanted]
    budget = _object(request, "thinking").get("budget_tokens")
    if budget is None:
        return None
    return next((name for most, name in _BUDGETS if budget <= most), "high")
