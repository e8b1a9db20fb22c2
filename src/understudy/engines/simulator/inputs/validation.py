"""Whether an instance is valid, by jsonschema-rs; compiled schemas are remembered by their content, within bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import orjson

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

Schema = dict[str, Any]
T = TypeVar("T")

_MOST_ERRORS: Final = 20
_PATTERNED: Final = ("pattern", "patternProperties")


def _anything(_uri: str) -> Any:
    """A schema elsewhere is never fetched: it stands for any value."""
    return {}


def _without(schema: object, names: tuple[str, ...], depth: int = 0) -> Any:
    if isinstance(schema, dict) and depth < 200:
        return {
            name: _without(value, names, depth + 1)
            for name, value in cast("Schema", schema).items()
            if name not in names
        }
    if isinstance(schema, list) and depth < 200:
        return [_without(value, names, depth + 1) for value in cast("list[object]", schema)]
    return cast("Any", schema)


def _compile(schema: Schema) -> Draft202012Validator | None:
    # Loaded with the first schema that is judged: a request without tools or a format needs none of it.
    import jsonschema_rs

    # A pattern may hold a bounded automaton: a few hundred KB serve every pattern that a person writes.
    linear = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)
    # Look-around and back references exist only in the engine that goes back; its steps are counted.
    stepped = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000, size_limit=1 << 20, dfa_size_limit=1 << 20)
    # What no engine takes is judged without its patterns.
    for dropped, options in (((), linear), ((), stepped), (_PATTERNED, linear)):
        try:
            return jsonschema_rs.Draft202012Validator(
                _without(schema, dropped) if dropped else schema,
                validate_formats=True,
                retriever=_anything,
                pattern_options=options,
            )
        except (jsonschema_rs.ReferencingError, ValueError, TypeError):
            continue
    return None


class Checker:
    """The validator of one schema. One that cannot be compiled (malformed, or nested deeper than 255 levels) takes
    every instance: there is nothing to judge by."""

    __slots__ = ("_validator", "kept", "schema")

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._validator = _compile(schema)
        self.kept: dict[str, object] = {}

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """What else is worked out of the schema, once."""
        if name not in self.kept:
            self.kept[name] = make()
        return cast("T", self.kept[name])

    def valid(self, instance: object) -> bool:
        if self._validator is None:
            return True
        try:
            return self._validator.is_valid(instance)
        except ValueError:
            return False

    def errors(self, instance: object) -> list[tuple[list[str | int], str, str | None]]:
        """Where the instance is wrong, by which keyword, and which property misses, for at most 20 errors."""
        found: list[tuple[list[str | int], str, str | None]] = []
        if self._validator is None:
            return found
        try:
            for error in self._validator.iter_errors(cast("Any", instance)):
                missing: str | None = None
                if error.kind.name == "required":
                    missing = cast("str", error.kind.as_dict().get("property"))
                found.append((list(error.instance_path), error.kind.name, missing))
                if len(found) == _MOST_ERRORS:
                    break
        except ValueError:
            return found
        return found


_MOST_KEPT: Final = 256
_MOST_BYTES: Final = 8 << 20
_kept: OrderedDict[bytes, Checker] = OrderedDict()
_kept_bytes = 0


def checker(schema: Schema) -> Checker:
    """The checker of a schema: of equal content, the same one. At most 256 schemas of 8 MB together are remembered."""
    global _kept_bytes
    try:
        key = orjson.dumps(schema)
    except (orjson.JSONEncodeError, TypeError):
        return Checker(schema)
    known = _kept.get(key)
    if known is not None:
        _kept.move_to_end(key)
        return known
    made = Checker(schema)
    if len(key) <= _MOST_BYTES // 4:
        _kept[key] = made
        _kept_bytes += len(key)
        while len(_kept) > _MOST_KEPT or _kept_bytes > _MOST_BYTES:
            _kept_bytes -= len(_kept.popitem(last=False)[0])
    return made
