"""The tools that a request declares, and what it says about choosing among them."""

from __future__ import annotations

import re
from typing import Any, Final

from understudy.engines.catalog import Model
from understudy.wire.callers import called_by_code, called_directly

from .advisors import advisor_fault
from .code_callers import code_choice_fault, code_fault
from .conversation import unresolved
from .found import SERVER_TOOLS, Found
from .schemas import circular_fault

Tool = dict[str, Any]

_PROPERTY_KEY: Final = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
# Keys that were found good, so that the tools of a conversation are matched once and not at every turn.
_good_keys: set[str] = set()
_MOST_GOOD_KEYS: Final = 10_000

_COMPOSITION: Final = frozenset({"oneOf", "allOf", "anyOf"})


def walk_tools(tools: list[Tool], found: Found, model: Model) -> None:
    """Every tool, once."""
    names: set[str] = set()
    duplicate = False
    deferred = 0
    for index, tool in enumerate(tools):
        kind = tool.get("type") or "custom"
        name = tool.get("name")
        if name is None:
            found.unlisted_tools = True
        elif name in names:
            duplicate = True
        else:
            names.add(name)
        if tool.get("defer_loading"):
            deferred += 1
        if tool.get("cache_control") is not None:
            _cached(found, f"tools.{index}", tool)
        if kind == "custom":
            fault = _custom(found, index, tool)
        else:
            fault = _typed(found, index, kind, model)
            if fault is None and kind.startswith("advisor_"):
                fault = advisor_fault(index, tool, model)
        if fault is not None and found.tool is None:
            found.tool = fault
        if called_by_code(tool):
            fault = _called_by_code(found, index, tool, kind)
            if fault is not None and found.tool is None:
                found.tool = fault
    found.tool_names = names
    if found.by_code is not None and found.tool is None:
        found.tool = code_fault(tools, found.by_code, model)
    if found.tool is not None:
        return
    if duplicate:
        found.tool = "tools: Tool names must be unique."
    elif tools and deferred == len(tools):
        found.tool = "At least one tool must have defer_loading=false. All tools cannot be deferred."


def _cached(found: Found, path: str, tool: Tool) -> None:
    found.breakpoint(path, tool["cache_control"])
    if tool.get("defer_loading") and found.tool is None:
        found.tool = (
            f"Tool '{tool['name']}' cannot have both defer_loading=true and cache_control set. Tools with "
            "defer_loading cannot use prompt caching."
        )


def _custom(found: Found, index: int, tool: Tool) -> str | None:
    schema = tool["input_schema"]
    properties = schema.get("properties")
    if properties and not _good_keys.issuperset(properties):
        for key in properties:
            if not _PROPERTY_KEY.fullmatch(key):
                return (
                    f"tools.{index}.custom.input_schema.properties: Property keys should match pattern "
                    "'^[a-zA-Z0-9_.-]{1,64}$'"
                )
        if len(_good_keys) < _MOST_GOOD_KEYS:
            _good_keys.update(properties)
    if not _COMPOSITION.isdisjoint(schema):
        return (
            f"tools.{index}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
        )
    if tool.get("strict"):
        found.strict_tools += 1
        if found.schemas is None:
            found.schemas = []
        found.schemas.append((f"tools.{index}.custom", schema))
    return None


def _called_by_code(found: Found, index: int, tool: Tool, kind: str) -> str | None:
    found.runs_code = True
    name = tool["name"]
    found.by_code = {*(found.by_code or ()), name}
    if not called_directly(tool):
        found.only_by_code = {*(found.only_by_code or ()), name}
    if "allowed_callers" in tool:
        found.asked_by_code = {*(found.asked_by_code or ()), name}
    return circular_fault(f"tools.{index}.custom", tool["input_schema"]) if kind == "custom" else None


def _typed(found: Found, index: int, kind: str, model: Model) -> str | None:
    if kind.startswith(SERVER_TOOLS):
        found.server_tools = [*(found.server_tools or ()), (f"tools.{index}", kind)]
    # Web tools since 2026 filter what they bring with code of their own, in a container.
    if kind.startswith(("code_execution_", "web_search_2026", "web_fetch_2026")):
        found.runs_code = True
    if kind in model.refused_tools:
        # Documented up to the full stop. The list behind it was not seen; the tool that takes the place is named.
        replacement = kind.partition("_")[0] + "_toolset_20260801"
        return f"'{model.id}' does not support tool types: {kind}. Did you mean one of {replacement}?"
    return None


def reference_fault(found: Found) -> str | None:
    """A tool that a search found must still be declared."""
    if found.references is None or found.unlisted_tools:
        return None
    names = found.tool_names or ()
    for name in found.references:
        if name not in names:
            return f"Tool reference '{name}' not found in available tools"
    return None


def resumed_fault(found: Found) -> str | None:
    """A turn that goes on, with results of client tools or as it was paused, needs the server tool that it waits
    for."""
    if not found.waiting or found.unlisted_tools:
        return None
    names = found.tool_names or ()
    for tool_id, (index, name) in found.waiting.items():
        # The code execution tool has names of its own, and comes along with newer web tools.
        if name not in names and not (found.runs_code and name.endswith("code_execution")):
            # The end is documented; that this text stands before it is a guess.
            return f"messages.{index}: {unresolved(tool_id, name)}, but no `{name}` tool was provided"
    return None


def tool_choice_fault(choice: dict[str, Any], found: Found, model: Model, *, tools: bool) -> str | None:
    kind = choice["type"]
    if kind == "tool" and not found.unlisted_tools and choice["name"] not in (found.tool_names or ()):
        return f"Tool '{choice['name']}' not found in provided tools"
    if found.by_code is not None:
        fault = code_choice_fault(choice, found)
        if fault is not None:
            return fault
    if kind in {"any", "tool"} and not model.forced_tool_choice:
        return 'tool_choice: type "tool" and "any" are not supported for this model.'
    if kind != "none" and not tools:
        # `none` is what holds without tools anyway [guess].
        return "tool_choice: tool_choice may only be specified while providing tools."
    return None
