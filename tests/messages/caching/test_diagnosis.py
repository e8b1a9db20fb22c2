"""The diagnosis of cache misses: it compares requests, not what was cached (cache-diagnostics.md)."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cached_requests import Block, Caching, asking, model_of, tool
from every_block import text
from understudy.messages.caching import asks_diagnosis
from understudy.messages.caching.diagnosis import BETA

DOCS = Path(__file__).resolve().parents[3] / "docs"
FIRST = asking("hello", "there", tools=[tool("f"), tool("g")], system="be brief")


async def reason(second: Block, *, first: Block = FIRST, caching: Caching | None = None, **turn: Any) -> Any:
    caching = caching or Caching()
    opened = await caching.turn({**first, "diagnostics": {"previous_message_id": None}})
    assert opened.diagnostics is None
    asked = {**second, "diagnostics": {"previous_message_id": "msg_1"}}
    diagnostics = (await caching.turn(asked, **turn)).diagnostics
    return None if diagnostics is None else diagnostics["cache_miss_reason"]


def later(**fields: Any) -> Block:
    request = copy.deepcopy({**FIRST, **fields})
    request["messages"] += [{"role": "assistant", "content": "hi"}, {"role": "user", "content": "more"}]
    return request


async def test_a_conversation_that_only_grows_has_no_reason() -> None:
    assert await reason(later()) is None
    assert await reason(FIRST) is None


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"tools": [tool("f"), tool("h")], "system": "be long"}, "tools_changed"),
        ({"tools": [tool("g"), tool("f")]}, "tools_changed"),
        ({"tools": [tool("f")]}, "tools_changed"),
        ({"system": "be long"}, "system_changed"),
        ({"system": [text("be brief"), text("at noon")]}, "system_changed"),
        ({"messages": asking("hello", "you")["messages"]}, "messages_changed"),
        ({"messages": asking("there", "hello")["messages"], "tool_choice": {"type": "auto"}}, "messages_changed"),
    ],
)
async def test_the_first_change_is_named_with_the_tokens_behind_it(fields: Block, changed: str) -> None:
    found = await reason(later(**fields))
    assert found.pop("cache_missed_input_tokens") > 0
    assert found == {"type": changed}


async def test_a_conversation_that_was_cut_has_changed() -> None:
    assert (await reason(FIRST, first=later()))["type"] == "messages_changed"


async def test_another_model_has_changed_everything() -> None:
    caching = Caching()
    await caching.turn({**FIRST, "diagnostics": {}})
    caching.model = model_of("claude-opus-5")
    turn = await caching.turn({**FIRST, "diagnostics": {"previous_message_id": "msg_1"}})
    assert turn.diagnostics is not None
    assert turn.diagnostics["cache_miss_reason"]["type"] == "model_changed"


async def test_other_parameters_or_betas_are_unavailable() -> None:
    assert await reason(later(tool_choice={"type": "any"})) == {"type": "unavailable"}
    assert await reason(later(), betas=("context-1m-2025-08-07",)) == {"type": "unavailable"}


async def test_a_message_that_is_unknown_old_or_anothers_is_not_found() -> None:
    not_found = {"type": "previous_message_not_found"}
    assert await reason(later(), workspace="wrkspc_b") == not_found
    caching = Caching()
    await caching.turn({**FIRST, "diagnostics": {}})
    caching.now += 3_600
    turn = await caching.turn({**FIRST, "diagnostics": {"previous_message_id": "msg_1"}})
    assert turn.diagnostics == {"cache_miss_reason": not_found}


async def test_a_change_far_behind_the_horizon_is_seen_but_not_placed() -> None:
    many = [text(f"{number}") for number in range(1_100)]
    assert await reason(asking(*many, "end"), first=asking(*many)) is None
    assert await reason(asking(*many[:-1], "other"), first=asking(*many)) == {"type": "unavailable"}
    assert (await reason(asking("other", *many[1:]), first=asking(*many)))["type"] == "messages_changed"


def test_only_who_asks_is_remembered() -> None:
    assert asks_diagnosis(FIRST, (BETA,))
    assert asks_diagnosis({**FIRST, "diagnostics": {"previous_message_id": None}})
    assert not asks_diagnosis(FIRST, ("other",))


async def test_the_pages_examples_write_first_and_then_read() -> None:
    page = (DOCS / "prompt-caching.md").read_text("utf-8")
    examples = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        request = json.loads(example.replace("…a long text…", "Of rivers and stones. " * 200))
        caching = Caching(model=model_of(request["model"], minimum=None))
        assert (await caching.send(request)).cache_creation_input_tokens > 512
        assert (await caching.send(request)).cache_read_input_tokens > 512
