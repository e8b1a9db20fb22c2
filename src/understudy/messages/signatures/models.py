"""Which models bind thinking to the conversation it was made in, and whose thinking each can read.

Source: platform.claude.com/docs build-with-claude/preserved-thinking and its page prefix-checks, of 2026-09-02 to
2026-11; the Bedrock user guide's page on preserved thinking for Haiku 5.5.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from understudy.engines.catalog import Model, public_models

_PREFIX_CHECKED: Final = frozenset(
    {
        "claude-fable-5-2",
        "claude-mythos-5-2",
        "claude-fable-5-1",
        # Not so at its release ("don't run the prefix check"); the newest list has it.
        "claude-mythos-5-1",
        "claude-opus-5-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
    }
)

# Where the rule below does not hold. None: every model.
_READERS: Final[dict[str, frozenset[str] | None]] = {
    # "not locked to the model that produced them"
    "claude-haiku-5-5": None,
    "claude-sonnet-5-5": frozenset({"claude-opus-5-5"}),
    # That the 5.2 models read what the 5.1 models do is a guess: their pages were not seen.
    "claude-opus-5-5": frozenset({"claude-fable-5-1", "claude-mythos-5-1", "claude-fable-5-2", "claude-mythos-5-2"}),
    "claude-fable-5-1": frozenset({"claude-mythos-5-1", "claude-fable-5-2", "claude-mythos-5-2"}),
    "claude-mythos-5-1": frozenset({"claude-fable-5-1", "claude-fable-5-2", "claude-mythos-5-2"}),
    "claude-fable-5-2": frozenset({"claude-mythos-5-2"}),
    "claude-mythos-5-2": frozenset({"claude-fable-5-2"}),
}
_READS_ONLY_ITS_OWN: Final = frozenset({"claude-haiku-5-5"})
_NOT_READ_BY: Final = {"claude-sonnet-5-5": frozenset({"claude-opus-5"})}
_HIGHEST_LINES: Final = frozenset({"fable", "mythos"})


def checks_prefix(model_id: str) -> bool:
    """Whether the model takes its thinking back only behind an unchanged conversation."""
    return model_id in _PREFIX_CHECKED


def reads(model: Model, producer: str) -> bool:
    """Whether `model` may see thinking that the model with the id `producer` made.

    A model reads its own and that of earlier models; only Fable and Mythos read that of Fable and Mythos.
    """
    if model.id == producer:
        return True
    if producer in _READERS:
        readers = _READERS[producer]
        return readers is None or model.id in readers
    made_by = _public().get(producer)
    if made_by is None or model.id in _READS_ONLY_ITS_OWN or producer in _NOT_READ_BY.get(model.id, ()):
        return False
    if made_by.line in _HIGHEST_LINES and model.line not in _HIGHEST_LINES:
        return False
    return made_by.created_at < model.created_at


@lru_cache(maxsize=1)
def _public() -> dict[str, Model]:
    return {model.id: model for model in public_models()}
