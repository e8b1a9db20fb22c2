"""Declared tools, tool_choice, and the schemas that become a grammar."""

from __future__ import annotations

from typing import Any

import pytest

from messages.judging import CACHED, MIDDLE, NEW, OLD, TOOL, assistant, fault, result, text, use, user

STRICT_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def tool(name: str = "f", schema: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": schema or {"type": "object"}, **more}


def strict(**schema: Any) -> list[dict[str, Any]]:
    return [tool(schema={**STRICT_SCHEMA, **schema}, strict=True)]


def parameter(schema: object) -> list[dict[str, Any]]:
    return strict(properties={"a": schema}, required=["a"])


def formatted(schema: dict[str, Any]) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "schema": schema}}


def test_names_of_tools_are_unique_whatever_their_kind():
    refusal = "tools: Tool names must be unique."
    assert fault(tools=[tool("f"), tool("g"), tool("f")]) == refusal
    assert fault(tools=[tool("web_search"), {"type": "web_search_20250305", "name": "web_search"}]) == refusal
    assert fault(tools=[tool("f"), tool("g")]) is None


@pytest.mark.parametrize(
    ("key", "good"), [("a.b-c_1", True), ("x" * 64, True), ("x" * 65, False), ("", False), ("a b", False), ("ä", False)]
)
def test_keys_of_properties_have_a_pattern(key: str, good: bool):
    declared = [tool(schema={"type": "object", "properties": {"fine": {}, key: {}}})]
    refusal = "tools.0.custom.input_schema.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'"
    for _ in range(2):  # what was found good is remembered, what was not is not
        assert fault(tools=declared) == (None if good else refusal)
    nested = {"type": "object", "properties": {"a": {"type": "object", "properties": {key: {}}}}}
    assert fault(tools=[tool(schema=nested)]) is None


@pytest.mark.parametrize("word", ["oneOf", "allOf", "anyOf"])
def test_a_schema_is_not_composed_at_its_top(word: str):
    assert fault(tools=[TOOL, tool("g", {"type": "object", word: []})]) == (
        "tools.1.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
    )
    assert fault(tools=[tool(schema={"type": "object", "properties": {"a": {word: []}}})]) is None


def test_one_tool_at_least_is_not_deferred():
    refusal = "At least one tool must have defer_loading=false. All tools cannot be deferred."
    assert fault(tools=[tool("f", defer_loading=True), tool("g", defer_loading=True)]) == refusal
    assert fault(tools=[tool("f", defer_loading=True), tool("g")]) is None
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    assert fault(tools=[search, tool("f", defer_loading=True)]) is None
    assert fault(tools=[]) is None


def test_a_deferred_tool_cannot_be_cached():
    assert fault(tools=[TOOL, tool("g", defer_loading=True, cache_control=CACHED)]) == (
        "Tool 'g' cannot have both defer_loading=true and cache_control set. Tools with defer_loading cannot use "
        "prompt caching."
    )
    assert fault(tools=[TOOL, tool("g", defer_loading=False, cache_control=CACHED)]) is None
    assert fault(tools=[TOOL, tool("g", defer_loading=True, cache_control=None)]) is None


def test_a_reference_needs_its_tool():
    messages = [user("a"), assistant(use()), user(result(content=[{"type": "tool_reference", "tool_name": "g"}]))]
    assert fault(messages, tools=[TOOL]) == "Tool reference 'g' not found in available tools"
    assert fault(messages, tools=[TOOL, tool("g", defer_loading=True)]) is None
    # A toolset brings names that no one can know from the request.
    assert fault(messages, tools=[TOOL, {"type": "browser_toolset_20260801"}]) is None
    found = {
        "type": "tool_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": {
            "type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "g"}],
        },
    }
    searched = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "tool_search_tool_regex", "input": {}}
    messages = [user("a"), assistant(searched, found, text("b")), user("c")]
    assert fault(messages, tools=[TOOL]) == "Tool reference 'g' not found in available tools"


