"""What the schema stage says to bodies that the real service was seen to refuse.

`faults.json` holds observed texts (2026-01 to 2026-10). Left out are three that contradict later ones: "valid
dictionary" (2025), a list of tags without code execution (another platform), and `defer_loading` refused (2025).
"""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from understudy.wire.errors import InvalidRequestError
from understudy.wire.validation import Endpoint, parse_json, validator

FAULTS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "faults.json").read_text())

OLDER = {"claude-haiku-4-5"}


def fault(
    body: object, *, betas: tuple[str, ...] = (), version: str = "2023-06-01", endpoint: Endpoint = "messages"
) -> str | None:
    try:
        validator(endpoint, version, betas).check(body, lambda model: model not in OLDER)
    except InvalidRequestError as exc:
        return exc.message
    return None


VALID: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "tool_choice": {"type": "auto"},
    "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    "messages": [{"role": "user", "content": "hi"}],
    "system": "be kind",
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "cache_control": {"type": "ephemeral"},
    "max_tokens": 16,
    "metadata": {"user_id": "u"},
    "stop_sequences": ["END"],
    "temperature": 1,
    "service_tier": "auto",
    "top_k": -1,
    "top_p": 0.5,
    "stream": False,
    "container": "container_1",
    "inference_geo": "us",
}
"""The 18 fields in the order in which their faults are reported."""

WRONG: dict[str, tuple[object, str]] = {
    "model": (7, "model: Input should be a valid string"),
    "tool_choice": (7, "tool_choice: Input should be an object"),
    "tools": ("x", "tools: Input should be a valid array"),
    "messages": ("x", "messages: Input should be a valid array"),
    "system": (7, "system: Input should be a valid array"),
    "thinking": ("x", "thinking: Input should be an object"),
    "output_config": ("x", "output_config: Input does not match the expected shape."),
    "cache_control": ("x", "cache_control: Input should be an object"),
    "max_tokens": ("x", "max_tokens: Input should be a valid integer"),
    "metadata": ("x", "metadata: Input does not match the expected shape."),
    "stop_sequences": ("x", "stop_sequences: Input should be a valid array"),
    "temperature": ("x", "temperature: Input should be a valid number"),
    "service_tier": (7, "service_tier: Input should be 'auto' or 'standard_only'"),
    "top_k": ("x", "top_k: Input should be a valid integer"),
    "top_p": ("x", "top_p: Input should be a valid number"),
    "stream": ("yes", "stream: Input should be a valid boolean"),
    "container": (7, "container.ContainerParams: Input does not match the expected shape."),
    "inference_geo": (7, "inference_geo: Input should be a valid string"),
    "zzz": (7, "zzz: Extra inputs are not permitted"),
}

NULL_IS_OMISSION = {"metadata", "inference_geo", "stop_sequences", "cache_control", "container"}


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case["case"])
def test_a_fault_is_reported_in_the_words_of_the_real_service(case: dict[str, Any]):
    assert fault(case["body"], endpoint=case["endpoint"]) == case["message"]


def test_a_body_with_all_18_fields_is_accepted():
    assert fault(VALID) is None


@pytest.mark.parametrize("field", VALID)
def test_null_is_omission_for_five_fields_and_a_fault_for_the_others(field: str):
    message = fault(VALID | {field: None})
    assert (message is None) == (field in NULL_IS_OMISSION)
    assert message is None or message.startswith((f"{field}: Input should be", f"{field}: Input does not match"))


@pytest.mark.parametrize(("parent", "field"), [("metadata", "user_id"), ("output_config", "format")])
def test_null_is_omission_for_some_nested_fields(parent: str, field: str):
    assert fault(VALID | {parent: {field: None}}) is None


def test_effort_may_be_null():
    assert fault(VALID | {"output_config": {"effort": None}}) is None


@pytest.mark.parametrize("field", WRONG)
def test_a_value_of_a_wrong_kind_is_refused(field: str):
    value, message = WRONG[field]
    assert fault(VALID | {field: value}) == message


def test_of_two_faults_the_earlier_field_is_reported_wherever_it_stands_in_the_body():
    for earlier, later in itertools.combinations(WRONG, 2):
        body = {later: WRONG[later][0], earlier: WRONG[earlier][0]} | {
            field: value for field, value in VALID.items() if field not in (earlier, later)
        }
        assert fault(body) == WRONG[earlier][1], (earlier, later)


