"""Instances: valid whenever the schema is one that a strict tool may have, the same every time, in bounded time."""

import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.simulator.inputs import build_input, build_output
from understudy.engines.simulator.inputs.instances import instance
from understudy.engines.simulator.inputs.making import MISSING
from understudy.engines.simulator.inputs.patterns import PatternError, text_matching
from understudy.engines.simulator.inputs.validation import Checker, checker
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import ClientTool

Schema = dict[str, Any]


def seeded() -> Seeded:
    return Seeded(b"test")


def made(schema: Schema) -> Any:
    return instance(checker(schema), MISSING, seeded)


FORMATS = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]
PATTERNS = ["^[A-Z]{3}-\\d{4}$", "^(red|green)$", "^\\w+@\\w+\\.[a-z]{2,3}$", "^[^\\s,]{2,8}$", "\\d+(\\.\\d\\d)?"]
NAMES = st.sampled_from(["city", "to", "count", "email", "date", "tags", "note", "order_id", "unit", "is_new", "é"])

# What the parser of requests reads as a whole number.
WHOLE_NUMBERS = st.integers(-(2**63), 2**63 - 1)
LEAVES: st.SearchStrategy[Schema] = st.one_of(
    st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "null")]),
    st.sampled_from(FORMATS).map(lambda form: {"type": "string", "format": form}),
    st.sampled_from(PATTERNS).map(lambda pattern: {"type": "string", "pattern": pattern}),
    st.lists(st.one_of(st.text(max_size=5), WHOLE_NUMBERS), min_size=1, max_size=4).map(lambda some: {"enum": some}),
    st.one_of(WHOLE_NUMBERS, st.booleans(), st.text(max_size=4)).map(lambda value: {"const": value}),
    st.just({"type": ["string", "null"]}),
    st.just({"type": "string", "enum": ["low", "high"], "default": "low"}),
    st.just({"$ref": "#/$defs/shared"}),
)


def _objects(children: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    def close(properties: dict[str, Schema], chosen: set[str]) -> Schema:
        return {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name in chosen],
            "additionalProperties": False,
        }

    return st.builds(close, st.dictionaries(NAMES, children, max_size=5), st.sets(NAMES))


SCHEMAS = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        _objects(children),
        st.builds(
            lambda items, least: {"type": "array", "items": items, "minItems": least}, children, st.integers(0, 1)
        ),
        st.lists(children, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        children.map(lambda child: {"allOf": [child]}),
    ),
    max_leaves=12,
)
ASKS = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "Email bob@example.com about order A-17 saying it's late, 3 times before 2026-01-02, high priority",
            'Convert 3.5 km to "miles" and tell Anna, Bo and Carl: done',
            "order_id: X-1\nunit = low\ncount: 7\nis_new: true",
        ]
    ),
)


def rooted(schema: Schema) -> Schema:
    return {**schema, "$defs": {"shared": {"type": "string", "enum": ["one", "two"]}}}


@settings(max_examples=300, deadline=None)
@given(_objects(SCHEMAS), ASKS, st.lists(ASKS, max_size=2))
def test_an_input_for_an_allowed_schema_is_always_valid_and_the_same(
    schema: Schema, ask: str, context: list[str]
) -> None:
    tool = ClientTool("any", None, "", rooted(schema))
    first = build_input(tool, ask, context, seeded)
    assert checker(tool.input_schema).valid(first)
    assert orjson.dumps(first) == orjson.dumps(build_input(tool, ask, context, seeded))


@settings(max_examples=150, deadline=None)
@given(SCHEMAS, ASKS)
def test_an_output_for_an_allowed_schema_is_always_valid(schema: Schema, ask: str) -> None:
    judge = checker(rooted(schema))
    assert judge._validator is not None
    assert judge.valid(build_output(rooted(schema), ask, [], seeded))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                "type properties required items enum const anyOf oneOf allOf not if then $ref pattern minItems "
                "minimum multipleOf format default patternProperties propertyNames contains a".split()
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["properties", "required", "anyOf", "allOf", "$ref", "items"]), JSON), ASKS)
def test_a_schema_that_is_none_raises_nothing(schema: Schema, ask: str) -> None:
    made = build_input(ClientTool("any", None, "", {"type": "object", **schema}), ask, [ask], seeded)
    assert isinstance(made, dict)


WHOLE: list[Schema] = [
    {"type": "integer", "minimum": 3, "multipleOf": 7},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "multipleOf": 0.01, "minimum": 0.5},
    {"type": "string", "minLength": 20, "maxLength": 24},
    {"type": "string", "pattern": "^(?:ab|cd)+x{2,}$", "minLength": 12},
    {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3},
    {"type": "array", "items": {"type": "integer"}, "contains": {"const": 5}, "minContains": 2},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2},
    {"oneOf": [{"type": "object", "required": ["x"], "properties": {"x": {"const": 1}}}, {"type": "integer"}]},
    {"type": "integer", "minimum": 1, "maximum": 6, "not": {"enum": [1, 2, 3, 4, 5]}},
    {
        "type": "object",
        "minProperties": 3,
        "patternProperties": {"^k\\d+$": {"type": "integer"}},
        "additionalProperties": False,
    },
    {"type": "object", "minProperties": 2, "propertyNames": {"pattern": "^[a-z]{3}$"}},
    {"required": ["a"], "dependentRequired": {"a": ["b"]}, "properties": {"b": {"type": "integer"}}},
    {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"type": "string"}},
        "required": ["a"],
        "if": {"properties": {"a": {"const": 1}}},
        "then": {"required": ["b"]},
    },
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
        ],
        "unevaluatedProperties": False,
    },
    {"$ref": "https://elsewhere.example/schema.json"},
    {"$ref": "#", "type": "object"},
]


