"""A schema of `response_format` as the Messages API takes it.

What its grammar cannot hold goes into the description, where the model reads it, as the official SDKs do with the
schemas of classes. Objects are closed, which OpenAI asks for in its strict mode and the Messages API always.
"""

from __future__ import annotations

from typing import Any, Final, cast

Schema = dict[str, Any]

_TOLD: Final = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
    }
)
_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS: Final = ("properties", "$defs", "definitions")
# Deeper schemas stay as they are, and are judged by the API's own rules.
_DEEPEST: Final = 100


def closed(schema: Schema, depth: int = 0) -> Schema:
    if depth > _DEEPEST:
        return schema
    node = {name: value for name, value in schema.items() if name not in _TOLD}
    told = [f"{name}: {value}" for name, value in schema.items() if name in _TOLD and isinstance(value, int | float)]
    minimum = schema.get("minItems")
    if isinstance(minimum, int) and minimum > 1:
        del node["minItems"]
        told.append(f"minItems: {minimum}")
    if told:
        before = node.get("description")
        rest = "{" + ", ".join(told) + "}"
        node["description"] = f"{before}\n\n{rest}" if isinstance(before, str) and before else rest
    kind = node.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        node.setdefault("additionalProperties", False)
    for name in _MAPS:
        inner = node.get(name)
        if isinstance(inner, dict):
            node[name] = {key: _inner(value, depth) for key, value in cast("Schema", inner).items()}
    for name in _LISTS:
        among = node.get(name)
        if isinstance(among, list):
            node[name] = [_inner(value, depth) for value in cast("list[object]", among)]
    if "items" in node:
        node["items"] = _inner(node["items"], depth)
    return node


def _inner(value: object, depth: int) -> object:
    return closed(cast("Schema", value), depth + 1) if isinstance(value, dict) else value