@pytest.mark.parametrize("field", ["model", "messages", "max_tokens"])
def test_three_fields_are_required(field: str):
    assert fault({key: value for key, value in VALID.items() if key != field}) == f"{field}: Field required"


def test_the_first_unknown_key_in_the_body_is_reported():
    assert fault({"zb": 1, **VALID, "za": 1}) == "zb: Extra inputs are not permitted"


@pytest.mark.parametrize("body", [[], "x", 7, None, True])
def test_a_body_that_is_no_object_is_refused_without_a_path(body: object):
    assert fault(body) == "Input does not match the expected shape."


def test_max_tokens_below_zero_is_refused_and_zero_is_not():
    assert fault(VALID | {"max_tokens": -1}) == "max_tokens: must be greater than or equal to 0"
    assert fault(VALID | {"max_tokens": 0}) is None


@pytest.mark.parametrize("field", ["temperature", "top_p"])
@pytest.mark.parametrize("value", [-0.1, 1.1, 2])
def test_sampling_out_of_range_names_the_range(field: str, value: float):
    assert fault(VALID | {field: value}) == f"{field}: range: 0..1"


@pytest.mark.parametrize(("value", "kind"), [(True, "max_tokens"), (1.0, "max_tokens"), (1e23, "max_tokens")])
def test_what_is_no_whole_number_is_no_max_tokens(value: object, kind: str):
    assert fault(VALID | {kind: value}) == f"{kind}: Input should be a valid integer"


def test_an_unknown_role_has_one_wording_for_models_without_system_messages_and_another_with_them():
    body = VALID | {"messages": [{"role": "tool", "content": "x"}]}
    assert fault(body) == 'messages: Unexpected role "tool". Allowed roles are "user" or "assistant"'
    assert fault(body | {"model": "claude-haiku-4-5"}) == "messages.0.role: Input should be 'user' or 'assistant'"


def test_a_role_that_is_no_text_keeps_its_path():
    body = VALID | {"messages": [{"role": 7, "content": "x"}]}
    assert fault(body) == "messages.0.role: Input should be 'user', 'assistant' or 'system'"