@pytest.mark.parametrize("schema", WHOLE, ids=str)
def test_the_other_keywords_are_met(schema: Schema) -> None:
    assert checker(schema)._validator is not None
    assert checker(schema).valid(made(schema))


def test_a_schema_that_leads_back_to_itself_stops_at_the_shallowest() -> None:
    node = {
        "type": "object",
        "properties": {"value": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        "required": ["value", "next"],
    }
    found = made({"$ref": "#/$defs/node", "$defs": {"node": node}})
    assert found["next"] is None


def _doubling() -> Schema:
    parts: Schema = {
        f"d{level}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/d{level + 1}"} for side in "xy"},
            "required": ["x", "y"],
        }
        for level in range(30)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**parts, "d30": {"type": "string"}}}


def _deep(levels: int) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


HOSTILE: dict[str, Schema] = {
    "doubling": _doubling(),
    "deep": _deep(450),
    "endless": {"$ref": "#/$defs/a", "$defs": {"a": {"required": ["b"], "properties": {"b": {"$ref": "#/$defs/a"}}}}},
    "itself": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    "wide": {
        "properties": {f"p{n}": {"type": "string"} for n in range(10_000)},
        "required": [f"p{n}" for n in range(10_000)],
    },
    "pattern": {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}, "required": ["a"]},
    "backtracking": {"properties": {"a": {"type": "string", "pattern": "^(?=(a+)+$)(a|aa)+!$"}}, "required": ["a"]},
    "repeats": {"properties": {"a": {"type": "string", "pattern": "((((a{99}){99}){99}){99}){99}"}}, "required": ["a"]},
    "empty repeats": {
        "properties": {"a": {"type": "string", "pattern": "((((){9999}){9999}){9999})x"}},
        "required": ["a"],
    },
    "items": {
        "properties": {"a": {"type": "array", "minItems": 10**9, "items": {"type": "integer"}}},
        "required": ["a"],
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_costs_bounded_time(name: str) -> None:
    tool = ClientTool("any", None, "", {"type": "object", **HOSTILE[name]})
    start = time.process_time()
    found = build_input(tool, "go to Paris with 3 friends", ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"], seeded)
    assert isinstance(found, dict)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "ask", ["a" * 100_000, "'" * 50_000, "A " * 50_000, "1," * 50_000, "a.b/" * 30_000, "x:y=" * 30_000]
)
def test_a_hostile_text_costs_bounded_time(ask: str) -> None:
    tool = ClientTool("any", None, "", {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]})
    start = time.process_time()
    assert build_input(tool, ask, [ask + "b"], seeded)["to"]
    assert time.process_time() - start < 1


@pytest.mark.parametrize("ask", ["9" * 400, "it is 123456789012345678901234567890", "-" + "8" * 30 + "%"])
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_a_number_too_large_for_json_is_no_value(ask: str, kind: str) -> None:
    tool = ClientTool("any", None, "", {"type": "object", "properties": {"n": {"type": kind}}, "required": ["n"]})
    orjson.dumps(build_input(tool, ask, [], seeded))


def test_bounds_beyond_whole_numbers_of_json_still_give_one() -> None:
    schema: Schema = {"type": "integer", "minimum": 1e300}
    assert checker(schema).valid(orjson.loads(orjson.dumps(made(schema))))


def test_fifty_properties_take_a_millisecond() -> None:
    kinds: list[Schema] = [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"enum": ["low", "high"]}]
    names = "city email date count order_id note title path url unit".split()
    properties = {f"{name}_{number}": kinds[number % 4] for number in range(5) for name in names}
    tool = ClientTool("any", None, "", {"type": "object", "properties": properties, "required": list(properties)[:10]})
    times: list[float] = []
    for _ in range(50):
        start = time.process_time()
        build_input(tool, "Email bob@example.com about order A-17 in Paris on 2026-01-02, 3 copies", [], seeded)
        times.append(time.process_time() - start)
    # Twice the aim, so that a slow machine does not fail it.
    assert min(times) < 0.002


def test_schemas_of_equal_content_are_compiled_once() -> None:
    assert checker({"type": "string"}) is checker({"type": "string"})


def test_a_malformed_schema_judges_nothing() -> None:
    judge = Checker({"type": "no such type"})
    assert judge._validator is None
    assert judge.valid(7)


@pytest.mark.parametrize(
    "pattern", [*PATTERNS, "^[a-f\\d]{8}$", "^a(?:b|c(?:d|e))*f?$", "^\\p{Lu}\\u0041\\x42$", "^[\\w.-]+$"]
)
def test_a_text_matches_its_pattern(pattern: str) -> None:
    judge = checker({"type": "string", "pattern": pattern})
    for more in range(4):
        assert judge.valid(text_matching(pattern, Seeded(bytes([more])), more))


@pytest.mark.parametrize("pattern", ["(", "[a", "a)", "(a)\\1", "x" * 3000])
def test_what_is_outside_of_the_subset_is_said(pattern: str) -> None:
    with pytest.raises(PatternError):
        text_matching(pattern, seeded())
