"""Two schemas as one, and reading of what may not be a schema at all."""

from __future__ import annotations

from typing import Any, cast

Schema = dict[str, Any]


def as_schema(value: Any) -> Schema:
    return cast("Schema", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def names_of(value: object) -> list[str]:
    return [name for name in as_list(value) if isinstance(name, str)]


def merged(first: Schema, second: Schema) -> Schema:
    """Both schemas as one, as far as one can say it: what holds for an instance of both."""
    if not second:
        return first
    if not first:
        return dict(second)
    whole = dict(first)
    rules = [*as_list(first.get("_rules"))]
    for name, value in second.items():
        mine = whole.get(name)
        if name not in whole:
            whole[name] = value
        elif name == "properties":
            both = dict(as_schema(mine))
            for key, part in as_schema(value).items():
                both[key] = {"allOf": [both[key], part]} if key in both and both[key] != part else part
            whole[name] = both
        elif name in ("$defs", "definitions", "patternProperties", "dependentRequired", "dependentSchemas"):
            whole[name] = {**as_schema(mine), **as_schema(value)}
        elif name == "required":
            whole[name] = list(dict.fromkeys([*names_of(mine), *names_of(value)]))
        elif name == "enum":
            whole[name] = [option for option in as_list(mine) if option in as_list(value)] or as_list(mine)
        elif name == "type":
            whole[name] = _both_types(mine, value)
        elif name in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"):
            whole[name] = max(mine, value) if _numbers(mine, value) else value
        elif name in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"):
            whole[name] = min(mine, value) if _numbers(mine, value) else value
        elif name in ("items", "additionalProperties", "contains", "propertyNames") and mine != value:
            whole[name] = _both_schemas(mine, value)
        elif name in ("anyOf", "oneOf", "not", "if", "then", "else", "description", "title", "_rules"):
            pass
        elif name == "const":
            whole[name] = mine
        else:
            whole[name] = value
    if "if" in second and "if" in first:
        rules += [{key: second[key] for key in ("if", "then", "else") if key in second}]
    rules += as_list(second.get("_rules"))
    if rules:
        whole["_rules"] = rules
    for name in ("anyOf", "oneOf"):
        if name in first and name in second and first[name] is not second[name]:
            # The second alternative is kept under the other keyword where that is free; the validator judges.
            other = "oneOf" if name == "anyOf" else "anyOf"
            whole.setdefault(other, second[name])
    return whole


def _numbers(first: object, second: object) -> bool:
    return isinstance(first, (int, float)) and isinstance(second, (int, float))


def _both_schemas(first: object, second: object) -> Schema | bool:
    if first is False or second is False:
        return False
    return {"allOf": [as_schema(first), as_schema(second)]}


def _both_types(first: object, second: object) -> object:
    one = [first] if isinstance(first, str) else names_of(first)
    two = [second] if isinstance(second, str) else names_of(second)
    common = [kind for kind in one if kind in two]
    if not common and {"integer", "number"} <= {*one, *two}:
        return "integer"
    if not common:
        return first
    return common[0] if len(common) == 1 else common