def test_faults_inside_a_string_or_list_show_no_branch():
    body = VALID | {"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}
    assert fault(body) == "messages.0.content.0.text.text: Input should be a valid string"


@pytest.mark.parametrize(
    ("tag", "shown"), [("x", "x"), (7, "7"), (None, "None"), (True, "True"), ([1], "[1]"), ({"a": 1}, "{'a': 1}")]
)
def test_an_unknown_tag_is_shown_as_python_prints_it(tag: object, shown: str):
    assert fault(VALID | {"thinking": {"type": tag}}) == (
        f"thinking: Input tag '{shown}' found using 'type' does not match any of the expected tags: "
        "'adaptive', 'between_tools', 'disabled', 'enabled'"
    )


def test_a_missing_tag_is_a_required_field():
    assert fault(VALID | {"thinking": {}}) == "thinking.type: Field required"
    assert fault(VALID | {"messages": [{"role": "user", "content": [{}]}]}) == (
        "messages.0.content.0.type: Field required"
    )


STABLE_TOOLS = (
    "'bash_20250124', 'browser_toolset_20260801', 'code_execution_20250522', 'code_execution_20250825', "
    "'code_execution_20260120', 'code_execution_20260521', 'computer_toolset_20260801', 'custom', 'memory_20250818', "
    "'text_editor_20250124', 'text_editor_20250429', 'text_editor_20250728', 'tool_search_tool_bm25', "
    "'tool_search_tool_bm25_20251119', 'tool_search_tool_regex', 'tool_search_tool_regex_20251119', "
    "'web_fetch_20250910', 'web_fetch_20260209', 'web_fetch_20260309', 'web_fetch_20260318', 'web_search_20250305', "
    "'web_search_20260209', 'web_search_20260318'"
)


def test_the_tags_of_tools_are_listed_alphabetically():
    assert fault(VALID | {"tools": [{"type": "nope"}]}) == (
        f"tools.0: Input tag 'nope' found using 'type' does not match any of the expected tags: {STABLE_TOOLS}"
    )


def test_a_beta_adds_its_tool_to_the_list_of_tags_at_its_place():
    message = fault(VALID | {"tools": [{"type": "nope"}]}, betas=("advisor-tool-2026-03-01",))
    assert message is not None
    assert message.endswith(f"expected tags: 'advisor_20260301', {STABLE_TOOLS}")


def test_the_tags_of_content_blocks_are_listed_alphabetically():
    assert fault(VALID | {"messages": [{"role": "user", "content": [{"type": "nope"}]}]}) == (
        "messages.0.content.0: Input tag 'nope' found using 'type' does not match any of the expected tags: "
        "'bash_code_execution_tool_result', 'code_execution_tool_result', 'container_upload', 'document', 'image', "
        "'redacted_thinking', 'search_result', 'server_tool_use', 'text', 'text_editor_code_execution_tool_result', "
        "'thinking', 'tool_result', 'tool_search_tool_result', 'tool_use', 'web_fetch_tool_result', "
        "'web_search_tool_result'"
    )


@pytest.mark.parametrize("kind", [{}, {"type": None}, {"type": "custom"}])
def test_a_tool_without_a_type_is_a_custom_tool(kind: dict[str, Any]):
    tool = {"name": "f", "input_schema": {"type": "object"}}
    assert fault(VALID | {"tools": [tool | kind]}) is None
    assert fault(VALID | {"tools": [kind | {"name": "f"}]}) == "tools.0.custom.input_schema: Field required"


def test_an_empty_tool_is_refused_for_its_name():
    assert fault(VALID | {"tools": [{}]}) == "tools.0.custom.name: Field required"


def test_cache_control_shows_its_tag():
    assert fault(VALID | {"cache_control": {"type": "ephemeral", "x": 1}}) == (
        "cache_control.ephemeral.x: Extra inputs are not permitted"
    )


def test_an_input_schema_may_hold_anything_but_must_be_of_an_object():
    def with_schema(schema: object) -> object:
        return VALID | {"tools": [{"name": "f", "input_schema": schema}]}

    assert fault(with_schema({"type": "object", "$defs": {"a": [1]}, "x": None})) is None
    assert fault(with_schema("x")) == "tools.0.custom.input_schema: Input does not match the expected shape."
    assert fault(with_schema({})) == "tools.0.custom.input_schema.type: Field required"
    assert fault(with_schema({"type": "array"})) == "tools.0.custom.input_schema.type: Input should be 'object'"


def test_a_tool_name_is_judged_by_length_before_its_characters():
    def named(name: str) -> object:
        return VALID | {"tools": [{"name": name, "input_schema": {"type": "object"}}]}

    assert fault(named("")) == "tools.0.custom.name: String should have at least 1 character"
    assert fault(named("!" * 129)) == "tools.0.custom.name: String should have at most 128 characters"
    assert fault(named("a b")) == "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"


def test_a_web_search_result_is_a_list_or_an_error():
    def result(content: object) -> object:
        block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": content}
        return VALID | {"messages": [{"role": "assistant", "content": [block]}]}

    path = "messages.0.content.0.web_search_tool_result.content"
    assert fault(result([])) is None
    assert fault(result({"type": "web_search_tool_result_error", "error_code": "unavailable"})) is None
    assert fault(result([{}])) == f"{path}.0.encrypted_content: Field required"
    assert fault(result({"type": "web_search_tool_result_error"})) == f"{path}.error_code: Field required"
    assert fault(result(7)) == f"{path}: Input does not match the expected shape."


def test_what_no_parser_takes_is_answered_in_the_parsers_words():
    def refusal(body: bytes) -> str:
        with pytest.raises(InvalidRequestError) as caught:
            parse_json(body)
        return caught.value.message

    prefix = "The request body is not valid JSON: "
    assert refusal(b"") == prefix + "Input is a zero-length, empty document: line 1 column 1 (char 0)"
    assert refusal(b'{"a": 1') == prefix + "unexpected end of data: line 1 column 8 (char 7)"
    assert refusal(b"[" * 2000) == prefix + "depth limit exceeded: line 1 column 1026 (char 1025)"
    assert refusal(b"NaN").startswith(prefix)
    assert refusal(b"\xff").startswith(prefix)


def test_of_two_equal_keys_the_last_is_taken():
    assert parse_json(b'{"a": 1, "a": 2}') == {"a": 2}
