"""What a chat completion's request is in the Messages API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clouds.chat import HELLO
from clouds.chat_requests import PICTURE
from understudy.clouds.openai.request import translate
from understudy.engines.catalog import Catalog, configured_model
from understudy.engines.routing import Facts
from understudy.wire.errors import InvalidRequestError

CATALOG = Catalog()


def request_of(**more: Any) -> dict[str, Any]:
    return translate({**HELLO, **more}, CATALOG.find).request


def messages_of(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return request_of(messages=list(messages))["messages"]


def fault_of(**more: Any) -> tuple[str, str]:
    """The field that a refusal names, and its words."""
    with pytest.raises(InvalidRequestError) as caught:
        request_of(**more)
    assert caught.value.details is not None
    return caught.value.details["param"], caught.value.message


CALL = {"id": "call_1", "type": "function", "function": {"name": "ping", "arguments": '{"n": 1}'}}
USE = {"type": "tool_use", "id": "call_1", "name": "ping", "input": {"n": 1}}


# --- messages ---


def test_system_and_developer_messages_are_hoisted_and_joined_with_a_newline() -> None:
    request = request_of(
        messages=[
            {"role": "system", "content": "One."},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": [{"type": "text", "text": "Two."}, {"type": "text", "text": "Three."}]},
            {"role": "system", "content": ""},
        ]
    )
    assert request["system"] == "One.\nTwo.\nThree."
    assert request["messages"] == [{"role": "user", "content": "Hi"}]


def test_without_system_messages_there_is_no_system_prompt() -> None:
    assert "system" not in request_of()


def test_results_of_tools_are_one_message_of_the_user() -> None:
    second = {**CALL, "id": "call_2", "function": {"name": "ping", "arguments": ""}}
    assert messages_of(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Wait.", "tool_calls": [CALL, second]},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "b"}]},
        {"role": "system", "content": "Between."},
        {"role": "tool", "tool_call_id": "call_1", "content": "a"},
        {"role": "user", "content": "Well?"},
    ) == [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Wait."},
                USE,
                {"type": "tool_use", "id": "call_2", "name": "ping", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "b"}]},
                {"type": "tool_result", "tool_use_id": "call_1", "content": "a"},
            ],
        },
        {"role": "user", "content": "Well?"},
    ]


def test_calls_without_ids_meet_their_results_by_name() -> None:
    def call(name: str) -> dict[str, Any]:
        return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": "{}"}}

    messages = messages_of(
        call("a"),
        {"role": "function", "name": "a", "content": "1"},
        call("b"),
        {"role": "function", "name": "b", "content": "2"},
    )
    ids = [message["content"][0]["id"] for message in messages[::2]]
    assert [message["content"][0]["tool_use_id"] for message in messages[1::2]] == ids
    assert len(set(ids)) == 2


@pytest.mark.parametrize("content", [None, "", []])
def test_an_assistant_that_said_nothing_is_left_out(content: Any) -> None:
    user = {"role": "user", "content": "Hi"}
    assert messages_of(user, {"role": "assistant", "content": content}, user) == [user, user]
    (said,) = messages_of({"role": "assistant", "content": content, "tool_calls": [CALL]})
    assert said["content"] == [USE]


def test_a_call_that_was_cut_is_closed() -> None:
    cut = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": [1, 2], "b": "x'}}
    (said,) = messages_of({"role": "assistant", "tool_calls": [cut]})
    assert said["content"][0]["input"] == {"a": [1, 2], "b": "x"}


@pytest.mark.parametrize("arguments", ["[1]", "3", "word", '{"a":' * 300, '{"a":"' + "x" * 70_000])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    param, _ = fault_of(messages=[{"role": "assistant", "tool_calls": [call]}])
    assert param == "messages.0.tool_calls.0.function.arguments"


def test_pictures_come_by_data_url_or_address() -> None:
    (message,) = messages_of(
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": PICTURE, "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "data:image/JPG;name=a;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        }
    )
    sources = [block["source"] for block in message["content"]]
    assert sources[0] == {"type": "base64", "media_type": "image/png", "data": PICTURE.partition(",")[2]}
    assert sources[1] == {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}
    assert sources[2] == {"type": "url", "url": "https://example.com/a.png"}
    param, _ = fault_of(
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:text/plain,hello"}}]}]
    )
    assert param == "messages.0.content.0.image_url.url"


def test_audio_files_and_refusals_are_stripped() -> None:
    text = {"type": "text", "text": "Hi"}
    parts: list[dict[str, Any]] = [{"type": "input_audio", "input_audio": {}}, text, {"type": "file", "file": {}}]
    assert messages_of({"role": "user", "content": parts}) == [{"role": "user", "content": [text]}]
    refusal = {"type": "refusal", "refusal": "No."}
    assert messages_of({"role": "assistant", "content": [text, refusal]}) == [{"role": "assistant", "content": [text]}]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "robot", "content": ""}, "messages.0.role"),
        ({"role": ["user"], "content": ""}, "messages.0.role"),
        ({"role": "user", "content": 3}, "messages.0.content"),
        ({"role": "user"}, "messages.0.content"),
        ({"role": "user", "content": [{"type": "video"}]}, "messages.0.content.0.type"),
        ({"role": "user", "content": [{"type": {}}]}, "messages.0.content.0.type"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages.0.content.0.text"),
        ({"role": "tool", "content": "x"}, "messages.0.tool_call_id"),
        ({"role": "assistant", "tool_calls": [{**CALL, "type": "custom"}]}, "messages.0.tool_calls.0.type"),
    ],
)
def test_what_no_role_can_say_is_refused_by_its_path(message: dict[str, Any], param: str) -> None:
    assert fault_of(messages=[message])[0] == param


def test_every_text_that_is_no_ignored_one_arrives() -> None:
    """Invariant 5: a word in each place where OpenAI's requests have text for the model."""
    words = iter(f"canary{number:03}" for number in range(100))

    def part() -> list[dict[str, Any]]:
        return [{"type": "text", "text": next(words)}, {"type": "text", "text": next(words)}]

    def schema() -> dict[str, Any]:
        of_name = {"type": "string", "description": next(words), "maxLength": 5, "enum": [next(words)]}
        return {"type": "object", "description": next(words), "properties": {next(words): of_name}}

    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": f'{{"{next(words)}": "a"}}'}}
    tool = {"name": "f", "description": next(words), "parameters": schema()}
    request = request_of(
        messages=[
            {"role": "system", "content": next(words)},
            {"role": "developer", "content": part()},
            {"role": "user", "content": next(words)},
            {"role": "user", "content": part()},
            {"role": "assistant", "content": next(words), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": part()},
            {"role": "assistant", "content": part()},
            {"role": "assistant", "function_call": {"name": "f", "arguments": f'{{"a": "{next(words)}"}}'}},
            {"role": "function", "name": "f", "content": next(words)},
        ],
        tools=[{"type": "function", "function": tool}],
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema()}},
        stop=[next(words)],
    )
    used = int(next(words).removeprefix("canary"))
    arrived = json.dumps(request)
    assert [number for number in range(used) if f"canary{number:03}" not in arrived] == []


