"""What ClaudeEngine sends of a request, and what it does not."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from engines.openai_compatible.turns import TIME, WEATHER, request, turn
from invariants.canaries import CANARY, misshapen, refusal, wrong_in_system
from invariants.request_leaves import leaves
from messages.judging import user
from understudy.engines.claude.left_out import LEFT_OUT
from understudy.engines.claude.request import VERSION, Asked, upstream_request
from understudy.wire.validation import validator

Json = dict[str, Any]


def sent(asked: Json, **more: Any) -> Asked:
    return upstream_request(turn(asked, **more))


def test_05_every_text_is_sent_or_stands_in_the_table() -> None:
    outcomes: Counter[str] = Counter()
    dropped: list[str] = []
    needless: set[str] = {row.path for row in LEFT_OUT}
    for leaf in leaves():
        asked = leaf.make(CANARY)
        if leaf.kind != "text" or misshapen(asked) or wrong_in_system(asked) or refusal(asked):
            continue
        asked = {**asked, "model": asked["model"], "max_tokens": 5, "messages": asked["messages"] or [user("hi")]}
        rows = [row.path for row in LEFT_OUT if row.matches(leaf.path)]
        if CANARY in json.dumps(sent(asked).body):
            outcomes["sent"] += 1
            assert rows == [], f"{leaf.path} is sent"
        elif rows:
            outcomes["left out"] += 1
            needless -= set(rows)
        else:
            dropped.append(leaf.path)
    assert dropped == []
    assert outcomes["sent"] > 200
    # The rest hold no free text.
    assert needless <= {"stream", "thinking.*.block_binding.**", "messages.*.clear_at", "billing_policy.**"}


def test_every_row_is_a_sentence() -> None:
    assert all(row.instead.endswith(".") and row.instead[0].isupper() for row in LEFT_OUT)


def test_what_is_sent_has_a_shape_that_its_betas_open() -> None:
    """The upstream refuses fields whose betas it is not told."""
    tried = 0
    for leaf in leaves():
        asked = leaf.make("a")
        if misshapen(asked) or refusal(asked):
            continue
        asked = {**asked, "model": "m", "max_tokens": 5, "messages": asked["messages"] or [user("hi")]}
        found = sent(asked)
        validator("messages", VERSION, found.betas).check(found.body)
        tried += 1
    assert tried > 200


@pytest.mark.parametrize(
    ("more", "betas"),
    [
        ({}, ()),
        ({"speed": "fast"}, ("fast-mode-2026-02-01",)),
        ({"output_config": {"task_budget": {"type": "tokens", "total": 5_000}}}, ("task-budgets-2026-03-13",)),
        ({"tools": [{"type": "computer_20250124", "name": "computer"}]}, ("computer-use-2025-01-24",)),
        ({"thinking": {"type": "adaptive", "display": "updates"}}, ("thinking-display-updates-2026-08-18",)),
        ({"context_management": {"edits": []}}, ()),
    ],
)
def test_betas_are_those_of_the_fields(more: Json, betas: tuple[str, ...]) -> None:
    assert sent(request(**more)).betas == betas


def test_the_models_name_and_the_limit_are_the_targets() -> None:
    body = sent(request(stream=False, max_tokens=100), max_tokens=60).body
    assert (body["model"], body["max_tokens"], body["stream"]) == ("upstream-model", 60, True)


def test_the_form_of_the_answer_goes_under_its_name_of_today() -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    body = sent(request(output_format=form, output_config={"effort": "low"})).body
    assert body["output_config"] == {"effort": "low", "format": form}
    assert "output_format" not in body


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "b3Vycw"}
SEALED = {"type": "redacted_thinking", "data": "b3Vycw"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun"}]}
ENABLED = {"type": "enabled", "budget_tokens": 2_000}
TEXT = {"type": "text", "text": "x"}
HI: Json = {"role": "user", "content": "hi"}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def test_thinking_that_was_signed_here_is_not_sent() -> None:
    asked = request(HI, assistant(SEALED), HI, assistant(THOUGHT, SEALED, USE), RESULT, tools=[WEATHER])
    before = json.dumps(asked)
    body = sent(asked).body
    assert body["messages"] == [HI, HI, assistant(USE), RESULT]
    assert json.dumps(asked) == before, "the request was changed"


@pytest.mark.parametrize(
    ("messages", "thinks"),
    [
        ([HI], True),
        # In the middle of a loop whose thoughts are missing.
        ([HI, assistant(THOUGHT, USE), RESULT], False),
        ([HI, assistant(THOUGHT, USE), RESULT, assistant(USE), RESULT], False),
        # The loop never had one: the upstream may judge that.
        ([HI, assistant(USE), RESULT], True),
        # The loop is over.
        ([HI, assistant(THOUGHT, USE), RESULT, assistant(TEXT), HI], True),
        ([HI, assistant(THOUGHT, USE), {**RESULT, "content": [*RESULT["content"], TEXT]}], True),
    ],
)  # fmt: skip
def test_a_loop_whose_thoughts_are_missing_goes_on_without_thinking(messages: list[Json], thinks: bool) -> None:
    asked = request(*messages, thinking=ENABLED, tools=[WEATHER, TIME], max_tokens=3_000)
    assert sent(asked).body["thinking"] == (ENABLED if thinks else {"type": "disabled"})
    adaptive = request(*messages, thinking={"type": "adaptive"}, tools=[WEATHER])
    assert sent(adaptive).body["thinking"] == {"type": "adaptive"}


def test_a_budget_fits_into_what_room_there_is() -> None:
    asked = request(thinking=ENABLED, max_tokens=3_000)
    assert sent(asked, max_tokens=1_500).body["thinking"]["budget_tokens"] == 1_499
    assert sent(asked, max_tokens=1_000).body["thinking"] == {"type": "disabled"}
