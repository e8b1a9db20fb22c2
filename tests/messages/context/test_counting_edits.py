"""count_tokens with `context_management`, where the engine counts: by the prompt as it is left."""

from __future__ import annotations

from typing import Any

from asgi import InProcess
from understudy.engines.engine import EngineTurn
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.settings import SimulatorSettings
from understudy.wire.json_text import to_json


class Counts(SimulatorEngine):
    """Counts characters."""

    def __init__(self) -> None:
        super().__init__(SimulatorSettings())

    async def count(self, turn: EngineTurn) -> int | None:
        return len(to_json(turn.request["messages"]))


RUN: dict[str, Any] = {"name": "run", "input_schema": {"type": "object"}}
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "Go."}] + [
    message
    for number in range(6)
    for message in (
        {"role": "assistant", "content": [{"type": "tool_use", "id": f"toolu_{number}", "name": "run", "input": {}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "word " * 500}],
        },
    )
]
EDITS = {"edits": [{"type": "clear_tool_uses_20250919", "trigger": {"type": "tool_uses", "value": 4}}]}


async def test_what_was_cleared_is_not_counted() -> None:
    api = InProcess(Counts())
    body: dict[str, Any] = {"model": "claude-sonnet-4-5", "messages": MESSAGES, "tools": [RUN]}
    path = "/v1/messages/count_tokens"
    whole = (await api.post(body, path=path)).json()["input_tokens"]
    assert whole == len(to_json(MESSAGES))
    beta = "context-management-2025-06-27"
    edited = (await api.post({**body, "context_management": EDITS}, path=path, anthropic_beta=beta)).json()
    assert edited["context_management"] == {"original_input_tokens": whole}
    # Three of six results are kept.
    assert whole / 3 < edited["input_tokens"] < whole * 2 / 3
