"""Whose thinking a model reads, as the documentation tells it."""

from __future__ import annotations

import pytest

from messages.signatures.conversing import model
from understudy.engines.catalog import public_models
from understudy.messages.signatures.models import checks_prefix, reads


@pytest.mark.parametrize(
    ("reader", "producer", "expected"),
    [
        ("claude-fable-5-1", "claude-opus-5", True),
        ("claude-fable-5-1", "claude-opus-5-5", True),
        ("claude-fable-5-1", "claude-mythos-5-1", True),
        ("claude-fable-5-1", "claude-fable-5", True),
        ("claude-fable-5-1", "claude-sonnet-5-5", False),
        ("claude-opus-5", "claude-fable-5-1", False),
        ("claude-opus-5-5", "claude-fable-5-1", False),
        ("claude-opus-5-5", "claude-opus-5", True),
        ("claude-opus-5-5", "claude-haiku-4-5-20251001", True),
        ("claude-opus-5-5", "claude-fable-5", False),
        ("claude-opus-5-5", "claude-sonnet-5-5", True),
        ("claude-sonnet-5-5", "claude-sonnet-5", True),
        ("claude-sonnet-5-5", "claude-opus-4-8", True),
        ("claude-sonnet-5-5", "claude-haiku-4-5-20251001", True),
        ("claude-sonnet-5-5", "claude-opus-5", False),
        ("claude-sonnet-5-5", "claude-opus-5-5", False),
        ("claude-sonnet-5-5", "claude-mythos-5", False),
        ("claude-haiku-5-5", "claude-haiku-4-5-20251001", False),
        ("claude-opus-4-6", "claude-haiku-5-5", True),
        ("claude-opus-5", "claude-opus-5-5", False),
        ("claude-opus-4-6", "my-own-model", False),
        ("my-own-model", "claude-opus-4-6", False),
        ("my-own-model", "my-own-model", True),
    ],
)
def test_a_model_reads_the_thinking_that_is_documented(reader: str, producer: str, expected: bool) -> None:
    assert reads(model(reader), producer) is expected


def test_every_model_reads_its_own_thinking() -> None:
    assert all(reads(each, each.id) for each in public_models())


def test_no_model_before_fable_5_1_binds_thinking_to_its_conversation() -> None:
    first = model("claude-fable-5-1").created_at
    assert [each.id for each in public_models() if checks_prefix(each.id) != (each.created_at >= first)] == []
