"""Which of the tools that this server runs the simulator calls next, and what it says of what they brought."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from understudy.engines.engine import EngineTurn
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.parts import Part
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.callers import CODE_CALLER

_RUNNERS: Final = frozenset({"bash_code_execution", "code_execution"})


def _asked_for_code(turn: EngineTurn) -> bool:
    return any(
        function.name == "bash_code_execution" or function.tool != CODE_CALLER
        for function in turn.server_functions
        if function.name in _RUNNERS
    )


def next_parts(turn: EngineTurn, conversation: Conversation, seeded: Callable[[], Seeded]) -> list[Part]:
    """Calls of server functions, or the answer from what they brought; nothing where none of them is asked for."""
    names = {function.name for function in turn.server_functions if function.server_name is None}
    choice = cast("dict[str, Any]", turn.request.get("tool_choice") or {"type": "auto"})
    if not names or choice["type"] == "none":
        return []
    if "advisor" in names:
        from understudy.engines.simulator.advising import consults

        advisor = consults(conversation, choice)
        if advisor is not None:
            return [advisor]
    if not names.isdisjoint(_RUNNERS):
        from understudy.engines.simulator.programs.calling import calling_parts
        from understudy.engines.simulator.programs.doing import next_part

        parts = calling_parts(turn, conversation, seeded, choice)
        if parts:
            return parts
        # Python that came along with other tools is there for their sake.
        part = next_part(turn, conversation) if _asked_for_code(turn) else None
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