# --- tools ---

TOOL = {"type": "function", "function": {"name": "ping", "description": "d", "parameters": {}, "strict": True}}


def test_a_tool_keeps_its_name_description_and_parameters() -> None:
    bare = {"type": "function", "function": {"name": "bare"}}
    untyped = {"type": "function", "function": {"name": "untyped", "parameters": {"properties": {"a": {}}}}}
    assert request_of(tools=[TOOL, bare, untyped])["tools"] == [
        {"name": "ping", "description": "d", "input_schema": {"type": "object", "properties": {}}},
        {"name": "bare", "input_schema": {"type": "object", "properties": {}}},
        {"name": "untyped", "input_schema": {"properties": {"a": {}}, "type": "object"}},
    ]


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        ("auto", True, {"type": "auto"}),
        ("required", None, {"type": "any"}),
        ("none", False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ({"type": "function", "function": {"name": "ping"}}, None, {"type": "tool", "name": "ping"}),
    ],
)
def test_the_choice_of_tools(choice: Any, parallel: bool | None, expected: Any) -> None:
    request = request_of(tools=[TOOL], tool_choice=choice, parallel_tool_calls=parallel)
    assert request.get("tool_choice") == expected


def test_allowed_tools_are_those_that_the_model_sees() -> None:
    other = {"type": "function", "function": {"name": "other"}}
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "other"}}]}
    request = request_of(tools=[TOOL, other], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [tool["name"] for tool in request["tools"]] == ["other"]
    assert request["tool_choice"] == {"type": "any"}
    unknown = {"type": "allowed_tools", "allowed_tools": allowed}
    assert fault_of(tools=[TOOL], tool_choice=unknown)[0] == "tool_choice.allowed_tools.tools"


def test_functions_are_tools_of_which_one_is_called() -> None:
    translated = translate({**HELLO, "functions": [TOOL["function"]], "function_call": {"name": "ping"}}, CATALOG.find)
    assert translated.functions
    assert [tool["name"] for tool in translated.request["tools"]] == ["ping"]
    assert translated.request["tool_choice"] == {"type": "tool", "name": "ping", "disable_parallel_tool_use": True}


def test_a_choice_without_tools_is_refused_unless_it_is_none() -> None:
    assert fault_of(tool_choice="auto") == (
        "tool_choice",
        "tool_choice: 'tool_choice' is only allowed when 'tools' are specified",
    )
    assert "tool_choice" not in request_of(tool_choice="none", tools=[], parallel_tool_calls=False)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": 3}}]}, "tools.0.function.name"),
        ({"tools": {}, "tool_choice": {}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"functions": [{"name": "a", "parameters": 3}]}, "functions.0.parameters"),
    ],
)
def test_tools_that_cannot_be_are_refused_by_their_path(more: dict[str, Any], param: str) -> None:
    assert fault_of(**more)[0] == param


