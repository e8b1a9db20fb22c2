"""The requests that the gateways are sent, in the API's own form and as a chat completion."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.rounds import body

_Json = dict[str, Any]


def claude_body(*, stream: bool, agent: bool) -> str:
    return body(100 if stream else 0, agent=agent)


def chat_body(*, stream: bool, agent: bool) -> str:
    """The same request for a server of chat completions: what a client of that API would send."""
    request: _Json = json.loads(claude_body(stream=stream, agent=agent))
    messages: list[_Json] = [{"role": "system", "content": request["system"]}]
    for message in request["messages"]:
        messages += _messages(message)
    chat: _Json = {"model": request["model"], "max_tokens": request["max_tokens"], "messages": messages}
    if "tools" in request:
        chat["tools"] = [_tool(tool) for tool in request["tools"]]
    if stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(chat, separators=(",", ":"))


def _tool(tool: _Json) -> _Json:
    function = {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
    return {"type": "function", "function": function}


def _messages(message: _Json) -> list[_Json]:
    content = message["content"]
    if isinstance(content, str):
        return [{"role": message["role"], "content": content}]
    found: list[_Json] = []
    for block in content:
        if block["type"] == "tool_result":
            found.append({"role": "tool", "tool_call_id": block["tool_use_id"], "content": block["content"]})
        elif block["type"] == "tool_use":
            function = {"name": block["name"], "arguments": json.dumps(block["input"])}
            found[-1]["tool_calls"] = [{"id": block["id"], "type": "function", "function": function}]
        else:
            found.append({"role": message["role"], "content": block["text"]})
    return found
