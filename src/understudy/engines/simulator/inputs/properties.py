"""The properties of an object as the words are looked through for them."""

from __future__ import annotations

from typing import Any, Final, cast

from .hints import Hint, alternatives, hint
from .merging import Schema
from .schemas import SchemaReader

_MOST_PROPERTIES: Final = 300


def hints_of(reader: SchemaReader, schema: Schema) -> list[Hint]:
    """The hints of an object's properties, those of its alternatives among them."""
    flat = reader.flat(schema)
    properties = dict(cast("Schema", flat.get("properties") or {}))
    for keyword in ("anyOf", "oneOf"):
        for branch in cast("list[Any]", flat.get(keyword) or []):
            if isinstance(branch, dict):
                more = cast("Schema", reader.flat(cast("Schema", branch)).get("properties") or {})
                properties = {**more, **properties}
    required = reader.required(schema)
    return [
        hint(name, plain(reader, cast("Schema", part)), required=name in required)
        for name, part in list(properties.items())[:_MOST_PROPERTIES]
        if isinstance(part, dict)
    ]


def plain(reader: SchemaReader, schema: Schema) -> Schema:
    """A property's schema with references folded in and "or null" left out."""
    flat = reader.flat(schema)
    for name in ("anyOf", "oneOf"):
        branches = flat.get(name)
        if isinstance(branches, list) and not alternatives(flat):
            kept = [reader.flat(cast("Schema", part)) for part in cast("list[Any]", branches) if isinstance(part, dict)]
            kept = [part for part in kept if part.get("type") != "null"]
            if kept:
                return {**kept[0], **{key: value for key, value in flat.items() if key != name}}
    if not any(key in flat for key in ("type", "properties", "items", "enum", "const")):
        return {**flat, "type": "string"}
    if "type" not in flat and "properties" in flat:
        return {**flat, "type": "object"}
    return flat
