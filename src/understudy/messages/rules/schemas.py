"""JSON schemas that become a grammar: of strict tools, and of the output format.

Limits and refused keywords: the documentation of structured outputs, and the texts of refused requests (2026-07 to
2026-10). Limits hold for all such schemas of a request together.
"""

from __future__ import annotations

from typing import Any, Final, cast

Schema = dict[str, Any]

_MOST_STRICT_TOOLS: Final = 20
_MOST_OPTIONAL: Final = 24
_MOST_UNIONS: Final = 16

_NUMBER: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_REFUSED: Final = {
    "integer": _NUMBER,
    "number": _NUMBER,
    "string": frozenset({"minLength", "maxLength"}),
    "array": frozenset({"maxItems"}),
}
"""Keywords that a type may not have. `multipleOf` and the exclusive bounds: documented, with no text observed."""

_MISSING: Final = object()
_DEFINITIONS: Final = ("$defs", "definitions")


def schemas_fault(schemas: list[tuple[str, Schema]], strict_tools: int, *, counting: bool) -> str | None:
    """The first fault of `schemas`, given with the path that its text begins with. When only tokens are counted the
    limits of the grammar do not hold (observed)."""
    unions = optional = 0
    fault: str | None = None
    for path, schema in schemas:
        more_unions, more_optional, its_fault = _examine(schema)
        unions += more_unions
        optional += more_optional
        if fault is None and its_fault is not None:
            fault = f"{path}: {its_fault}"
    if counting:
        return fault
    if strict_tools > _MOST_STRICT_TOOLS:
        return (
            f"Too many strict tools ({strict_tools}). The maximum number of strict tools supported is "
            f"{_MOST_STRICT_TOOLS}. Try reducing the number of tools marked as strict."
        )
    if unions > _MOST_UNIONS:
        return (
            f"Schemas contains too many parameters with union types ({unions} parameters with type arrays or anyOf). "
            "This causes exponential compilation cost. Reduce the number of nullable or union-typed parameters (limit: "
            f"{_MOST_UNIONS} parameters with unions)."
        )
    if optional > _MOST_OPTIONAL:
        return (
            f"Schemas contains too many optional parameters ({optional}), which would make grammar compilation "
            "inefficient. Reduce the number of optional parameters in your tool schemas (limit: "
            f"{_MOST_OPTIONAL})."
        )
    return fault


def _examine(root: Schema, *, grammar: bool = True) -> tuple[int, int, str | None]:
    """How many unions and how many optional parameters a schema has, and its first fault in the order of the text.

    `grammar`: keywords that no grammar can hold are faults. Without recursion: a body may be a thousand levels deep.
    """
    unions = optional = 0
    fault: str | None = None
    references: dict[str, set[str]] = {}
    stack: list[tuple[object, str]] = [(root, "#")]
    while stack:
        value, home = stack.pop()
        if not isinstance(value, dict):
            continue
        node = cast("Schema", value)
        kinds = node.get("type")
        if isinstance(kinds, list):
            unions += len(cast("list[object]", kinds)) > 1 or "anyOf" in node
        else:
            unions += "anyOf" in node
            kinds = [kinds]
        if grammar and fault is None:
            fault = _node_fault(node, cast("list[object]", kinds))
        properties = node.get("properties")
        if isinstance(properties, dict):
            optional += len(cast("Schema", properties).keys() - set(_strings(node.get("required"))))
        reference = node.get("$ref")
        if isinstance(reference, str):
            references.setdefault(home, set()).add(reference)
        stack += reversed(_children(node, home))
    if fault is None and references and _circular(references):
        # Documented as a part of the text; the rest was not seen.
        fault = "Circular $ref detected"
    return unions, optional, fault


def _strings(value: object) -> list[str]:
    return [item for item in cast("list[object]", value) if isinstance(item, str)] if isinstance(value, list) else []


def _children(node: Schema, home: str) -> list[tuple[object, str]]:
    """The schemas inside of one, each with the definition that it stands in."""
    children: list[tuple[object, str]] = []
    properties = node.get("properties")
    if isinstance(properties, dict):
        children += [(child, home) for child in cast("Schema", properties).values()]
    items = node.get("items")
    if items is not None:
        children.append((items, home))
    for name in ("prefixItems", "anyOf", "oneOf", "allOf"):
        among = node.get(name)
        if isinstance(among, list):
            children += [(child, home) for child in cast("list[object]", among)]
    for name in _DEFINITIONS:
        definitions = node.get(name)
        if isinstance(definitions, dict):
            children += [(child, f"#/{name}/{key}") for key, child in cast("Schema", definitions).items()]
    return children


def _node_fault(node: Schema, kinds: list[object]) -> str | None:
    if not node:
        return "Empty schema ({}) that accepts any JSON value is not supported."
    for kind in kinds:
        if not isinstance(kind, str):
            continue
        if kind == "object":
            additional = node.get("additionalProperties", _MISSING)
            if additional is _MISSING:
                return "For 'object' type, 'additionalProperties' must be explicitly set to false"
            if additional is not False:
                # Observed for true; a schema here is refused alike [guess: its text].
                shown = "true" if additional is True else "object"
                return (
                    f"For 'object' type, 'additionalProperties: {shown}' is not supported. Please set "
                    "'additionalProperties' to false"
                )
        elif kind == "array" and node.get("minItems", 0) not in (0, 1):
            return (
                "For 'array' type, 'minItems' values other than 0 or 1 are not supported (got: "
                f"[{node['minItems']}, {node.get('maxItems', '∞')}])"
            )
        refused = _REFUSED.get(kind)
        if refused is not None and not refused.isdisjoint(node):
            names = sorted(refused.intersection(node))
            if len(names) == 1:
                return f"For '{kind}' type, property '{names[0]}' is not supported"
            return f"For '{kind}' type, properties {', '.join(names)} are not supported"
    return None


def _circular(references: dict[str, set[str]]) -> bool:
    """Whether a definition leads back to itself. `references` has the targets of each; "#" is the whole schema."""
    done: set[str] = set()
    for first in references:
        if first in done:
            continue
        path: list[str] = [first]
        walking = {first}
        targets = [iter(references[first])]
        while path:
            target = next(targets[-1], None)
            if target is None:
                targets.pop()
                last = path.pop()
                walking.discard(last)
                done.add(last)
            elif target in walking or target == "#":
                return True
            elif target in references and target not in done:
                path.append(target)
                walking.add(target)
                targets.append(iter(references[target]))
    return False


def circular_fault(path: str, schema: Schema) -> str | None:
    """A schema that refers to itself is refused in tools that code may call, too (documented)."""
    fault = _examine(schema, grammar=False)[2]
    return None if fault is None else f"{path}: {fault}"
