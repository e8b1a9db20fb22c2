"""Hypothesis strategies for Messages requests, and how many examples a property is tried on."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LONG = os.environ.get("UNDERSTUDY_TEST_LONG") == "1"

_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]

# In-process properties, and those over a socket or a restart.
in_process = settings(
    max_examples=int(os.environ.get("UNDERSTUDY_TEST_EXAMPLES", 0)) or (10_000 if LONG else 1_000),
    deadline=None,
    suppress_health_check=_SUPPRESSED,
)
over_socket = settings(max_examples=500 if LONG else 50, deadline=None, suppress_health_check=_SUPPRESSED)

OLD_MODELS = ["claude-sonnet-4-5", "claude-haiku-4-5-20251001", "claude-3-haiku-20240307"]
NEW_MODELS = ["claude-opus-5-5", "claude-sonnet-5", "claude-fable-5-1"]

# What a JSON string can hold and what a text block may be: no lone surrogates, not blank.
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).filter(lambda text: text.strip() != ""),
    st.sampled_from(
        [
            "Hello",
            "What is 17 * 23?",
            'Reply with exactly: "OK"',
            "Write 60 words about rivers and stones.",
            "Count from 1 to 40.",
            "こんにちは、元気ですか",
            "Say 'naïve 😀 café'",
            "My name is Ada. What is my name?",
            "event: error\ndata: {}\n\n",
        ]
    ),
)
text_blocks = st.builds(lambda text: {"type": "text", "text": text}, texts)
contents = st.one_of(texts, st.lists(text_blocks, min_size=1, max_size=4))


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Messages that begin and end with the user's."""
    messages = [{"role": "user", "content": draw(contents)}]
    for _ in range(draw(st.integers(0, 3))):
        messages.append({"role": "assistant", "content": draw(contents)})
        messages.append({"role": "user", "content": draw(contents)})
    return messages


@st.composite
def text_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Valid Messages requests of text alone."""
    request: dict[str, Any] = {
        "model": draw(st.sampled_from(OLD_MODELS + NEW_MODELS)),
        "max_tokens": draw(st.one_of(st.integers(1, 12), st.integers(1, 4096))),
        "messages": draw(conversations()),
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        "system": contents,
        "stop_sequences": st.lists(
            st.sampled_from(["a", " the", "\n\n", "!", "Understudy", "1, 2", "é"]), max_size=3
        ).map(lambda sequences: [sequence for sequence in sequences if sequence.strip()]),
        "metadata": st.builds(
            lambda user: {"user_id": user}, st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
        ),
        "service_tier": st.sampled_from(["auto", "standard_only"]),
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            request[name] = draw(strategy)
    return request


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda children: st.one_of(
        st.lists(children, max_size=4), st.dictionaries(st.text(max_size=12), children, max_size=4)
    ),
    max_leaves=12,
)
