"""The tools that the model may call and the client runs."""

from typing import Any

import jsonschema_rs
import pytest
from anthropic import types
from pydantic import TypeAdapter

from understudy.wire.client_tools import client_tools
from understudy.wire.client_tools_members import OFF_UNLESS_ENABLED, TOOLSETS
from understudy.wire.client_tools_schemas import DEFINED_TOOLS


def _names(tools: list[dict[str, Any]], loaded: tuple[str, ...] = ()) -> list[str]:
    return [tool.name for tool in client_tools(tools, loaded)]


def test_a_custom_tool_is_taken_as_it_is_given() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    (tool,) = client_tools(
        [
            {
                "name": "weather",
                "description": "Tells the weather",
                "input_schema": schema,
                "input_examples": [{"city": "Rome"}],
                "strict": True,
                "eager_input_streaming": True,
            }
        ]
    )
    assert (tool.name, tool.toolset_name, tool.description) == ("weather", None, "Tells the weather")
    assert tool.input_schema == schema
    assert tool.input_examples == ({"city": "Rome"},)
    assert tool.strict
    assert tool.eager


@pytest.mark.parametrize("kind", sorted(DEFINED_TOOLS))
def test_a_defined_tool_has_a_purpose_and_a_schema_that_compiles(kind: str) -> None:
    (tool,) = client_tools([{"type": kind, "name": "x"}])
    assert tool.description
    jsonschema_rs.validator_for(tool.input_schema)


def test_only_the_older_text_editors_undo() -> None:
    def commands(kind: str) -> list[str]:
        (tool,) = client_tools([{"type": kind, "name": "x"}])
        return tool.input_schema["properties"]["command"]["enum"]

    assert "undo_edit" in commands("text_editor_20250124")
    assert "undo_edit" not in commands("text_editor_20250429")
    assert "undo_edit" not in commands("text_editor_20250728")


def test_the_commands_of_memory_need_what_the_documentation_says() -> None:
    (tool,) = client_tools([{"type": "memory_20250818", "name": "memory"}])
    valid = jsonschema_rs.validator_for(tool.input_schema).is_valid
    assert valid({"command": "view", "path": "/memories"})
    assert not valid({"command": "create", "path": "/memories/a"})
    assert valid({"command": "rename", "old_path": "/memories/a", "new_path": "/memories/b"})
    assert not valid({"command": "rename", "path": "/memories/a"})


def test_the_computer_zooms_only_when_that_is_enabled() -> None:
    entry = {"type": "computer_20251124", "name": "computer", "display_width_px": 1, "display_height_px": 1}
    (plain,), (zooming,) = client_tools([entry]), client_tools([{**entry, "enable_zoom": True}])
    assert "zoom" not in plain.input_schema["properties"]["action"]["enum"]
    assert "zoom" in zooming.input_schema["properties"]["action"]["enum"]


@pytest.mark.parametrize(
    ("kind", "name"), [("computer_toolset_20260801", "computer"), ("browser_toolset_20260801", "browser")]
)
def test_a_toolset_has_its_members(kind: str, name: str) -> None:
    found = client_tools([{"type": kind}])
    assert {tool.toolset_name for tool in found} == {name}
    assert {tool.name for tool in found} == TOOLSETS[kind][1].keys() - OFF_UNLESS_ENABLED
    assert len(found) == {"computer": 17, "browser": 27}[name]


@pytest.mark.parametrize("kind", sorted(TOOLSETS))
def test_the_members_take_what_the_official_types_take(kind: str) -> None:
    toolset, members = TOOLSETS[kind]
    for name, member in members.items():
        official = getattr(types, "".join(part.title() for part in f"{toolset}_{name}_input".split("_")), None)
        if official is None:
            continue
        theirs = TypeAdapter(official).json_schema()
        assert set(member.input_schema["required"]) == set(theirs.get("required", [])), name
        assert member.input_schema["properties"].keys() == theirs.get("properties", {}).keys(), name


def test_members_are_disabled_and_enabled_by_configs() -> None:
    entry = {
        "type": "browser_toolset_20260801",
        "configs": {"zoom": {"enabled": False}, "javascript_exec": {"enabled": True}, "key": None},
    }
    names = _names([entry])
    assert "zoom" not in names
    assert "javascript_exec" in names
    assert "key" in names


def test_server_tools_are_not_the_clients() -> None:
    assert not _names(
        [
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "web_fetch_20250910", "name": "web_fetch"},
            {"type": "code_execution_20250825", "name": "code_execution"},
            {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
            {"type": "advisor_20260301", "name": "advisor", "model": "m"},
            {"type": "mcp_toolset", "mcp_server_name": "s"},
        ]
    )


def test_a_deferred_tool_comes_when_it_is_loaded() -> None:
    tool = {"name": "late", "input_schema": {"type": "object"}, "defer_loading": True}
    assert _names([tool]) == []
    assert _names([tool], ("late",)) == ["late"]


def test_a_deferred_toolset_loads_as_one() -> None:
    configs = {name: {"defer_loading": True} for name in TOOLSETS["computer_toolset_20260801"][1]}
    entry = {"type": "computer_toolset_20260801", "configs": configs}
    assert _names([entry]) == []
    assert len(_names([entry], ("screenshot",))) == 17


def test_a_tool_that_only_code_may_call_is_not_called_directly() -> None:
    tool = {"name": "t", "input_schema": {"type": "object"}, "allowed_callers": ["code_execution_20260120"]}
    assert _names([tool]) == []
    assert _names([{**tool, "allowed_callers": ["direct", "code_execution_20260120"]}]) == ["t"]
