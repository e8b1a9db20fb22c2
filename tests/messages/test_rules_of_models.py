"""What a model takes of thinking, effort, sampling, tokens and the rest."""

from __future__ import annotations

from typing import Any

import pytest

from messages.judging import MIDDLE, NEW, OLD, OWN, TOOL, assistant, fault, result, text, use, user
from understudy.engines.catalog import Catalog, public_models
from understudy.messages.rules import check_prompt_length
from understudy.wire.errors import InvalidRequestError

ENABLED: dict[str, Any] = {"type": "enabled", "budget_tokens": 1024}
THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "t", "signature": "s"}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

NOT_ENABLED = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" '
    "to control thinking behavior."
)


def think(kind: str, model: str, **fields: Any) -> str | None:
    thinking = {"type": kind, **({"budget_tokens": 1024} if kind == "enabled" else {})}
    return fault(model=model, thinking=thinking, max_tokens=4096, **fields)


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-sonnet-5", "claude-fable-5", "claude-sonnet-5-5"])
def test_extended_thinking_ended_with_the_4_6_models(model: str):
    assert think("enabled", model) == NOT_ENABLED
    assert think("adaptive", model) is None
    for older in (OLD, MIDDLE, "claude-3-7-sonnet-20250219", "claude-mythos-preview", OWN):
        assert think("enabled", older) is None


def test_each_model_that_always_thinks_says_so_in_its_own_words():
    adaptive = NOT_ENABLED.replace("enabled", "disabled")
    assert think("disabled", "claude-opus-5-5") == adaptive
    assert think("disabled", "claude-fable-5-1") == adaptive
    refusal = think("disabled", "claude-mythos-preview")
    assert refusal is not None and refusal.endswith(
        'use "thinking.type.enabled" with "budget_tokens" for extended thinking.'
    )
    refusal = think("disabled", "claude-sonnet-5-5")
    assert refusal is not None and refusal.startswith(
        'To turn thinking off on this model, send "thinking": {"type": "b'
    )
    for model in (OLD, MIDDLE, NEW, OWN, "claude-opus-4-8", "claude-3-haiku-20240307"):
        assert think("disabled", model) is None
    assert think("between_tools", "claude-sonnet-5-5") is None
    assert think("between_tools", NEW) == '"thinking.type.between_tools" is not supported for this model.'


def test_the_budget_is_less_than_max_tokens():
    refusal = fault(model=OLD, thinking=ENABLED, max_tokens=1024)
    assert refusal is not None and refusal.startswith("`max_tokens` must be greater than `thinking.budget_tokens`.")
    assert fault(model=OLD, thinking=ENABLED, max_tokens=1025) is None
    assert fault(model=OLD, thinking=ENABLED, counting=True) is None


def test_extended_thinking_cannot_be_forced_to_use_a_tool():
    forced: dict[str, Any] = {"tools": [TOOL], "tool_choice": {"type": "any"}}
    refusal = "Thinking may not be enabled when tool_choice forces tool use."
    assert think("enabled", MIDDLE, **forced) == refusal
    assert think("enabled", MIDDLE, tools=[TOOL], tool_choice={"type": "auto"}) is None
    assert think("adaptive", MIDDLE, **forced) is None  # recorded


def test_with_extended_thinking_the_turn_at_hand_begins_with_a_thought():
    def loop(*first: dict[str, Any]) -> list[dict[str, Any]]:
        return [user("a"), assistant(*first), user(result())]

    fields: dict[str, Any] = {"model": OLD, "thinking": ENABLED, "max_tokens": 4096, "tools": [TOOL]}
    refusal = fault(loop(use()), **fields)
    assert refusal is not None
    assert refusal.startswith(
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."
    )
    assert fault(loop(THOUGHT, use()), **fields) is None
    # Later answers of the same turn need none, and turns that are over do not either.
    assert fault([*loop(THOUGHT, use()), assistant(use("toolu_2")), user(result("toolu_2"))], **fields) is None
    assert fault([*loop(use()), assistant("b"), user("c")], **fields) is None
    assert fault([*loop(use()), user("and now?")], **fields) is None
    refusal = fault([user("a"), assistant("b")], **fields)
    assert refusal is not None and "but found `text`" in refusal
    fields["thinking"] = {"type": "disabled"}
    assert fault(loop(use()), **fields) is None


