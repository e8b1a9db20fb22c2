"""What is asked of one answer, apart from its prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from understudy.engines.engine import EngineTurn
from understudy.engines.openai_compatible.messages import is_begun
from understudy.engines.openai_compatible.request import Translated
from understudy.engines.openai_compatible.tools import Names
from understudy.wire.output_format import output_format_of

# Stop sequences that llama.cpp looks for. The turn cuts at all of them, so these only spare it some decoding.
_MOST_STOPS: Final = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """`functions`: the inputs' schemas by upstream name, empty where no tool may be called. `forced`: a call must come;
    `chosen` then are the names it may have. `schema`: of an answer that must be JSON. `budget`: tokens of thinking,
    None where there is no bound but `max_tokens`. `begun`: the client wrote the beginning of the answer.
    """

    names: Names
    functions: Mapping[str, Mapping[str, Any]]
    forced: bool
    chosen: tuple[str, ...]
    one_call: bool
    schema: Mapping[str, Any] | None
    thinks: bool
    budget: int | None
    begun: bool
    opened: bool
    stops: tuple[str, ...]
    max_tokens: int


def plan(turn: EngineTurn, translated: Translated, *, opened: bool) -> Plan:
    request, body = turn.request, translated.body
    functions: dict[str, Mapping[str, Any]] = {}
    # The tools stay in the prompt of a summary, most of which is in the slot's memory so, yet none may be called.
    if translated.calls and not turn.summarizes:
        for tool in cast("list[dict[str, Any]]", body.get("tools") or []):
            functions[tool["function"]["name"]] = tool["function"]["parameters"]
    choice: Any = body.get("tool_choice")
    named = tuple(functions)
    if isinstance(choice, dict):
        named = (cast("dict[str, Any]", choice)["function"]["name"],)
    wanted = output_format_of(request)
    thinking = cast("dict[str, Any]", request.get("thinking") or {})
    stops = tuple(turn.stop_sequences[:_MOST_STOPS])
    return Plan(
        names=translated.names,
        functions=functions,
        forced=translated.forced and bool(functions),
        chosen=named,
        one_call=translated.one_call,
        schema=wanted["schema"] if wanted else None,
        thinks=turn.thinking is not None,
        budget=thinking.get("budget_tokens"),
        begun=is_begun(request),
        opened=opened,
        stops=stops,
        max_tokens=turn.max_tokens,
    )
