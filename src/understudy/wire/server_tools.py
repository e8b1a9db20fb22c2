"""Functions that a model may call and this server runs, and the blocks that their calls and results are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

SERVER: Final = "server"
"""Stands in the place of a toolset's name in calls of server functions. No toolset of the API is called that."""

MCP_TOOLSET: Final = "mcp_toolset"
"""The type of tools that MCP servers bring."""

RESULT_OF: Final = {
    "web_search": "web_search_tool_result",
    "web_fetch": "web_fetch_tool_result",
    "code_execution": "code_execution_tool_result",
    "bash_code_execution": "bash_code_execution_tool_result",
    "text_editor_code_execution": "text_editor_code_execution_tool_result",
    "tool_search_tool_regex": "tool_search_tool_result",
    "tool_search_tool_bm25": "tool_search_tool_result",
    "advisor": "advisor_tool_result",
}
"""The block that answers each server tool, by the name in its call."""

RESULTS: Final = frozenset(RESULT_OF.values())

CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
"""Blocks that are calls of server tools."""


@dataclass(frozen=True, slots=True)
class ServerFunction:
    """What an engine is told of one function, and how its calls are written down.

    `tool` is the `type` of the tool in `tools` that brings it. `block` is the type of the block that a call becomes,
    `id_prefix` how that block's id begins. The API shows neither descriptions nor schemas, so they are ours.

    One of an MCP server has a `server_name` and a `title`, which its blocks show; `name` is what the model knows it by.
    It is listed among the request's `tools` as the client's own are, and no other tool there has its name.
    """

    tool: str
    name: str
    description: str
    input_schema: dict[str, Any]
    block: str = "server_tool_use"
    id_prefix: str = "srvtoolu_"
    server_name: str | None = None
    title: str | None = None


def ends_with_result(message: dict[str, Any]) -> bool:
    """Whether the last block of an assistant's message is what a server tool brought: it was paused there, and what
    comes next is an answer of its own."""
    content: Any = message.get("content")
    return content.__class__ is list and bool(content) and content[-1]["type"] in _ENDINGS


_ENDINGS: Final = RESULTS | {"mcp_tool_result", *CALLS}
