"""Tools, the choice among them, and the `functions` that came before."""

from __future__ import annotations

from typing import Any, Final, cast

from .reading import a_string, an_object, objects, refused

Tool = dict[str, Any]

_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}


def add_tools(body: dict[str, Any], request: dict[str, Any]) -> bool:
    """Put `tools` and `tool_choice` into `request`. Returns whether the answer calls in the words of `functions`."""
    functions = body.get("functions")
    if body.get("tools") is None and functions is not None:
        tools = [_tool(function, path) for path, function in objects(functions, "functions")]
        choice: Tool | None = _function_choice(body.get("function_call"))
        # One call is all that an answer of that form can hold.
        alone = True
    else:
        tools, choice = _tools(body)
        alone = body.get("parallel_tool_calls") is False
        functions = None
    if tools:
        request["tools"] = tools
        if alone and choice is None:
            choice = {"type": "auto"}
        if alone and choice is not None and choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    elif choice is not None and choice["type"] != "none":
        # Observed, in OpenAI's own words.
        raise refused("tool_choice", "'tool_choice' is only allowed when 'tools' are specified")
    if tools and choice is not None:
        request["tool_choice"] = choice
    return functions is not None


def _tools(body: dict[str, Any]) -> tuple[list[Tool], Tool | None]:
    tools: list[Tool] = []
    for path, tool in objects(body.get("tools") or [], "tools"):
        if tool.get("type") != "function":
            raise refused(f"{path}.type", "Input should be 'function'")
        tools.append(_tool(an_object(tool.get("function"), f"{path}.function"), f"{path}.function"))
    choice: object = body.get("tool_choice")
    if choice is None:
        return tools, None
    if isinstance(choice, str):
        return tools, _named_mode(choice, "tool_choice")
    chosen = an_object(choice, "tool_choice")
    kind = chosen.get("type")
    if kind == "function":
        name = an_object(chosen.get("function"), "tool_choice.function").get("name")
        return tools, {"type": "tool", "name": a_string(name, "tool_choice.function.name")}
    if kind == "allowed_tools":
        return _allowed(tools, an_object(chosen.get("allowed_tools"), "tool_choice.allowed_tools"))
    raise refused("tool_choice.type", "Input should be 'function' or 'allowed_tools'")


def _allowed(tools: list[Tool], allowed: dict[str, Any]) -> tuple[list[Tool], Tool]:
    """The model sees those tools alone [guess: the page does not name this choice]."""
    param = "tool_choice.allowed_tools"
    names: set[str] = set()
    for path, one in objects(allowed.get("tools"), f"{param}.tools"):
        function = an_object(one.get("function"), f"{path}.function")
        names.add(a_string(function.get("name"), f"{path}.function.name"))
    unknown = names - {tool["name"] for tool in tools}
    if unknown:
        raise refused(f"{param}.tools", f"Tool '{min(unknown)}' not found in provided tools")
    mode = a_string(allowed.get("mode"), f"{param}.mode")
    return [tool for tool in tools if tool["name"] in names], _named_mode(mode, f"{param}.mode")


def _named_mode(mode: str, param: str) -> Tool:
    kind = _CHOICES.get(mode)
    if kind is None:
        raise refused(param, "Input should be 'none', 'auto' or 'required'")
    return {"type": kind}


def _function_choice(choice: object) -> Tool | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return _named_mode(choice, "function_call")
    name = an_object(choice, "function_call").get("name")
    return {"type": "tool", "name": a_string(name, "function_call.name")}


def _tool(function: Tool, path: str) -> Tool:
    """`strict` is ignored (documented)."""
    tool: Tool = {"name": a_string(function.get("name"), f"{path}.name")}
    description = function.get("description")
    if description is not None:
        tool["description"] = a_string(description, f"{path}.description")
    parameters = function.get("parameters")
    schema = {} if parameters is None else an_object(parameters, f"{path}.parameters")
    # A function without parameters may leave the schema out, or empty; the Messages API wants its type.
    tool["input_schema"] = cast("Tool", {"type": "object", "properties": {}}) if not schema else {**schema}
    tool["input_schema"].setdefault("type", "object")
    return tool
