"""What holds a model to a form: grammars for names of tools, schemas for inputs and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

ANY_OBJECT: Final[dict[str, Any]] = {"type": "object"}
"""What is left of a schema that llama.cpp cannot make a grammar of."""

# Where nothing stands beside `properties` that could name more of them.
_OPEN: Final = frozenset({"additionalProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf"})
_ONE: Final = ("items", "not")
_LISTS: Final = ("anyOf", "oneOf", "prefixItems")
_NAMED: Final = ("properties", "$defs", "definitions")
# Levels of a schema that are walked.
_DEEPEST: Final = 64


def constrained(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` as it is given to llama.cpp.

    White space is left out, for a grammar that allows it allows it without end. What the grammar cannot say (`not`,
    `uniqueItems`) is passed over there. Objects get none but their declared properties unless the schema speaks of
    others: a model would else go on inventing some.
    """
    closed = cast("dict[str, Any]", _closed(dict(schema), 0))
    if not closed:
        closed = dict(ANY_OBJECT)
    # llguidance's own word; llama.cpp's other grammars pass it over.
    closed["x-guidance"] = {"whitespace_flexible": False, "lenient": True}
    return closed


def _closed(schema: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return cast("Any", schema)
    found = dict(cast("dict[str, Any]", schema))
    for name in _ONE:
        if name in found:
            found[name] = _closed(found[name], depth + 1)
    for name in _LISTS:
        if isinstance(found.get(name), list):
            found[name] = [_closed(item, depth + 1) for item in cast("list[Any]", found[name])]
    for name in _NAMED:
        if isinstance(found.get(name), dict):
            members = cast("dict[str, Any]", found[name])
            found[name] = {key: _closed(value, depth + 1) for key, value in members.items()}
    if "properties" in found and _OPEN.isdisjoint(found):
        found["additionalProperties"] = False
    return found


def one_of(texts: Iterable[str], end: str) -> str:
    """A GBNF grammar: one of `texts`, then `end`."""
    return f"root ::= ({' | '.join(map(_literal, texts))}){f' {_literal(end)}' if end else ''}"


def _literal(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{quoted}"'
