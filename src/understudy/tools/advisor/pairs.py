"""Which model may advise which, and whose advice the client may read.

Source: the compatibility table of advisor-tool.md (2026-08), in which each model takes all that stand at its height or
above. Newer models are not in it: that one of theirs takes no older advisor is observed of Fable 5.1, which refuses
Fable 5; their other places are a [guess] by line and age.
"""

from __future__ import annotations

from typing import Final

from understudy.engines.catalog import Model, public_models

_HEIGHTS: Final = {
    "claude-haiku-4-5-20251001": 0,
    "claude-sonnet-4-6": 1,
    "claude-opus-4-6": 2,
    "claude-sonnet-5": 3,
    "claude-opus-4-7": 4,
    "claude-opus-4-8": 4,
    "claude-opus-5": 5,
    "claude-fable-5": 5,
    "claude-mythos-5": 5,
    "claude-haiku-5-5": 3,
    "claude-sonnet-5-5": 5,
    "claude-opus-5-5": 6,
    "claude-fable-5-1": 6,
    "claude-mythos-5-1": 6,
    "claude-fable-5-2": 7,
    "claude-mythos-5-2": 7,
}
_NO_ADVISORS: Final = frozenset({"claude-haiku-4-5-20251001", "claude-haiku-5-5"})
_READABLE: Final = frozenset(
    {"claude-sonnet-4-6", "claude-opus-4-6", "claude-sonnet-5", "claude-opus-4-7", "claude-opus-4-8"}
)


def public_model(name: str) -> Model | None:
    """The model of the catalog that has this id or alias."""
    return next((model for model in public_models() if name == model.id or name in model.aliases), None)


def may_advise(advisor: str, executor: str) -> bool:
    """Whether the model of this name may advise the one with the id `executor`. Models that only this installation
    knows have no place in the table: they advise, and are advised by, whomever the request names."""
    found, asking = public_model(advisor), public_model(executor)
    if found is None or asking is None:
        return True
    if found.id in _NO_ADVISORS or found.id not in _HEIGHTS or asking.id not in _HEIGHTS:
        return False
    return _HEIGHTS[found.id] >= _HEIGHTS[asking.id]


def is_redacted(advisor: str) -> bool:
    """Whether the client gets this model's advice sealed."""
    found = public_model(advisor)
    return found is not None and found.id not in _READABLE