def test_a_tool_that_a_message_adds_is_one_that_can_be_named():
    added = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool("g")}}
    messages = [user("a"), {"role": "system", "content": [added]}]
    betas = ("inline-tools-2026-09-15",)
    choice = {"type": "tool", "name": "g"}
    assert fault(messages, betas=betas, tools=[TOOL], tool_choice=choice) is None
    assert fault(tools=[TOOL], tool_choice=choice) == "Tool 'g' not found in provided tools"


def test_tool_choice_needs_tools_and_a_model_that_can_be_forced():
    refusal = "tool_choice: tool_choice may only be specified while providing tools."
    assert fault(tool_choice={"type": "auto"}) == refusal
    assert fault(tools=[], tool_choice={"type": "any"}) == refusal
    assert fault(tool_choice={"type": "none"}) is None
    for kind in ({"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "f"}, {"type": "none"}):
        assert fault(tools=[TOOL], tool_choice=kind) is None
    forced = 'tool_choice: type "tool" and "any" are not supported for this model.'
    for model in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-preview"):
        assert fault(model=model, tools=[TOOL], tool_choice={"type": "any"}) == forced
        assert fault(model=model, tools=[TOOL], tool_choice={"type": "tool", "name": "f"}) == forced
        assert fault(model=model, tools=[TOOL], tool_choice={"type": "auto"}) is None


def test_a_type_of_tools_that_a_model_lacks_is_refused_by_name():
    computer = {"type": "computer_20251124", "name": "computer", "display_width_px": 800, "display_height_px": 600}
    betas = ("computer-use-2025-11-24",)
    refusal = fault(model="claude-opus-5-5", tools=[computer], betas=betas)
    assert refusal is not None
    assert refusal.startswith("'claude-opus-5-5' does not support tool types: computer_20251124.")
    assert fault(model=NEW, tools=[computer], betas=betas) is None


def test_a_container_needs_something_that_runs_code():
    refusal = "container: Container identifier can only be provided when using the code execution tool"
    assert fault(container="container_1", tools=[TOOL]) == refusal
    assert fault(container={"skills": []}) == refusal
    assert fault(container=None, tools=[TOOL]) is None
    for runner in (
        {"type": "code_execution_20250825", "name": "code_execution"},
        {"type": "web_search_20260209", "name": "web_search"},
        # Recorded: the tool itself was not declared again.
        tool(allowed_callers=["code_execution_20260120"]),
    ):
        assert fault(container="container_1", tools=[runner]) is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "object"}, "For 'object' type, 'additionalProperties' must be explicitly set to false"),
        (
            {"type": "object", "additionalProperties": True},
            "For 'object' type, 'additionalProperties: true' is not supported. Please set 'additionalProperties' to "
            "false",
        ),
        (
            {"type": "array", "items": {"type": "object"}},
            "For 'object' type, 'additionalProperties' must be explicitly set to false",
        ),
        (
            {"type": "integer", "minimum": 1, "maximum": 2},
            "For 'integer' type, properties maximum, minimum are not supported",
        ),
        ({"type": ["integer", "null"], "minimum": 1}, "For 'integer' type, property 'minimum' is not supported"),
        ({"type": "string", "maxLength": 1}, "For 'string' type, property 'maxLength' is not supported"),
        ({"type": "array", "maxItems": 3}, "For 'array' type, property 'maxItems' is not supported"),
        (
            {"type": "array", "minItems": 2, "maxItems": 5},
            "For 'array' type, 'minItems' values other than 0 or 1 are not supported (got: [2, 5])",
        ),
        ({"anyOf": [{"type": "number", "multipleOf": 2}]}, "For 'number' type, property 'multipleOf' is not supported"),
        ({}, "Empty schema ({}) that accepts any JSON value is not supported."),
        (STRICT_SCHEMA, None),
        ({"type": "integer", "description": "from 1 to 9"}, None),
        ({"type": "string", "enum": ["a"], "format": "date"}, None),
        ({"type": "array", "minItems": 1, "items": {"type": "string"}}, None),
        ({"enum": [1, 2]}, None),
    ],
)
def test_a_strict_schema_has_keywords_that_a_grammar_can_hold(schema: dict[str, Any], words: str | None):
    assert fault(tools=parameter(schema)) == (words and f"tools.0.custom: {words}")
    output = {**STRICT_SCHEMA, "properties": {"a": schema}, "required": ["a"]}
    assert fault(output_config=formatted(output)) == (words and f"output_config.format.schema: {words}")
    assert fault(tools=[{**parameter(schema)[0], "strict": False}]) is None


