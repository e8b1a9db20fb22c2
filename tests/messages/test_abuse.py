"""Abuse cases 16, 20 and 40 to 43: what hostile requests may cost, and what must not pass."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from time import process_time
from typing import Any

import pytest

from asgi import ORGANIZATION, SIGNING_KEYS, InProcess
from understudy.engines.catalog import Catalog
from understudy.engines.engine import EngineEvent, EngineTurn, InputDelta, TextDelta, ThinkingDelta, ToolUse
from understudy.messages.signatures import Seals, Signer

MODEL = "claude-sonnet-4-5"
# Seconds of CPU, on a machine that is busy with other tests.
BOUND = 3.0


def asks(text: str = "Use the tool now, please.", **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": text}], **more}


def tool(schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": "use_it", "description": "Use the tool", "input_schema": schema}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


HOSTILE = {
    "a catastrophic pattern": {
        "type": "object",
        "properties": {
            "a": {"type": "string", "pattern": "^(a+)+$"},
            "b": {"type": "string", "pattern": "(x*)*y{50}z"},
        },
        "required": ["a", "b"],
    },
    "references that double": {
        "type": "object",
        "$defs": {
            f"d{n}": {
                "type": "object",
                "properties": {"l": {"$ref": f"#/$defs/d{n + 1}"}, "r": {"$ref": f"#/$defs/d{n + 1}"}},
            }
            for n in range(40)
        }
        | {"d40": {"type": "string"}},
        "properties": {"a": {"$ref": "#/$defs/d0"}},
        "required": ["a"],
    },
    "a cycle of references": {
        "type": "object",
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        "properties": {"a": {"$ref": "#/$defs/a"}},
        "required": ["a"],
    },
    "a remote reference": {
        "type": "object",
        "properties": {"a": {"$ref": "http://127.0.0.1:9/never-fetched.json"}},
        "required": ["a"],
    },
    "depth": nested(400),
    "a long enumeration": {
        "type": "object",
        "properties": {"a": {"enum": [f"member {n}" for n in range(100_000)]}},
        "required": ["a"],
    },
    "many properties": {
        "type": "object",
        "properties": {f"p{n}": {"type": "string"} for n in range(5_000)},
        "required": [f"p{n}" for n in range(5_000)],
    },
}


@pytest.mark.parametrize("schema", HOSTILE.values(), ids=HOSTILE.keys())
async def test_abuse_40_a_hostile_tool_schema_costs_bounded_time(schema: dict[str, Any]) -> None:
    began = process_time()
    answer = await InProcess().post(asks(tools=[tool(schema)], tool_choice={"type": "tool", "name": "use_it"}))
    assert process_time() - began < BOUND
    assert answer.status in {200, 400}, answer.body[:500]


@pytest.mark.parametrize("schema", HOSTILE.values(), ids=HOSTILE.keys())
async def test_abuse_41_a_hostile_output_schema_costs_bounded_time(schema: dict[str, Any]) -> None:
    closed = {**schema, "additionalProperties": False}
    began = process_time()
    answer = await InProcess().post(asks(output_config={"format": {"type": "json_schema", "schema": closed}}))
    assert process_time() - began < BOUND
    assert answer.status in {200, 400}, answer.body[:500]


class Endless:
    """An engine that minds neither stop sequences nor max_tokens."""

    name = "endless"

    def __init__(self, *events: EngineEvent) -> None:
        self.events = events
        self.turns = 0
        self.batches = 0

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        self.turns += 1
        while True:
            self.batches += 1
            assert self.batches < 10_000, "nobody stops it"
            yield list(self.events)


async def test_abuse_42_a_prompt_beyond_the_window_never_reaches_the_engine() -> None:
    engine = Endless(TextDelta("a", 1))
    began = process_time()
    answer = await InProcess(engine).post(asks("word " * 4_000_000))
    assert answer.status == 400
    assert answer.json()["error"]["message"].startswith("prompt is too long: ")
    assert engine.turns == 0
    assert process_time() - began < 2 * BOUND


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "events",
    [
        (TextDelta("and on ", 2),),
        (ThinkingDelta("hm ", 1),),
        (ToolUse("f", None, 3), InputDelta('{"a": ', 2), InputDelta("1}", 1)),
        (ToolUse("f", None, 3), InputDelta('{"a": "', 2), InputDelta("b", 1), InputDelta("c", 1)),
    ],
    ids=["text", "thinking", "calls", "a call"],
)
async def test_abuse_43_an_engine_that_does_not_end_is_ended(events: tuple[EngineEvent, ...], stream: bool) -> None:
    engine = Endless(*events)
    answer = await InProcess(engine).post(asks(stream=stream))
    assert answer.status == 200
    if stream:
        assert b'"stop_reason":"max_tokens"' in answer.body
        assert answer.body.endswith(b'data: {"type":"message_stop"}\n\n')
    else:
        message = answer.json()
        assert message["stop_reason"] == "max_tokens"
        assert 190 <= message["usage"]["output_tokens"] <= 200


async def test_abuse_43_an_engine_that_ignores_a_stop_sequence_is_cut_at_it() -> None:
    answer = await InProcess(Endless(TextDelta("one two STO", 3), TextDelta("P three", 2))).post(
        asks(stop_sequences=["STOP"])
    )
    message = answer.json()
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "STOP")
    assert message["content"] == [{"type": "text", "text": "one two "}]


def signed(organization: str, keys: list[tuple[str, bytes]]) -> dict[str, Any]:
    """A conversation whose thinking another may have signed."""
    model = Catalog().find(MODEL)
    assert model is not None
    request = asks("Why?", thinking={"type": "enabled", "budget_tokens": 1_024}, max_tokens=2_000)
    thought = "Because."
    block = {
        "type": "thinking",
        "thinking": thought,
        "signature": Seals(Signer(keys), model, organization, request).sign(thought, thought),
    }
    answer = {"role": "assistant", "content": [block, {"type": "text", "text": "So."}]}
    return {**request, "messages": [*request["messages"], answer, {"role": "user", "content": "And?"}]}


async def test_abuse_20_thinking_of_another_organization_or_installation_is_refused() -> None:
    api = InProcess()
    assert (await api.post(signed(ORGANIZATION, SIGNING_KEYS))).status == 200
    for foreign in (
        signed("00000000-0000-4000-8000-000000000000", SIGNING_KEYS),
        signed(ORGANIZATION, [("another", b"x" * 32)]),
        signed(ORGANIZATION, [(SIGNING_KEYS[0][0], b"x" * 32)]),
    ):
        answer = await api.post(foreign)
        assert answer.status == 400
        assert "Invalid `signature` in `thinking` block" in answer.json()["error"]["message"]


async def test_abuse_16_a_prefix_is_cached_for_its_workspace_alone() -> None:
    system = [{"type": "text", "text": "long " * 2_000, "cache_control": {"type": "ephemeral"}}]
    request = asks(system=system)
    api = InProcess()
    first = (await api.post(request)).json()["usage"]
    api.key.workspace = "wrkspc_of_others"
    foreign = (await api.post(request)).json()["usage"]
    api.key.workspace = "wrkspc_in_process"
    own = (await api.post(request)).json()["usage"]
    assert first["cache_creation_input_tokens"] == foreign["cache_creation_input_tokens"] > 0
    assert (foreign["cache_read_input_tokens"], own["cache_creation_input_tokens"]) == (0, 0)
    assert own["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
