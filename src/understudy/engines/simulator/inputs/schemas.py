"""Reading a schema: what its references and combinations come to, and what an instance of it must have."""

from __future__ import annotations

import math
from typing import Any, Final, cast
from urllib.parse import unquote

from .merging import Schema, as_list, as_schema, merged, names_of

MISSING: Final = object()
"""Nothing is given."""

_MOST_FOLDS: Final = 30_000
"""Schemas that are folded into others in one pass."""
_FOLDED: Final = frozenset({"$ref", "$dynamicRef", "allOf"})


def count_of(schema: Schema, name: str, default: int) -> int:
    value = schema.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return min(int(value), 1 << 31)
    return default


def type_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    for kind, name in ((float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


class SchemaReader:
    """Reads the schemas of one root. `spent` says that the bound of work was met."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.spent = False
        self._folds = 0
        self._heights: dict[int, tuple[Schema, float]] = {}

    def target(self, reference: object) -> Schema:
        """The schema that a local reference points to; any other reference allows everything."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return {}
        place: Any = self.root
        pointer = unquote(reference[1:])
        if pointer and not pointer.startswith("/"):
            return self._anchored(pointer)
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict):
                place = cast("Schema", place).get(step)
            elif isinstance(place, list) and step.isdigit() and int(step) < len(cast("list[Any]", place)):
                place = cast("list[Any]", place)[int(step)]
            else:
                return {}
        return as_schema(place)

    def _anchored(self, name: str) -> Schema:
        for holder in (self.root, *as_schema(self.root.get("$defs")).values()):
            node = as_schema(holder)
            if name in (node.get("$anchor"), node.get("$dynamicAnchor")):
                return node
        return {}

    def flat(self, schema: Schema, path: tuple[Schema, ...] = ()) -> Schema:
        """The schema with its references and `allOf` folded into it; alternatives stay.

        `path`: the schemas that are being folded; one that holds itself adds nothing.
        """
        turns = 0
        while "$ref" in schema or "$dynamicRef" in schema or "allOf" in schema:
            turns += 1
            self._folds += 1
            if turns > 200 or len(path) > 40 or any(schema is outer for outer in path) or self._folds > _MOST_FOLDS:
                self.spent = self.spent or self._folds > _MOST_FOLDS
                return {name: value for name, value in schema.items() if name not in _FOLDED}
            path = (*path, schema)
            base = {name: value for name, value in schema.items() if name not in _FOLDED}
            for name in ("$ref", "$dynamicRef"):
                if name in schema:
                    target = self.target(schema[name])
                    base = target if not base else merged(base, target)
                    if any(target is outer for outer in path):
                        base = {name: value for name, value in base.items() if name not in _FOLDED}
            for part in as_list(schema.get("allOf"))[:50]:
                if isinstance(part, dict):
                    base = merged(base, self.flat(as_schema(part), path))
            schema = base
        return schema

    def required(self, schema: Schema) -> set[str]:
        flat = self.flat(schema)
        return set(names_of(flat.get("required")))

    def child(self, schema: Schema, step: str | int) -> Schema | None:
        """The schema of a property or an item, as far as it is told directly or by an alternative."""
        flat = self.flat(schema)
        if isinstance(step, int):
            prefix = as_list(flat.get("prefixItems"))
            return as_schema(prefix[step]) if step < len(prefix) else as_schema(flat.get("items"))
        properties = as_schema(flat.get("properties"))
        if step in properties:
            return as_schema(properties[step])
        for name in ("anyOf", "oneOf"):
            for branch in as_list(flat.get(name))[:20]:
                inner = as_schema(self.flat(as_schema(branch)).get("properties"))
                if step in inner:
                    return as_schema(inner[step])
        additional = flat.get("additionalProperties")
        return as_schema(additional) if isinstance(additional, dict) else None

    def height(self, schema: Schema, depth: int = 0) -> float:
        """How many levels the smallest instance has; endless for what leads back to itself."""
        known = self._heights.get(id(schema))
        if known is not None:
            return known[1]
        if depth > 100:
            return math.inf
        self._heights[id(schema)] = (schema, math.inf)
        parts = [0.0]
        if "$ref" in schema:
            parts.append(self.height(self.target(schema["$ref"]), depth + 1))
        properties = as_schema(schema.get("properties"))
        parts += [
            1 + self.height(as_schema(properties[name]), depth + 1)
            for name in as_list(schema.get("required"))
            if isinstance(name, str) and name in properties
        ]
        if count_of(schema, "minItems", 0) and isinstance(schema.get("items"), dict):
            parts.append(1 + self.height(as_schema(schema["items"]), depth + 1))
        parts += [self.height(as_schema(part), depth + 1) for part in as_list(schema.get("allOf"))[:50]]
        for name in ("anyOf", "oneOf"):
            branches = as_list(schema.get(name))[:50]
            if branches:
                parts.append(min(self.height(as_schema(part), depth + 1) for part in branches))
        result = max(parts)
        # The schema is kept with it, so that its identity stays its own.
        self._heights[id(schema)] = (schema, result)
        return result

    def fits(self, schema: Schema, value: object) -> bool:
        """Whether a value passes the plainest keywords of a schema: what chooses a branch, not what judges."""
        schema = self.flat(schema)
        if "const" in schema and schema["const"] != value:
            return False
        if "enum" in schema and value not in as_list(schema["enum"]):
            return False
        types = schema.get("type")
        if types is not None:
            kinds = {types} if isinstance(types, str) else set(names_of(types))
            mine = type_of(value)
            if mine not in kinds and not (mine == "integer" and "number" in kinds):
                return False
        if isinstance(value, dict):
            members = cast("Schema", value)
            properties = as_schema(schema.get("properties"))
            if schema.get("additionalProperties") is False and not members.keys() <= properties.keys():
                return False
            fixed = [
                name
                for name, part in properties.items()
                if isinstance(part, dict) and ("const" in part or "enum" in part)
            ]
            if any(name in members and not self.fits(as_schema(properties[name]), members[name]) for name in fixed):
                return False
            if any(name not in members for name in names_of(schema.get("required")) if name not in fixed):
                return False
        return True
