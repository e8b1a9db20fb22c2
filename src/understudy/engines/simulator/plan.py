"""What the simulator decides to do: think, call tools, answer in words or in the wanted form, or refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import orjson

from understudy.engines.engine import EngineTurn
from understudy.engines.materials import Materials
from understudy.engines.simulator.answers import compose, told_by_tools
from understudy.engines.simulator.budgets import stops_short
from understudy.engines.simulator.compacted import summary_of, without_compacted
from understudy.engines.simulator.conversation import Conversation, converse
from understudy.engines.simulator.history import history_of
from understudy.engines.simulator.parts import Call, Part, Redacted, Refusal, Text, Thinking
from understudy.engines.simulator.quoting import quoted
from understudy.engines.simulator.reading import read
from understudy.engines.simulator.seeded import Seeded
from understudy.engines.simulator.tags import in_tags
from understudy.engines.simulator.thoughts import thoughts, thoughts_about_calls, worth_a_thought
from understudy.engines.simulator.tool_changes import with_changed_tools
from understudy.wire.advising import SYSTEM as ADVISING
from understudy.wire.output_format import output_format_of

# Documented for tests of one's own handling of them (handling-stop-reasons.md, extended-thinking.md of 2025). Put
# together here: written out, the first stops any assistant that reads this file.
_TRIGGER: Final = "ANTHROPIC_MAGIC_STRING_TRIGGER_"
_REFUSAL: Final = _TRIGGER + "REFUSAL_1FAEFB6177B4672DEE07F9D3AFC62588CCD2631EDCF22E8CCC1FB35B501C9C86"
_REDACTED: Final = _TRIGGER + "REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"

_EXPLANATION: Final = "The request holds the documented test string that triggers a refusal."

_SeedOnDemand = Callable[[], Seeded]


def chooses(request: dict[str, Any]) -> bool:
    """Whether an answer takes what is loaded with the first such request only: the choice of tools, and schemas."""
    return bool(request.get("tools")) or output_format_of(request) is not None


def plan(turn: EngineTurn, seeded: _SeedOnDemand) -> list[Part]:
    """The parts of the answer, in order. The same turn and seed give the same parts."""
    history = history_of(turn.tenant, turn.request["messages"], turn.input_tokens)
    request = turn.request
    if history is None or not history.plain:
        history = None
        if any(message["role"] == "system" for message in request["messages"]):
            turn = with_changed_tools(turn)
        request = without_compacted(turn.request)
    if turn.summarizes:
        return [Text(summary_of(request))]
    if request.get("system") == ADVISING:
        from understudy.engines.simulator.advising import advise

        return [Text(advise(request))]
    if request is not turn.request:
        turn = replace(turn, request=request)
    reading = read(request, turn.materials, history)
    asked = reading.asked
    triggered = _TRIGGER in asked
    # [guess] The string is there to try what follows a refusal: a fallback is not stopped by it.
    if triggered and _REFUSAL in asked and not turn.declined_before:
        return [Refusal(_EXPLANATION)]
    tools = request.get("tools")
    output_format = output_format_of(request)
    plain = not tools and output_format is None and turn.thinking is None and not reading.cites
    if plain and "<" not in asked:
        return [Text(compose(reading, seeded))]
    conversation = converse(request, reading, turn.server_functions)
    calls: list[Call] = []
    served: list[Part] = []
    if turn.server_functions:
        from understudy.engines.simulator.serving import next_parts

        served = next_parts(turn, conversation, seeded)
    calls = [part for part in served if isinstance(part, Call)]
    if tools and not served:
        calls = _calls_of_client(request, conversation, seeded, turn.tenant)
    parts: list[Part] = []
    if triggered and _REDACTED in asked and turn.thinking is not None:
        parts.append(Redacted(thoughts(conversation, seeded)))
    if turn.thinking is not None and _thinks(turn, conversation, calls):
        about = thoughts_about_calls(conversation, calls) if calls else thoughts(conversation, seeded)
        parts.append(Thinking(about))
    if calls:
        stopped = None if _is_forced(request) else stops_short(request)
        if stopped is None:
            return [*parts, *calls]
        brought = [call.result for call in conversation.calls if call.result]
        return [*parts, Text(f"{stopped} {told_by_tools(brought, [], ())}" if brought else stopped)]
    if served and output_format is None:
        return [*parts, *served]
    if output_format is not None:
        from understudy.engines.simulator.inputs import build_output

        value = build_output(output_format["schema"], conversation.asked, conversation.context(), seeded)
        return [*parts, Text(orjson.dumps(value).decode())]
    if reading.cites:
        cited = quoted(conversation.asked, turn.materials)
        if cited:
            return [*parts, *cited]
    wrapped = in_tags(conversation)
    if wrapped is not None:
        return [*parts, Text(wrapped)]
    if conversation.calls and conversation.calls[-1].served:
        brought = [call.result for call in conversation.calls if call.result]
        return [*parts, Text(told_by_tools(brought, [], ()))]
    if conversation.calls and not asked:
        answer = _from_results(conversation, turn.materials)
    else:
        answer = compose(reading, seeded)
    if any(function.name == "advisor" for function in turn.server_functions):
        from understudy.engines.simulator.advising import with_advice

        answer = with_advice(conversation, answer)
    return [*parts, Text(answer)]


def _is_forced(request: dict[str, Any]) -> bool:
    choice = request.get("tool_choice")
    return choice is not None and choice["type"] in {"any", "tool"}


def _calls_of_client(
    request: dict[str, Any], conversation: Conversation, seeded: _SeedOnDemand, tenant: str | None
) -> list[Call]:
    from understudy.engines.simulator.calling import calls_for

    choice = request.get("tool_choice")
    if any(tool.get("defer_loading") for tool in request["tools"]) and (choice is None or choice["type"] == "auto"):
        from understudy.engines.simulator.finding import search_with_client

        search = search_with_client(conversation, seeded)
        if search is not None:
            return [search]
    return calls_for(request, conversation, seeded, tenant)


def _from_results(conversation: Conversation, materials: Materials) -> str:
    """What the tools brought last: texts, and the documents and images among them, which are the request's last."""
    documents, images = conversation.brought()
    told: list[str] = []
    for document in materials.documents[len(materials.documents) - documents :]:
        told += document.parts
    shown = materials.images[len(materials.images) - images :]
    return told_by_tools(conversation.reading.tool_results, told, shown)


def _thinks(turn: EngineTurn, conversation: Conversation, calls: list[Call]) -> bool:
    """Whether this answer begins with thinking: always where it was asked for, else where there is something to it."""
    if turn.thinking == "enabled":
        # Without interleaving, a turn thinks once, before its first call (extended-thinking.md).
        return not conversation.calls and turn.request["messages"][-1]["role"] != "assistant"
    if turn.thinking == "between_tools":
        return bool(conversation.calls)
    config: dict[str, Any] = turn.request.get("output_config") or {}
    return worth_a_thought(conversation.asked, config.get("effort"), calling=bool(calls))
