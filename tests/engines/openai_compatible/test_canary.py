"""Invariant 5 for this engine: every text of a request reaches the upstream, or is refused, or stands in a table."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from engines.openai_compatible.turns import turn
from invariants.canaries import CANARY, misshapen, refusal, wrong_in_system
from invariants.request_leaves import leaves
from messages.judging import user
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.engines.openai_compatible.left_out import LEFT_OUT
from understudy.engines.openai_compatible.request import translate
from understudy.wire.errors import InvalidRequestError
from understudy.wire.not_prompted import NOT_PROMPTED

ROWS = [row for row in (*NOT_PROMPTED, *LEFT_OUT) if not row.when]


@pytest.mark.parametrize("name", ["vllm", "ollama"])
def test_05_no_text_is_dropped_without_a_word(name: str) -> None:
    dialect = replace(DIALECTS[name], vision=True, thinking_history="reasoning")
    outcomes: Counter[str] = Counter()
    dropped: list[str] = []
    for leaf in leaves():
        request = leaf.make(CANARY)
        if leaf.kind != "text" or misshapen(request) or wrong_in_system(request) or refusal(request):
            continue
        request = {**request, "model": "m", "max_tokens": 5, "messages": request["messages"] or [user("hi")]}
        try:
            sent = json.dumps(translate(turn(request), dialect).body)
        except InvalidRequestError:
            outcomes["refused"] += 1
            continue
        if CANARY in sent:
            outcomes["sent"] += 1
        elif any(row.matches(leaf.path) for row in ROWS):
            outcomes["left out"] += 1
        else:
            dropped.append(leaf.path)
    assert dropped == []
    assert outcomes["sent"] > 150


def test_every_row_is_a_sentence() -> None:
    assert all(row.instead.endswith(".") and row.instead[0].isupper() for row in LEFT_OUT)
