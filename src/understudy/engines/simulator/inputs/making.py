"""The maker: one pass over a schema that builds one instance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, cast

import orjson

from understudy.engines.simulator.seeded import Seeded

from .merging import Schema, as_list, as_schema, merged, names_of
from .patterns import PatternError, text_matching
from .scalars import WORDS, ScalarMaker
from .schemas import MISSING as MISSING
from .schemas import count_of, type_of

_MOST_NODES: Final = 12_000
_DEEPEST: Final = 140
_MOST_ITEMS: Final = 1_000
_TYPES: Final = ("string", "number", "object", "array", "boolean", "null")
_TELLING: Final = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "propertyNames"),
    "array": ("items", "prefixItems", "minItems", "contains", "uniqueItems"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Which type a schema without one is about, told by its keywords."""


def _key(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS, default=str)


class Maker(ScalarMaker):
    """Builds instances. `attempt` chooses other branches and values than the attempt before.

    `spent` says that the bound of work was met, and the instance is cut.
    """

    def __init__(
        self, root: Schema, seeded: Callable[[], Seeded], attempt: int, phrase: Callable[[str], str | None] | None
    ) -> None:
        super().__init__(root, seeded, attempt, phrase)
        self._nodes = 0
        self._open: list[object] = ["#"]

    def make(self, schema: object, given: object, name: str, depth: int) -> Any:
        """An instance of `schema`; `name` is the property it stands in."""
        if not isinstance(schema, dict):
            return None if given is MISSING else given
        self._nodes += 1
        if self._nodes > _MOST_NODES or depth > _DEEPEST:
            self.spent = True
            return None
        reference = cast("Schema", schema).get("$ref")
        if reference is None:
            return self._make(cast("Schema", schema), given, name, depth)
        self._open.append(reference)
        try:
            return self._make(cast("Schema", schema), given, name, depth)
        finally:
            self._open.pop()

    def _make(self, schema: Schema, given: object, name: str, depth: int) -> Any:
        flat = self.flat(schema)
        for keyword in ("oneOf", "anyOf"):
            if keyword in flat:
                flat = self._branched(flat, keyword, given)
        if "const" in flat:
            return flat["const"]
        options = as_list(flat.get("enum"))
        if options:
            return self._option(flat, options, given)
        if given is MISSING and "default" in flat and self.attempt < 2:
            return flat["default"]
        kind = self._kind(flat, given)
        if kind == "object":
            return self._object(flat, given, depth)
        if kind == "array":
            return self._array(flat, given, name, depth)
        if kind == "string":
            return self.string(flat, given, name)
        if kind in ("integer", "number"):
            return self.number(flat, given, kind)
        if kind == "boolean":
            return given if isinstance(given, bool) else bool(self.attempt % 2)
        return None

    def _branched(self, schema: Schema, keyword: str, given: object) -> Schema:
        branches = [as_schema(branch) for branch in as_list(schema[keyword]) if isinstance(branch, dict)][:50]
        base = {name: value for name, value in schema.items() if name != keyword}
        if not branches:
            return base
        heights = [self.height(branch) for branch in branches]
        order = sorted(
            range(len(branches)),
            key=lambda index: (
                heights[index] == math.inf,
                # What leads back to a schema that is being made comes last, where nothing is given for it.
                given is MISSING and branches[index].get("$ref") in self._open,
                -self._fitness(branches[index], given),
                heights[index],
            ),
        )
        chosen = branches[order[self.attempt % len(order)]]
        joined = merged(base, self.flat(chosen))
        for _ in range(8):
            inner = next(
                (name for name in ("oneOf", "anyOf") if name in joined and joined[name] is not schema.get(name)), None
            )
            if inner is None:
                break
            joined = self._branched(joined, inner, given)
        return joined

    def _fitness(self, branch: Schema, given: object) -> int:
        """How well what is given would stand in this branch; negative where it cannot."""
        flat = self.flat(branch)
        if given is MISSING:
            return -1 if flat.get("type") == "null" else 0
        return 5 if self.fits(flat, given) else -5

    def _option(self, schema: Schema, options: list[Any], given: object) -> Any:
        if given is not MISSING and given in options:
            return given
        if "default" in schema and schema["default"] in options and self.attempt < 2:
            return schema["default"]
        fitting = (
            [option for option in options if self.fits({"type": schema["type"]}, option)] if "type" in schema else []
        )
        fitting = fitting or options
        return fitting[self.attempt % len(fitting)]

    def _kind(self, schema: Schema, given: object) -> str:
        kinds = schema.get("type")
        if isinstance(kinds, str):
            return kinds
        mine = None if given is MISSING else type_of(given)
        several = [kind for kind in as_list(kinds) if isinstance(kind, str)]
        if several:
            if mine is not None and (mine in several or (mine == "integer" and "number" in several)):
                return mine
            plain = [kind for kind in several if kind != "null"] + (["null"] if "null" in several else [])
            return plain[self.attempt % len(plain)]
        if mine is not None:
            return mine
        for kind, names in _TELLING.items():
            if any(name in schema for name in names):
                return kind
        return _TYPES[self.attempt % len(_TYPES)]

    def _object(self, schema: Schema, given: object, depth: int) -> Schema:
        properties = as_schema(schema.get("properties"))
        wanted = cast("Schema", given) if isinstance(given, dict) else {}
        closed = schema.get("additionalProperties") is False or schema.get("unevaluatedProperties") is False
        patterns = as_schema(schema.get("patternProperties"))
        made: Schema = {}
        required = dict.fromkeys(names_of(schema.get("required")))
        for name in [name for name in properties if name in required or name in wanted] + [
            name for name in [*required, *wanted] if name not in properties
        ]:
            if name in made or properties.get(name) is False:
                continue
            if name not in properties and closed and not patterns and name not in required:
                continue
            part = properties.get(name, schema.get("additionalProperties"))
            made[name] = self.make(as_schema(part), wanted.get(name, MISSING), name, depth + 1)
            if self.spent:
                break
        self._dependent(schema, made, depth)
        self._conditional(schema, made, wanted, depth)
        self._more_properties(schema, made, depth)
        return made

    def _add(self, schema: Schema, made: Schema, names: list[Any], depth: int) -> None:
        for name in names:
            if isinstance(name, str) and name not in made:
                made[name] = self.make(self.child(schema, name) or {}, MISSING, name, depth + 1)

    def _dependent(self, schema: Schema, made: Schema, depth: int) -> None:
        for name, needed in as_schema(schema.get("dependentRequired")).items():
            if name in made:
                self._add(schema, made, as_list(needed), depth)
        for name, part in as_schema(schema.get("dependentSchemas")).items():
            if name in made:
                self._add(merged(schema, as_schema(part)), made, as_list(as_schema(part).get("required")), depth)

    def _conditional(self, schema: Schema, made: Schema, wanted: Schema, depth: int) -> None:
        rules = [schema] if "if" in schema else []
        rules += [as_schema(rule) for rule in as_list(schema.get("_rules"))]
        for rule in rules:
            condition = rule.get("if")
            holds = condition is True or (isinstance(condition, dict) and self.fits(cast("Schema", condition), made))
            part = as_schema(rule.get("then" if holds else "else"))
            if not part:
                continue
            for name, more in as_schema(part.get("properties")).items():
                if name in made and isinstance(more, dict):
                    both = merged(self.flat(as_schema(as_schema(schema.get("properties")).get(name))), as_schema(more))
                    made[name] = self.make(both, wanted.get(name, MISSING), name, depth + 1)
            self._add(merged(schema, part), made, as_list(part.get("required")), depth)

    def _more_properties(self, schema: Schema, made: Schema, depth: int) -> None:
        """Properties up to `minProperties`: optional ones, then those a pattern or a free name allows."""
        least = min(count_of(schema, "minProperties", 0), _MOST_ITEMS)
        if len(made) >= least:
            return
        properties = as_schema(schema.get("properties"))
        for name in properties:
            if len(made) >= least:
                return
            if name not in made and properties[name] is not False:
                made[name] = self.make(properties[name], MISSING, name, depth + 1)
        patterns = as_schema(schema.get("patternProperties"))
        names = schema.get("propertyNames")
        for index in range(least * 4):
            if len(made) >= least:
                return
            part: object = schema.get("additionalProperties", {})
            if (patterns and part is False) or (patterns and index % 2 == 0):
                pattern, part = next(iter(patterns.items()))
                try:
                    name = text_matching(pattern, self.seeded, index % 8)
                except PatternError:
                    continue
            elif isinstance(names, dict):
                name = str(self.make({"type": "string", **as_schema(names)}, MISSING, "", depth + 1))
            else:
                name = f"{WORDS[index % len(WORDS)]}{index // len(WORDS) or ''}"
            if part is not False and name not in made:
                made[name] = self.make(as_schema(part), MISSING, name, depth + 1)

    def _array(self, schema: Schema, given: object, name: str, depth: int) -> list[Any]:
        prefix = as_list(schema.get("prefixItems"))
        items = schema.get("items", {})
        wanted: list[Any] = [] if given is MISSING else [given]
        if isinstance(given, list):
            wanted = cast("list[Any]", given)
        least = min(count_of(schema, "minItems", 0), _MOST_ITEMS)
        most = count_of(schema, "maxItems", 1 << 31)
        contained = as_schema(schema.get("contains"))
        needed = count_of(schema, "minContains", 1) if "contains" in schema else 0
        unique = schema.get("uniqueItems") is True
        made: list[Any] = []
        seen: set[bytes] = set()
        count = min(max(least, len(wanted), min(needed, _MOST_ITEMS), 1 if self._filled(schema, name) else 0), most)
        for index in range(count):
            if index < len(prefix):
                part: object = prefix[index]
            elif items is False:
                break
            else:
                part = items
            if needed and index >= count - needed and contained:
                part = merged(as_schema(part), contained)
            value = self.make(part, wanted[index] if index < len(wanted) else MISSING, name, depth + 1)
            if unique:
                value = self._unlike(seen, part, value, name, depth, index)
            made.append(value)
            if self.spent:
                break
        return made

    def _filled(self, schema: Schema, name: str) -> bool:
        """A list that must be there gets one item of the request's words rather than none."""
        return (
            bool(name)
            and self.phrase is not None
            and schema.get("maxItems") != 0
            and self.attempt == 0
            and (self.phrase(name) is not None and as_schema(schema.get("items")).get("type") == "string")
        )

    def _unlike(self, seen: set[bytes], part: object, value: Any, name: str, depth: int, index: int) -> Any:
        """A value that was not seen yet, where the schema has one that is found in a few tries."""
        tries = 0
        kept_attempt, kept_phrase = self.attempt, self.phrase
        while (key := _key(value)) in seen and tries < 40:
            self.attempt += 1
            self.phrase = None
            tries += 1
            value = self.make(part, MISSING, name, depth + 1)
            if _key(value) in seen and isinstance(value, (int, float)) and not isinstance(value, bool):
                value = self.make(part, value + tries, name, depth + 1)
        self.attempt, self.phrase = kept_attempt, kept_phrase
        seen.add(key)
        return value
