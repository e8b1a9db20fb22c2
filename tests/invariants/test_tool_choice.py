"""Invariant 9: over 200 seeds, a forced tool is always called, `none` never, in parallel only where that is allowed,
and every input and every structured output is valid."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from asgi import InProcess
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.settings import SimulatorSettings
from whole_requests import ASKS, BY_NAME

SEEDS = range(200)
CUSTOM = {name: tool for name, tool in BY_NAME.items() if "input_schema" in tool}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["when", "who", "tags", "kind", "nested"],
    "properties": {
        "when": {"type": "string", "format": "date-time"},
        "who": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "kind": {"enum": ["a", "b", 3, None]},
        "nested": {"$ref": "#/$defs/pair"},
    },
    "$defs": {
        "pair": {
            "type": "object",
            "additionalProperties": False,
            "required": ["id", "share"],
            "properties": {"id": {"type": "string", "format": "uuid"}, "share": {"type": "number"}},
        }
    },
}


def api(seed: int) -> InProcess:
    return InProcess(SimulatorEngine(SimulatorSettings(seed=seed)))


async def asked(seed: int, choice: dict[str, Any]) -> dict[str, Any]:
    request = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 2_000,
        "tools": list(CUSTOM.values()),
        "tool_choice": choice,
        "messages": [{"role": "user", "content": ASKS[seed % len(ASKS)]}],
    }
    answer = await api(seed).post(request)
    assert answer.status == 200, answer.body
    message: dict[str, Any] = answer.json()
    for block in message["content"]:
        if block["type"] == "tool_use":
            Draft202012Validator(CUSTOM[block["name"]]["input_schema"]).validate(block["input"])
    return message


def names(message: dict[str, Any]) -> list[str]:
    return [block["name"] for block in message["content"] if block["type"] == "tool_use"]


async def test_09_a_forced_tool_is_always_called_and_nothing_else() -> None:
    for seed in SEEDS:
        name = sorted(CUSTOM)[seed % len(CUSTOM)]
        message = await asked(seed, {"type": "tool", "name": name})
        assert set(names(message)) == {name}
        assert [block["type"] for block in message["content"]] == ["tool_use"] * len(message["content"])
        assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("parallel", [False, True])
async def test_09_any_always_calls_and_at_most_once_where_calls_may_not_be_parallel(parallel: bool) -> None:
    for seed in SEEDS:
        message = await asked(seed, {"type": "any", "disable_parallel_tool_use": not parallel})
        assert names(message)
        assert parallel or len(names(message)) == 1


async def test_09_none_never_calls() -> None:
    for seed in SEEDS:
        message = await asked(seed, {"type": "none"})
        assert (names(message), message["stop_reason"]) == ([], "end_turn")


async def test_09_a_structured_output_always_validates() -> None:
    validator = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for seed in SEEDS:
        request = {
            "model": "claude-sonnet-4-5",
            "max_tokens": 2_000,
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
            "messages": [{"role": "user", "content": ASKS[seed % len(ASKS)]}],
        }
        message = (await api(seed).post(request)).json()
        validator.validate(json.loads(message["content"][0]["text"]))
