"""Tool search in one turn.

What is found stands in the conversation as references; counting and engines read the definitions behind them there, as
they do for a client's own search. Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool
(2026-08), recorded answers of 2026-01 to 2026-08.
"""

from __future__ import annotations

from typing import Any, Final, cast

from understudy.tools.protocol import Asked, ToolCall, ToolResult
from understudy.tools.tool_search.searching import MOST_PATTERN, MOST_QUERY, PatternError, Searchable
from understudy.wire.server_tools import ServerFunction

REGEX: Final = "tool_search_tool_regex"
BM25: Final = "tool_search_tool_bm25"
KINDS: Final = frozenset({REGEX, f"{REGEX}_20251119", BM25, f"{BM25}_20251119"})

_DEFAULT_LIMIT: Final = 5
_MOST: Final = 10_000

_LIMIT: Final = {
    "type": "integer",
    "minimum": 1,
    "maximum": _MOST,
    "description": f"The most tools to find, {_DEFAULT_LIMIT} if not given.",
}


def _input(name: str, description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": description}, "limit": _LIMIT},
        "required": [name],
        "additionalProperties": False,
    }


_WHAT: Final = (
    "Finds tools that are not listed, by their names, descriptions and arguments. What is found can be called."
)
_FUNCTIONS: Final = {
    REGEX: (
        f"{_WHAT} Takes a regular expression.",
        _input(
            "pattern",
            f"A Python regular expression of at most {MOST_PATTERN} characters; upper and lower case are one.",
        ),
    ),
    BM25: (
        f"{_WHAT} Takes words.",
        _input("query", f"Words that say what the tool should do, at most {MOST_QUERY} characters."),
    ),
}


class ToolSearch:
    """The two tool search tools. Implements ServerTool."""

    def serves(self, kind: str) -> bool:
        return kind in KINDS

    async def session(self, asked: Asked) -> ToolSearchSession:
        return ToolSearchSession(cast("list[dict[str, Any]]", asked.request["tools"]))


class ToolSearchSession:
    """Implements ToolSession."""

    container = None

    def __init__(self, tools: list[dict[str, Any]]) -> None:
        self._hidden = _hidden(tools)
        self._searchable: Searchable | None = None
        self.functions = tuple(
            ServerFunction(tool["type"], tool["name"], *_FUNCTIONS[tool["name"]])
            for tool in tools
            if tool.get("type") in KINDS
        )

    def answers(self, name: str) -> bool:
        return name in _FUNCTIONS

    def prompted(self, request: dict[str, Any]) -> dict[str, Any]:
        # By now those of MCP servers are among them.
        self._hidden = _hidden(cast("list[dict[str, Any]]", request["tools"]))
        return request

    async def start(self) -> None:
        """Nothing is made ready."""

    async def run(self, call: ToolCall) -> ToolResult:
        limit = call.input.get("limit", _DEFAULT_LIMIT)
        asked = call.input.get("pattern" if call.name == REGEX else "query")
        longest = MOST_PATTERN if call.name == REGEX else MOST_QUERY
        if limit.__class__ is not int or not 1 <= limit <= _MOST:
            return _failed(f"limit must be an integer from 1 to {_MOST:,}")
        if not isinstance(asked, str) or not asked:
            return _failed("there is nothing to search for")
        if len(asked) > longest:
            return _failed(f"no more than {longest} characters can be searched for")
        if self._searchable is None:
            self._searchable = Searchable(self._hidden)
        try:
            search = self._searchable.by_pattern if call.name == REGEX else self._searchable.by_words
            names = search(asked, limit)
        except PatternError as error:
            return _failed(str(error))
        references = [{"type": "tool_reference", "tool_name": name} for name in names]
        return ToolResult(
            "tool_search_tool_result", {"type": "tool_search_tool_search_result", "tool_references": references}
        )

    async def close(self) -> None:
        """Nothing is held."""


def _hidden(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [tool for tool in tools if tool.get("defer_loading") and tool.get("name")]


def _failed(why: str) -> ToolResult:
    content = {"type": "tool_search_tool_result_error", "error_code": "invalid_tool_input", "error_message": why}
    return ToolResult("tool_search_tool_result", content)
