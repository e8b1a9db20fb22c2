"""Which of the tools that this server runs the simulator calls next, and what it says of what they brought."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from understudy.engines.engine import EngineTurn
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.parts import Part
from understudy.engines.simulator.seeded import Seeded


def next_parts(turn: EngineTurn, conversation: Conversation, seeded: Callable[[], Seeded]) -> list[Part]:
    """Calls of server functions, or the answer from what they brought; nothing where none of them is asked for."""
    names = {function.name for function in turn.server_functions if function.server_name is None}
    choice = cast("dict[str, Any]", turn.request.get("tool_choice") or {"type": "auto"})
    if not names or choice["type"] == "none":
        return []
    if not names.isdisjoint({"bash_code_execution", "code_execution"}):
        from understudy.engines.simulator.programs.doing import next_part

        part = next_part(turn, conversation)
        if part is not None:
            return [part]
    if not names.isdisjoint({"web_search", "web_fetch"}):
        from understudy.engines.simulator.web import web_parts

        parts = web_parts(turn, conversation, names, choice)
        if parts:
            return parts
    if any(name.startswith("tool_search_tool_") for name in names):
        from understudy.engines.simulator.finding import search_for_tool

        call = search_for_tool(conversation, names, choice, seeded)
        if call is not None:
            return [call]
    return []
