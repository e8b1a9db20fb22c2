"""The shape of a body that goes on from another: only what is new is looked at."""

from __future__ import annotations

from typing import Any, Final

from .known_bodies import KnownBody
from .slices import long_fields
from .validation import Validator

_STAGE: Final = "shape"
# What new messages are checked with.
_REQUIRED: Final = ("model", "max_tokens")


def check_known(shape: Validator, known: KnownBody) -> bool:
    """Whether a known body has the shape, as far as that can be said without looking at all of it: it goes on from one
    that had it, and what is new is sound, and not so long that it is checked in slices."""
    messages: list[Any] = known.body["messages"]
    checked, sound = known.noted((_STAGE, shape))
    if sound is None:
        return False
    new = messages[checked:]
    if new:
        part = {name: known.body[name] for name in _REQUIRED if name in known.body}
        part["messages"] = new
        if long_fields(part) or shape.fault(part) is not None:
            return False
        note_checked(shape, known)
    return True


def note_checked(shape: Validator, known: KnownBody) -> None:
    """Remember that a known body has the shape, and so has what goes on from any of its last messages."""
    for checked in known.worth_noting():
        known.note((_STAGE, shape), checked, True)
