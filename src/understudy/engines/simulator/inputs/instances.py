"""Instances of JSON Schemas: what is given is kept where it fits, what is missing is made up, the same way every time.

The maker knows the keywords of JSON Schema 2020-12 well enough to be right at once for ordinary schemas; the validator
judges, and what it finds wrong is repaired or tried again in another way. The work is bounded; when that bound is met
the closest instance that was found is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Final, cast

from understudy.engines.simulator.seeded import Seeded

from .making import MISSING, Maker
from .merging import Schema
from .validation import Checker

_ATTEMPTS: Final = 12
_REPAIRS: Final = 6


def instance(
    judge: Checker,
    given: object,
    seeded: Callable[[], Seeded],
    phrase: Callable[[str], str | None] | None = None,
) -> Any:
    """An instance of the schema of `judge` that holds `given`: an object with only some of its properties, or MISSING.

    `phrase` gives words of the request for a required text that nothing else fills, by the property's name. Values of
    `given` that the schema does not allow are left out. When no valid instance is found in bounded work, the one with
    the fewest errors is returned.
    """
    best: Any = None
    fewest = 1 << 30
    for attempt in range(_ATTEMPTS):
        # From the middle on the request's words give way: the schema counts more.
        if attempt == _ATTEMPTS // 2:
            given, phrase = MISSING, None
        maker = Maker(judge.schema, seeded, attempt, phrase)
        value = maker.make(judge.schema, given, "", 0)
        if judge.valid(value):
            return value
        if maker.spent:
            # An instance that is cut has too many faults to mend.
            return value if best is None else best
        value, errors = _repaired(judge, maker, value)
        if not errors:
            return value
        if errors < fewest:
            best, fewest = value, errors
    return best


def _repaired(judge: Checker, maker: Maker, value: Any) -> tuple[Any, int]:
    for _ in range(_REPAIRS):
        errors = judge.errors(value)
        if not errors:
            return value, 0
        changed = False
        for path, keyword, missing in errors:
            value, done = _repair(maker, value, path, keyword, missing)
            changed = changed or done
        if not changed:
            break
    return value, len(judge.errors(value))


def _repair(maker: Maker, value: Any, path: list[str | int], keyword: str, missing: str | None) -> tuple[Any, bool]:
    """The value with one fault mended, and whether something was done."""
    schema: Schema | None = maker.root
    for step in path:
        schema = None if schema is None else maker.child(schema, step)
    if missing is not None:
        target = _at(value, path)
        if isinstance(target, dict) and schema is not None:
            part = maker.child(schema, missing)
            cast("Schema", target)[missing] = maker.make(part or {}, MISSING, missing, len(path) + 1)
            return value, True
        return value, False
    if not path:
        return value, False
    parent = _at(value, path[:-1])
    last = path[-1]
    if isinstance(parent, dict):
        members = cast("Schema", parent)
        if not isinstance(last, str) or last not in members:
            return value, False
        owner: Schema | None = maker.root
        for step in path[:-1]:
            owner = None if owner is None else maker.child(owner, step)
        required = maker.required(owner or {})
        if last not in required or keyword in {"additionalProperties", "unevaluatedProperties"}:
            del members[last]
            return value, True
        members[last] = _another(maker, schema or {}, members[last], last, len(path))
        return value, True
    if isinstance(parent, list) and isinstance(last, int) and last < len(cast("list[Any]", parent)):
        items = cast("list[Any]", parent)
        items[last] = _another(maker, schema or {}, items[last], "", len(path))
        return value, True
    return value, False


def _another(maker: Maker, schema: Schema, old: object, name: str, depth: int) -> Any:
    """Another value than the one that was wrong, without words of the request."""
    other = copy(maker)
    other.phrase = None
    for _ in range(4):
        other.attempt += 1
        made = other.make(schema, MISSING, name, depth)
        if made != old:
            return made
    return old


def _at(value: Any, path: list[str | int]) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = cast("Schema", value).get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[step]
        else:
            return None
    return value