def test_without_thinking_the_last_message_has_no_thought():
    refusal = (
        "messages.1.content.1: When thinking is disabled, an `assistant` message in the final position cannot contain "
        "`thinking`. To use thinking blocks, enable `thinking` in your request."
    )
    ended = [user("a"), assistant(text("b"), THOUGHT)]
    assert fault(ended, model=OLD) == refusal
    assert fault(ended, model=OLD, thinking={"type": "disabled"}) == refusal
    assert fault([*ended, user("c")], model=OLD) is None
    assert fault(ended, model=OLD, counting=True) is None


@pytest.mark.parametrize(
    ("model", "effort", "refusal"),
    [
        ("claude-haiku-4-5", "high", "This model does not support the effort parameter."),
        (
            "claude-opus-4-5",
            "max",
            "This model does not support effort level 'max'. Supported levels: high, low, medium.",
        ),
        ("claude-opus-4-5", "low", None),
        ("claude-opus-4-6", "max", None),
        ("claude-opus-4-7", "xhigh", None),
        ("my-own-model", "xhigh", None),
    ],
)
def test_each_model_has_its_levels_of_effort(model: str, effort: str, refusal: str | None):
    assert fault(model=model, output_config={"effort": effort}) == refusal
    assert fault(model=model, output_config={"effort": None}) is None


def test_high_effort_needs_thinking_on_models_that_bind_the_two():
    refusal = (
        "output_config.effort 'xhigh' is not supported when thinking is disabled on this model. Use effort 'high' or "
        "below, or enable thinking."
    )
    assert think("disabled", "claude-opus-5", output_config={"effort": "xhigh"}) == refusal
    assert think("between_tools", "claude-sonnet-5-5", output_config={"effort": "xhigh"}) == refusal
    assert think("disabled", "claude-opus-5", output_config={"effort": "high"}) is None
    assert think("adaptive", "claude-opus-5", output_config={"effort": "xhigh"}) is None
    assert think("disabled", "claude-opus-4-8", output_config={"effort": "xhigh"}) is None


def test_effort_does_not_change_within_a_conversation_where_thinking_is_off():
    betas = ("mid-conversation-output-config-2026-07-01",)
    messages = [user("a"), {"role": "system", "content": [], "output_config": {"effort": "low"}}]
    fields: dict[str, Any] = {"model": "claude-sonnet-5-5", "betas": betas}
    assert fault(messages, thinking={"type": "between_tools"}, **fields) == (
        "messages.1: output_config.effort 'low' differs from the 'high' in effect before it; effort cannot change when "
        "thinking is disabled on this model. Use effort 'high', or enable thinking."
    )
    low = {"effort": "low"}
    assert fault(messages, thinking={"type": "between_tools"}, output_config=low, **fields) is None
    assert fault(messages, thinking={"type": "adaptive"}, **fields) is None


def test_the_newest_models_take_no_value_of_sampling_but_the_default():
    for model in ("claude-opus-4-7", NEW, "claude-fable-5-1"):
        assert fault(model=model, temperature=0) == "`temperature` is deprecated for this model."
        assert fault(model=model, top_p=0.9) == "`top_p` is deprecated for this model."
        assert fault(model=model, top_k=5) == "`top_k` is deprecated for this model."
        assert fault(model=model, temperature=1) is None
        assert fault(model=model, top_k=-1) is None
    assert fault(model=OWN, temperature=0, top_p=0.5, top_k=5) is None
    assert fault(temperature=1, version="2026-10-21") == "temperature: Extra inputs are not permitted"


def test_temperature_and_top_p_are_one_too_many_for_the_models_from_4_1_to_4_6():
    refusal = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    for model in ("claude-opus-4-1", OLD, MIDDLE):
        assert fault(model=model, temperature=1, top_p=1) == refusal
        assert fault(model=model, temperature=0.2, top_k=5) is None
    assert fault(model="claude-3-haiku-20240307", temperature=0.2, top_p=0.9) is None