def test_unions_and_optional_parameters_are_counted_over_all_strict_schemas():
    def named(count: int, prefix: str, schema: object) -> dict[str, Any]:
        return {f"{prefix}{number}": schema for number in range(count)}

    nullable = named(9, "u", {"type": ["string", "null"]})
    one = strict(properties=nullable, required=list(nullable))[0]
    two = {**one, "name": "g"}
    refusal = fault(tools=[one, two])
    assert refusal is not None
    assert refusal.startswith(
        "Schemas contains too many parameters with union types (18 parameters with type arrays or"
    )
    assert fault(tools=[one, {**two, "strict": False}]) is None
    assert fault(tools=[one, two], counting=True) is None
    optional = named(24, "o", {"type": "string"})
    assert fault(tools=strict(properties=optional)) is None
    refusal = fault(tools=strict(properties={**optional, "more": {"type": "string"}}))
    assert refusal is not None and refusal.startswith("Schemas contains too many optional parameters (25), which would")


def test_at_most_twenty_tools_are_strict():
    tools = [tool(f"f{number}", STRICT_SCHEMA, strict=True) for number in range(21)]
    assert fault(tools=tools[:20]) is None
    assert fault(tools=[*tools[:20], tool("g")]) is None
    assert fault(tools=tools) == (
        "Too many strict tools (21). The maximum number of strict tools supported is 20. Try reducing the number of "
        "tools marked as strict."
    )


def test_a_schema_that_refers_to_itself_is_refused_where_it_becomes_a_grammar():
    node = {**STRICT_SCHEMA, "properties": {"next": {"$ref": "#/$defs/Node"}}, "required": ["next"]}
    circular = {
        **STRICT_SCHEMA,
        "properties": {"a": {"$ref": "#/$defs/Node"}},
        "required": ["a"],
        "$defs": {"Node": node},
    }
    refusal = fault(tools=strict(**circular))
    assert refusal is not None and "Circular $ref detected" in refusal
    called = tool(schema=circular, allowed_callers=["code_execution_20260120"])
    refusal = fault(tools=[called])
    assert refusal is not None and "Circular $ref detected" in refusal
    assert fault(tools=[tool(schema=circular)]) is None
    shared = {**circular, "$defs": {"Node": {"type": "string"}}}
    assert fault(tools=strict(**shared)) is None
    itself = {**STRICT_SCHEMA, "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    refusal = fault(output_config=formatted(itself), model=OLD)
    assert refusal is not None and "Circular $ref detected" in refusal


def test_a_schema_a_thousand_levels_deep_is_judged():
    schema: dict[str, Any] = {"type": "integer", "minimum": 1}
    for _ in range(900):
        schema = {"type": "array", "items": schema}
    assert fault(tools=parameter(schema)) == "tools.0.custom: For 'integer' type, property 'minimum' is not supported"


def test_citations_are_on_for_all_documents_or_none_and_not_beside_a_format():
    def document(enabled: bool | None) -> dict[str, Any]:
        source = {"type": "text", "media_type": "text/plain", "data": "d"}
        return {
            "type": "document",
            "source": source,
            **({} if enabled is None else {"citations": {"enabled": enabled}}),
        }

    for first, second, good in ((True, True, True), (False, None, True), (True, False, False), (None, True, False)):
        refusal = fault([user(document(first), document(second), text("a"))], model=MIDDLE)
        assert (refusal is None) is good
    output = formatted(STRICT_SCHEMA)
    assert fault([user(document(True), text("a"))], output_config=output) is not None
    assert fault([user(document(False), text("a"))], output_config=output) is None
