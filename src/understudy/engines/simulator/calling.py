"""The calls of an answer: which of the offered tools, and with which inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from understudy.engines.by_identity import ByIdentity
from understudy.engines.simulator.choosing import Choice, Situation, choose
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.inputs import build_input
from understudy.engines.simulator.parts import Call
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import ClientTool, client_tools
from understudy.wire.json_text import canonical_json

_SeedOnDemand = Callable[[], Seeded]


def calls_for(
    request: dict[str, Any], conversation: Conversation, seeded: _SeedOnDemand, tenant: str | None = None
) -> list[Call]:
    """The calls that the answer makes, with their inputs; none where none fits or all is done."""
    choice: dict[str, Any] = request.get("tool_choice") or {"type": "auto"}
    kind = choice["type"]
    if kind == "none":
        return []
    tools = _tools_of(request["tools"], conversation)
    parallel = not choice.get("disable_parallel_tool_use")
    if kind == "tool":
        forced = next((tool for tool in tools if tool.name == choice["name"]), None)
        chosen: Sequence[Choice] = [] if forced is None else [Choice(forced, conversation.asked)]
    else:
        situation = Situation(
            asked=conversation.asked,
            earlier=conversation.earlier(),
            calls=[(call.name, call.input, call.result, call.is_error) for call in conversation.calls],
            system=conversation.system(),
            tenant=tenant or "",
            made=conversation.made_before(),
        )
        chosen = choose(tools, situation, must=kind == "any", parallel=parallel)
    forced_one = kind in {"any", "tool"}
    calls = _filled(chosen, conversation, seeded, () if forced_one else _made(conversation))
    if not calls and forced_one and tools:
        # The caller wants a call, whatever fits.
        calls = _filled([Choice(tools[0], conversation.asked)], conversation, seeded, ())
    return calls if parallel else calls[:1]


# The tools of the requests before, as they were given and as they are called.
_known: Final[ByIdentity[list[ClientTool]]] = ByIdentity(8)


def _tools_of(given: list[dict[str, Any]], conversation: Conversation) -> Sequence[ClientTool]:
    """The client's tools; the very same for the same objects, unless some may be deferred."""
    if any("defer_loading" in tool or "configs" in tool for tool in given):
        return client_tools(given, conversation.loaded_tools())
    tools = _known.find(given)
    if tools is None:
        tools = client_tools(given)
        _known.keep(given, tools)
    return tools


def _made(conversation: Conversation) -> set[bytes]:
    return {canonical_json([call.name, call.input]) for call in conversation.calls}


def _filled(
    chosen: Sequence[Choice], conversation: Conversation, seeded: _SeedOnDemand, made: Collection[bytes]
) -> list[Call]:
    """The chosen tools with their inputs; a call that was made before is not made again."""
    if not chosen:
        return []
    known = set(made)
    context = conversation.context()
    calls: list[Call] = []
    for choice in chosen:
        tool = choice.tool
        value = build_input(tool, choice.ask, context, seeded)
        key = canonical_json([tool.name, value])
        if key not in known:
            known.add(key)
            calls.append(Call(tool.name, value, tool.toolset_name))
    return calls
