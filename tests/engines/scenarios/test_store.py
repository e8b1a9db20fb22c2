"""Which rule answers, how often, and what befalls requests by chance."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.engines.scenarios.failures import Failure
from understudy.engines.scenarios.matching import Asked
from understudy.engines.scenarios.model import Answer, Chance, Chances, Rule, Scenario, When
from understudy.engines.scenarios.parsing import ScenarioError, parse_scenario
from understudy.engines.scenarios.store import Scenarios
from understudy.wire.errors import InvalidRequestError


def asked(text: str = "hello", number: int = 1) -> Asked:
    return Asked(number, {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": text}]})


def loaded(*rules: dict[str, Any], **more: Any) -> Scenarios:
    scenarios = Scenarios()
    scenarios.load(parse_scenario({"rules": rules, **more}))
    return scenarios


def answers(scenarios: Scenarios, *texts: str) -> list[str | None]:
    return [taken.answer.text if (taken := scenarios.take(asked(text))) else None for text in texts]


def test_nothing_is_active_until_something_is_loaded() -> None:
    scenarios = Scenarios()
    heard: list[bool] = []
    scenarios.on_active = heard.append
    assert not scenarios.active
    scenarios.load(Scenario())
    assert scenarios.active
    scenarios.reset()
    assert not scenarios.active
    assert heard == [True, False]


def test_the_first_rule_that_is_for_the_request_answers() -> None:
    scenarios = loaded(
        {"when": {"text_contains": "a"}, "answer": "first"}, {"when": {"text_contains": "ab"}, "answer": "second"}
    )
    assert answers(scenarios, "ab", "ab", "b") == ["first", "first", None]


def test_a_rule_for_everything_answers_what_no_other_does() -> None:
    scenarios = loaded(
        {"answer": "always"}, {"when": {"text_contains": "a"}, "answer": "a"}, {"times": 1, "answer": "1"}
    )
    assert answers(scenarios, "a", "b", "b") == ["a", "1", "always"]


def test_several_answers_are_given_one_by_one_and_once() -> None:
    assert answers(loaded({"answer": ["one", "two"]}), "x", "x", "x") == ["one", "two", None]


def test_times_bounds_a_rule() -> None:
    assert answers(loaded({"answer": ["one", "two"], "times": 2}), *"xxxxx") == ["one", "two", "one", "two", None]
    assert answers(loaded({"answer": "one", "times": 2}), *"xxx") == ["one", "one", None]


def test_a_rule_put_first_is_tried_first() -> None:
    scenarios = loaded({"times": 1, "answer": "old"})
    scenarios.add(Rule(answer=(Answer(text="new"),), times=1), first=True)
    assert answers(scenarios, *"xxx") == ["new", "old", None]


def test_unused_rules_are_those_with_answers_left() -> None:
    scenarios = loaded({"name": "queue", "answer": ["one", "two"]}, {"name": "always", "answer": "x"})
    answers(scenarios, "x")
    assert scenarios.unused() == ["queue"]


def test_an_unmatched_request_is_refused_with_the_rules_that_were_tried() -> None:
    scenarios = loaded(
        {"name": "weather", "when": {"text_contains": "weather"}, "answer": "sunny"},
        {"name": "once", "times": 1, "answer": "x"},
        unmatched="error",
    )
    answers(scenarios, "x")
    with pytest.raises(InvalidRequestError) as caught:
        scenarios.take(asked("hello"))
    assert caught.value.message == (
        "No scenario rule is for POST /v1/messages (model claude-sonnet-5-5, last user text 'hello'). "
        "Tried: weather: text_contains 'weather' does not hold; once: used up after 1."
    )
    assert list(scenarios.refused) == [caught.value.message]


def test_rules_for_another_path_are_kept_apart() -> None:
    scenarios = loaded({"when": {"path": "/v1/models*"}, "answer": {"error": {"status": 500}}})
    assert scenarios.take(asked()) is None
    assert scenarios.take(Asked(1, method="GET", path="/v1/models"), elsewhere=True) is not None
    assert scenarios.take(Asked(1, method="GET", path="/v1/files"), elsewhere=True) is None


def test_appending_keeps_what_is_there() -> None:
    scenarios = loaded({"answer": "one", "times": 1}, unmatched="error")
    scenarios.load(parse_scenario({"rules": [{"answer": "two", "times": 1}]}), append=True)
    assert answers(scenarios, "x", "x") == ["one", "two"]
    with pytest.raises(InvalidRequestError):
        scenarios.take(asked())


# --- by chance ---

FAULTS = Chances(seed=7, each=(Chance(probability=0.2, error=Failure(status=529)),))


def struck(chances: Chances, count: int = 2_000) -> list[int]:
    scenarios = Scenarios()
    scenarios.load(Scenario(faults=chances))
    return [number for number in range(1, count + 1) if scenarios.chance(asked(number=number))]


def test_the_same_seed_strikes_the_same_requests() -> None:
    assert struck(FAULTS) == struck(FAULTS)
    assert struck(FAULTS) != struck(FAULTS.model_copy(update={"seed": 8}))


def test_about_as_many_are_struck_as_the_probability_says() -> None:
    # Four standard deviations of 2,000 draws at 0.2 are 72.
    assert abs(len(struck(FAULTS)) - 400) < 72


def test_which_requests_are_struck_never_changes() -> None:
    """A change here would change every user's runs."""
    assert struck(FAULTS, 40) == [4, 10, 11, 14, 18, 19, 23, 24, 28, 34, 35]


