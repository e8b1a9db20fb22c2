"""Hypothesis strategies for requests of chat completions."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from generated import LONG, NEW_MODELS, OLD_MODELS, in_process, texts
from pictures import base64_of, png

# Of the properties here; there are many of them, and each example asks more than once.
quick = settings(parent=in_process, max_examples=1_000 if LONG else 60)

PICTURE = "data:image/png;base64," + base64_of(png(8, 8))

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the current weather in a given city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
                "required": ["city"],
            },
            "strict": True,
        },
    },
    {"type": "function", "function": {"name": "ping", "description": None}},
    {"type": "function", "function": {"name": "add-note", "parameters": {}}},
]

_characters = st.characters(exclude_categories=["Cs"])
# Values that are JSON whoever reads it.
any_value = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-9, 2**53), st.floats(-1e9, 1e9), st.text(_characters, max_size=12)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(_characters, max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)

_asks = st.one_of(
    texts,
    st.sampled_from(["What's the weather in Paris and in Rome?", "Use the ping tool", "Write 40 words about rivers."]),
)
_text_parts = st.builds(lambda text: {"type": "text", "text": text}, texts)
_said = st.one_of(texts, st.lists(_text_parts, min_size=1, max_size=3))
_ask_parts = st.lists(
    st.one_of(
        _text_parts,
        st.just({"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}}),
        st.just({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
    ),
    max_size=3,
).flatmap(lambda parts: _asks.map(lambda text: [{"type": "text", "text": text}, *parts]))


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Messages that begin with anybody's and end with the user's, or with results of tools."""
    messages: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 2))):
        messages.append({"role": draw(st.sampled_from(["system", "developer"])), "content": draw(_said)})
    messages.append({"role": "user", "content": draw(st.one_of(_asks, _ask_parts)), "name": "ada"})
    for turn in range(draw(st.integers(0, 2))):
        if draw(st.booleans()):
            messages.append({"role": "assistant", "content": draw(_said), "refusal": None})
            messages.append({"role": "user", "content": draw(_asks)})
            continue
        ids = [f"call_{turn}_{place}" for place in range(draw(st.integers(1, 3)))]
        calls = [
            {
                "id": call_id,
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "arguments": json.dumps({"city": draw(st.sampled_from(["Rome", "Ōsaka"]))}),
                },
            }
            for call_id in ids
        ]
        messages.append({"role": "assistant", "content": draw(st.sampled_from([None, "", "Let me look."]))})
        messages[-1]["tool_calls"] = calls
        for call_id in draw(st.permutations(ids)):
            messages.append({"role": "tool", "tool_call_id": call_id, "content": draw(_said)})
        if draw(st.booleans()):
            messages.append({"role": "system", "content": "Be brief."})
    return messages


@st.composite
def chat_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Requests that the route takes."""
    model = draw(st.sampled_from([*OLD_MODELS, *NEW_MODELS]))
    request: dict[str, Any] = {"model": model, "messages": draw(conversations())}
    used = any("tool_calls" in message for message in request["messages"])
    optional: dict[str, st.SearchStrategy[Any]] = {
        "max_tokens": st.integers(1, 400),
        "max_completion_tokens": st.integers(1, 400),
        "stop": st.sampled_from(["a", " the", ["\n", "!"], [], ["Understudy", "1, 2"]]),
        "n": st.just(1),
        "user": st.text(_characters, max_size=20),
        "parallel_tool_calls": st.booleans(),
        # Ignored, whatever they hold.
        "seed": any_value,
        "logprobs": any_value,
        "logit_bias": any_value,
        "metadata": any_value,
        "reasoning_effort": any_value,
        "service_tier": any_value,
        "anything_new": any_value,
    }
    if model in OLD_MODELS:
        optional["temperature"] = st.sampled_from([0, 0.5, 1, 1.3, 2])
    for name, strategy in optional.items():
        if draw(st.booleans()):
            request[name] = draw(strategy)
    if used or draw(st.booleans()):
        request["tools"] = copy.deepcopy(TOOLS)
        choices: list[Any] = [None, "auto", "none"]
        if model in OLD_MODELS:
            choices += ["required", {"type": "function", "function": {"name": "get_weather"}}]
        request["tool_choice"] = draw(st.sampled_from(choices))
    return request
