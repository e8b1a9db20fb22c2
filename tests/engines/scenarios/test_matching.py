"""When a rule is for a request, and what is said when it is not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from understudy.engines.scenarios.matching import Asked, why_not
from understudy.engines.scenarios.model import When

BODY: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "You are a weather service."}],
    "tools": [{"name": "get_weather", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": "What is the weather in Kyoto?"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Kyoto"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "21 degrees"},
                {"type": "text", "text": "Say it briefly."},
            ],
        },
    ],
}
ASKED = Asked(number=3, body=BODY, headers={"x-team": "red"})

HOLDING: list[dict[str, Any]] = [
    {},
    {"model": "claude-sonnet-*"},
    {"text": "Say it briefly."},
    {"text_contains": "briefly"},
    {"text_matches": r"^Say \w+"},
    {"system_contains": "weather"},
    {"system_matches": "serv.ce"},
    {"has_tool": "get_weather"},
    {"tool_result_for": "get_weather"},
    {"tool_result_contains": "21"},
    {"stream": False},
    {"header": {"X-Team": "r*"}},
    {"nth": 3},
    {"nth": [1, 3]},
    {"json": {"max_tokens": 100, "messages.-1.content.0.content": "21 degrees", "tools.*.name": "get_weather"}},
    {"method": "post", "path": "/v1/messages"},
    {"model": "claude-*", "text_contains": "briefly", "nth": 3},
]

FAILING: list[tuple[dict[str, Any], str]] = [
    ({"model": "claude-opus-*"}, "model 'claude-opus-*' does not hold"),
    ({"text": "briefly"}, "text 'briefly' does not hold"),
    ({"text_contains": "Kyoto"}, "text_contains 'Kyoto' does not hold"),
    ({"text_matches": "^briefly"}, "text_matches '^briefly' does not hold"),
    ({"system_contains": "stocks"}, "system_contains 'stocks' does not hold"),
    ({"has_tool": "search"}, "has_tool 'search' does not hold"),
    ({"tool_result_for": "search"}, "tool_result_for 'search' does not hold"),
    ({"tool_result_contains": "Say"}, "tool_result_contains 'Say' does not hold"),
    ({"stream": True}, "stream True does not hold"),
    ({"header": {"x-team": "blue"}}, "header x-team is not 'blue'"),
    ({"header": {"x-other": "*"}}, "header x-other is not '*'"),
    ({"nth": 2}, "nth 2 does not hold"),
    ({"json": {"max_tokens": True}}, "json max_tokens is not true"),
    ({"json": {"messages.7.role": "user"}}, 'json messages.7.role is not "user"'),
    ({"model": "claude-*", "text_contains": "Osaka"}, "text_contains 'Osaka' does not hold"),
]


@pytest.mark.parametrize("conditions", HOLDING, ids=str)
def test_a_condition_that_holds_is_no_reason(conditions: dict[str, Any]) -> None:
    assert why_not(When.model_validate(conditions), ASKED) is None


@pytest.mark.parametrize(("conditions", "reason"), FAILING, ids=str)
def test_the_first_condition_that_does_not_hold_is_named(conditions: dict[str, Any], reason: str) -> None:
    assert why_not(When.model_validate(conditions), ASKED) == reason


def test_true_is_not_one() -> None:
    when = When.model_validate({"json": {"n": 1}})
    assert why_not(when, Asked(1, {"n": True})) is not None
    assert why_not(when, Asked(1, {"n": 1})) is None


def test_the_last_user_turn_is_all_user_messages_at_the_end() -> None:
    body = {"messages": [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]}
    assert why_not(When(text="one\ntwo"), Asked(1, body)) is None


def test_a_text_before_a_prefill_is_still_the_last_user_text() -> None:
    body = {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "{"}]}
    assert why_not(When(text="one"), Asked(1, body)) is None


def test_a_function_decides() -> None:
    assert why_not(When(predicate=lambda body: body["max_tokens"] == 100), ASKED) is None
    assert why_not(When(predicate=lambda body: False), ASKED) == "predicate does not hold"


def test_what_is_no_regular_expression_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        When(text_matches="(")