def test_thinking_leaves_little_to_sampling():
    for kind, model in (("enabled", OLD), ("adaptive", MIDDLE)):
        for given, refused in (
            ({"temperature": 0.9}, "`temperature` may only be set to 1 when thinking is enabled"),
            ({"top_p": 0.9}, "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled"),
            ({"top_k": 5}, "`top_k` must be unset when thinking is enabled"),
        ):
            refusal = think(kind, model, **given)
            assert refusal is not None and refusal.startswith(refused)
            assert think("disabled", model, **given) is None
        assert think(kind, model, temperature=1) is None
        assert think(kind, model, top_p=0.95) is None


def test_max_tokens_is_bounded_for_each_model():
    for model in public_models():
        assert fault(model=model.id, max_tokens=model.max_tokens) is None
        assert fault(model=model.id, max_tokens=model.max_tokens + 1) == (
            f"max_tokens: {model.max_tokens + 1} > {model.max_tokens}, which is the maximum allowed number of output "
            f"tokens for {model.id}"
        )
    beta = ("output-128k-2025-02-19",)
    assert fault(model="claude-3-7-sonnet-latest", max_tokens=128_000, betas=beta) is None
    assert fault(model="claude-3-7-sonnet-latest", max_tokens=128_001, betas=beta) is not None
    assert fault(model=OLD, max_tokens=128_000, betas=beta) is not None


def test_nothing_that_asks_for_an_answer_goes_with_max_tokens_0():
    assert fault(max_tokens=0) is None
    assert fault(max_tokens=0, stream=False, tools=[TOOL], tool_choice={"type": "auto"}) is None
    assert fault(max_tokens=0, stream=True) == "max_tokens: 0 is not allowed with stream: true"
    output = {"format": {"type": "json_schema", "schema": SCHEMA}}
    combinations: list[dict[str, Any]] = [
        {"thinking": ENABLED, "model": OLD},
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        {"output_config": output},
    ]
    for fields in combinations:
        refusal = fault(max_tokens=0, **fields)
        assert refusal is not None and refusal.startswith("max_tokens: 0 is not allowed with ")
    assert fault(max_tokens=0, output_config={"effort": "low"}) is None


def test_inference_geo_and_fast_mode_belong_to_newer_models():
    assert fault(model=OLD, inference_geo="us") is not None
    assert fault(model=OLD, inference_geo=None) is None
    assert fault(model=MIDDLE, inference_geo="us") is None
    betas = ("fast-mode-2026-02-01",)
    refusal = "'claude-haiku-4-5-20251001' does not support the `speed` parameter."
    assert fault(model=OLD, speed="fast", betas=betas) == refusal
    assert fault(model=OLD, speed="standard", betas=betas) is None
    assert fault(model="claude-opus-5", speed="fast", betas=betas) is None


def test_a_prompt_longer_than_the_window_is_refused_with_both_numbers():
    catalog = Catalog()

    def refusal(model: str, tokens: int, max_tokens: int = 16, *betas: str) -> str | None:
        found = catalog.find(model)
        assert found is not None
        try:
            check_prompt_length(tokens, {"max_tokens": max_tokens}, found, betas)
        except InvalidRequestError as error:
            return error.message
        return None

    assert refusal(OLD, 200_001) == "prompt is too long: 200001 tokens > 200000 maximum"
    assert refusal(OLD, 200_000, 64_000) is None
    assert refusal("claude-opus-4-1", 190_000, 10_000) is None
    assert refusal("claude-opus-4-1", 190_000, 10_001) == (
        "input length and `max_tokens` exceed context limit: 190000 + 10001 > 200000, decrease input length or "
        "`max_tokens` and try again"
    )
    assert refusal("claude-sonnet-4-5", 900_000, 16, "context-1m-2025-08-07") is None
    assert refusal(OLD, 900_000, 16, "context-1m-2025-08-07") is not None
