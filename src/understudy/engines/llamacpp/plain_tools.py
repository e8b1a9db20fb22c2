"""Tools for models whose chat template has none: said in the system prompt, called and answered in text.

The way to call is that of the Hermes models, which many others have learned too.
"""

from __future__ import annotations

from typing import Any, Final, cast

from understudy.wire.json_text import to_json

from .templates import Calls

HERMES: Final = Calls(
    trigger="<tool_call>",
    lead='\n{"name": "',
    middle='", "arguments": ',
    close="}\n</tool_call>",
    again="<tool_call>",
    again_lead='\n{"name": "',
    end="",
    json=True,
)
_TOLD: Final = (
    "You may call tools. These are their names, purposes and inputs, one a line:\n<tools>\n{tools}\n</tools>\n\n"
    "To call one, write its name and its input as JSON between tags, and wait for the result:\n"
    '<tool_call>\n{{"name": "the name", "arguments": {{"an input": "its value"}}}}\n</tool_call>'
)


def with_plain_tools(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with tools, calls and results as text. Roles take turns as they did: results are the user's."""
    found: list[dict[str, Any]] = []
    if tools:
        lines = "\n".join([to_json(tool["function"]) for tool in tools])
        found.append({"role": "system", "content": _TOLD.format(tools=lines)})
    for message in messages:
        said = dict(message)
        if said["role"] == "tool":
            said = {"role": "user", "content": f"<tool_response>\n{said['content']}\n</tool_response>"}
        for call in cast("list[dict[str, Any]]", said.pop("tool_calls", [])):
            function = call["function"]
            name, given = to_json(function["name"]), function["arguments"]
            text = f'<tool_call>\n{{"name": {name}, "arguments": {given}}}\n</tool_call>'
            said["content"] = _joined(said["content"], text)
        if found and found[-1]["role"] == said["role"]:
            first, second = found[-1]["content"], said["content"]
            # What is told of the tools stands behind the system prompt, as templates have it.
            said["content"] = _joined(second, first) if said["role"] == "system" else _joined(first, second)
            found[-1] = said
        else:
            found.append(said)
    return found


def _joined(first: Any, second: Any) -> Any:
    """Contents are texts, or lists of parts where there are images."""
    if isinstance(first, str) and isinstance(second, str):
        return "\n\n".join([text for text in (first, second) if text])
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return cast("list[Any]", content)