def test_a_certain_fault_strikes_every_request() -> None:
    assert struck(Chances(each=(Chance(probability=1, error=Failure(status=500)),)), 50) == list(range(1, 51))


# --- what is refused ---

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"rule": []}, "rule: Extra inputs are not permitted"),
    ({"rules": [{"when": {"txt": "x"}}]}, "rules.0.when.txt: Extra inputs are not permitted"),
    ({"rules": [{"answer": {"text": "x", "error": {"status": 529}}}]}, "an answer is either an `error` or content"),
    (
        {"rules": [{"answer": {"text": "x", "content": [{"type": "text", "text": "y"}]}}]},
        "`content` is all of an answer",
    ),
    ({"rules": [{"answer": {"error": {"status": 200}}}]}, "greater than or equal to 400"),
    ({"rules": [{"answer": {"stop_reason": "end_turn"}}]}, "`stop_reason` needs content"),
    ({"rules": [{"answer": []}]}, "an `answer` is missing"),
    ({"rules": [{"when": {"path": "/v1/models"}, "answer": "x"}]}, "error, a fault or a delay only"),
    ({"rules": [{"when": {"path": "/v1/models", "text": "x"}}]}, "`header`, `method` and `nth` only"),
    ({"faults": {"each": [{"probability": 0.1}]}}, "either an `error` or a `fault`"),
    ({"faults": {"each": [{"probability": 0.6, "error": {"status": 529}}] * 2}}, "add up to more than 1"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED, ids=lambda one: one if isinstance(one, str) else "")
def test_what_makes_no_sense_is_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(value)
    assert message in str(caught.value)


# --- errors ---


@pytest.mark.parametrize(
    ("status", "error_type", "retry"),
    [
        (400, "invalid_request_error", False),
        (401, "authentication_error", False),
        (402, "billing_error", False),
        (403, "permission_error", False),
        (404, "not_found_error", False),
        (413, "request_too_large", False),
        (418, "invalid_request_error", False),
        (429, "rate_limit_error", True),
        (500, "api_error", True),
        (504, "timeout_error", True),
        (529, "overloaded_error", True),
    ],
)
def test_an_error_has_the_type_that_belongs_to_its_status(status: int, error_type: str, retry: bool) -> None:
    error = Failure(status=status).to_error()
    assert (error.status, error.type, error.retry) == (status, error_type, retry)
    assert error.message


def test_an_error_says_what_it_is_told_to() -> None:
    error = Failure(status=429, type="own_error", message="Slow.", headers={"Retry-After": "2"}, retry=False).to_error()
    assert (error.type, error.message, error.headers, error.retry) == (
        "own_error",
        "Slow.",
        {"retry-after": "2"},
        False,
    )


def test_conditions_of_a_rule_are_shown_as_they_were_given() -> None:
    rule = Rule(when=When.model_validate({"json": {"a": 1}}), answer=(Answer(text="x"),), times=1)
    scenarios = Scenarios()
    scenarios.add(rule)
    assert scenarios.as_json()["rules"] == [
        {
            "name": "rule 1",
            "used": 0,
            "used_up": False,
            "when": {"json": {"a": 1}},
            "answer": [{"text": "x"}],
            "times": 1,
        }
    ]