# --- figures and the rest ---


def test_max_completion_tokens_goes_before_max_tokens() -> None:
    assert request_of(max_tokens=5)["max_tokens"] == 5
    assert request_of(max_tokens=5, max_completion_tokens=7)["max_tokens"] == 7


@pytest.mark.parametrize(
    ("model", "expected"),
    [("claude-opus-5", 32_000), ("claude-3-haiku-20240307", 4096), ("nobody-knows-it", 32_000)],
)
def test_without_max_tokens_an_answer_may_have_what_the_model_can(model: str, expected: int) -> None:
    assert request_of(model=model)["max_tokens"] == expected


def test_without_max_tokens_a_small_context_window_keeps_room_for_the_prompt() -> None:
    model = Facts(max_input_tokens=8192).applied_to(configured_model("small"))
    assert translate({**HELLO, "model": "small"}, lambda _: model).request["max_tokens"] == 2048


@pytest.mark.parametrize(("given", "expected"), [(0.3, 0.3), (1, 1), (1.7, 1), (-1, -1), (True, True), ("hot", "hot")])
def test_a_temperature_above_one_is_capped_and_others_are_left_to_the_rules(given: Any, expected: Any) -> None:
    assert repr(request_of(temperature=given)["temperature"]) == repr(expected)


def test_stop_sequences_of_white_space_are_left_out() -> None:
    assert request_of(stop="END")["stop_sequences"] == ["END"]
    assert request_of(stop=["a", "\n", "", "b c"])["stop_sequences"] == ["a", "b c"]
    assert "stop_sequences" not in request_of(stop="\n\n")
    assert fault_of(stop=3)[0] == fault_of(stop=[3])[0] == "stop"


@pytest.mark.parametrize("n", [0, 2, True, "1", [1]])
def test_n_must_be_one(n: Any) -> None:
    assert fault_of(n=n)[0] == "n"
    assert "n" not in request_of(n=1)


def test_the_user_is_named_in_metadata() -> None:
    assert request_of(user="ada")["metadata"] == {"user_id": "ada"}
    assert "metadata" not in request_of(user="x" * 513)
    assert "metadata" not in request_of(metadata={"user_id": "ignored"})


def test_thinking_passes_and_null_is_absent() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    assert request_of(thinking=thinking)["thinking"] == thinking
    nothing = dict.fromkeys(["stream", "top_p", "thinking", "temperature", "stop", "tools", "response_format", "user"])
    assert request_of(**nothing) == request_of()


def test_ignored_and_unknown_fields_are_left_out() -> None:
    names = ["logprobs", "seed", "service_tier", "store", "modalities", "reasoning_effort", "system", "zzz"]
    assert request_of(**{name: {"any": "thing"} for name in names}) == request_of()


def test_a_schema_for_the_answer_is_closed_and_what_no_grammar_holds_is_told() -> None:
    schema = {
        "type": "object",
        "properties": {
            "age": {"type": "integer", "minimum": 0, "maximum": 150, "description": "Years."},
            "tags": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/tag"}},
            "minimum": {"type": "string"},
        },
        "$defs": {"tag": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": ["object", "null"]}]}},
    }
    asked = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": False}}
    assert request_of(response_format=asked)["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "age": {"type": "integer", "description": "Years.\n\n{minimum: 0, maximum: 150}"},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "description": "{minItems: 2}"},
                "minimum": {"type": "string"},
            },
            "$defs": {
                "tag": {
                    "anyOf": [
                        {"type": "string", "description": "{maxLength: 9}"},
                        {"type": ["object", "null"], "additionalProperties": False},
                    ]
                }
            },
        },
    }


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_other_formats_are_ignored(kind: str) -> None:
    assert request_of(response_format={"type": kind}) == request_of()


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ("json", "response_format"),
        ({"type": "xml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "response_format.json_schema.schema"),
    ],
)
def test_a_format_that_cannot_be_is_refused(form: Any, param: str) -> None:
    assert fault_of(response_format=form)[0] == param
