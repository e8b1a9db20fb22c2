"""How a type says what an API version or a beta header changes.

The request types are written once, as they are with every beta on. `Beta` and `Until` inside `Annotated[…]` close a
field of a TypedDict or a member of a union; a `Variant` tells which of them are open for one request:

    class OutputConfigParam(TypedDict):
        effort: NotRequired[Effort | None]
        task_budget: Annotated[NotRequired[TaskBudgetParam | None], Beta("task-budgets-2026-03-13")]

Static type checkers see through both, so the rest of the code reads the classes as they stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin


@dataclass(frozen=True, slots=True, init=False)
class Beta:
    """Exists only if one of `names` stands in the `anthropic-beta` header."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, slots=True)
class Until:
    """Exists only in versions before `version`. Versions are ISO dates, so they compare as text."""

    version: str


@dataclass(frozen=True, slots=True)
class Variant:
    """The shape of requests under one API version and a set of betas."""

    version: str
    betas: frozenset[str] = frozenset()

    def opens(self, markers: Iterable[object]) -> bool:
        """True unless one of `markers` is a gate that this variant leaves closed."""
        for marker in markers:
            if isinstance(marker, Beta):
                if self.betas.isdisjoint(marker.names):
                    return False
            elif isinstance(marker, Until) and self.version >= marker.version:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """An annotation taken apart: the bare type, its markers from the outermost in, and whether its key may miss."""

    type: Any
    markers: tuple[object, ...]
    required: bool


def unwrap(annotation: Any) -> Unwrapped:
    """Take `Annotated`, `NotRequired` and `Required` off `annotation`, however they are nested."""
    markers: tuple[object, ...] = ()
    required = True
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            markers += tuple(more)
        elif origin is NotRequired or origin is Required:
            required = origin is Required
            (annotation,) = get_args(annotation)
        else:
            return Unwrapped(annotation, markers, required)
