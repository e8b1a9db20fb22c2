"""How the simulator finds tools that are not listed: it searches where one of them would fit better than any it has."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final, cast

from understudy.engines.simulator.answers import words_of
from understudy.engines.simulator.calling import calls_for
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.parts import Call
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.server_tools import SERVER

_REGEX: Final = "tool_search_tool_regex"
_BM25: Final = "tool_search_tool_bm25"
_PART: Final = re.compile(r"[A-Za-z][a-z]+|[A-Z]+|[0-9]+")
_MOST_WORDS: Final = 8
_MOST_FOUND: Final = 5
# How Claude Code lists them: a sentence, then a name to a line.
_NAMES: Final = re.compile(r"deferred tools[^\n]{1,400}:\n((?:[\w-]{1,128}\n){1,2000})")
# Names of tools by which clients let the model find others.
_FINDER: Final = re.compile(r"(?:tool_?search|search_?tools?|find_?tools?)", re.IGNORECASE)


def search_for_tool(
    conversation: Conversation, names: set[str], choice: dict[str, Any], seeded: Callable[[], Seeded]
) -> Call | None:
    """A call of tool search, once for each question; None where nothing hidden is wanted."""
    function = _REGEX if _REGEX in names else _BM25
    if _searched(conversation):
        return None
    if choice["type"] == "tool":
        return _call(function, conversation.asked, "") if choice["name"] in names else None
    wanted = wanted_hidden_tool(conversation, seeded)
    return None if wanted is None else _call(function, conversation.asked, wanted)


def search_with_client(conversation: Conversation, seeded: Callable[[], Seeded]) -> Call | None:
    """A call of the client's own tool that finds tools, once for each question; None where nothing hidden is wanted."""
    tool = next(
        (
            tool
            for tool in cast("list[dict[str, Any]]", conversation.request["tools"])
            if _FINDER.fullmatch(str(tool.get("name"))) and not tool.get("defer_loading") and "input_schema" in tool
        ),
        None,
    )
    if tool is None or any(call.name == tool["name"] for call in conversation.calls):
        return None
    named = _named_by_client(conversation)
    wanted = wanted_hidden_tool(conversation, seeded, named, without=tool["name"])
    if wanted is None:
        return None
    properties = cast("dict[str, Any]", tool["input_schema"].get("properties") or {})
    if wanted in named:
        given: dict[str, Any] = {"query": f"select:{wanted}"}
        if "max_results" in properties:
            given["max_results"] = _MOST_FOUND
        return Call(tool["name"], given)
    name = "pattern" if "pattern" in properties else "query"
    found = _call(_REGEX if name == "pattern" else _BM25, conversation.asked, wanted)
    return Call(tool["name"], found.input)


def wanted_hidden_tool(
    conversation: Conversation, seeded: Callable[[], Seeded], named: Collection[str] = (), *, without: str = ""
) -> str | None:
    """The name of the hidden tool that would be called if all could be. Of those that are `named` no more than that is
    known; the tool `without` is not among those to choose from."""
    request = conversation.request
    names = {tool["name"] for tool in conversation.hidden_tools()}.union(named)
    if not names:
        return None
    tools: list[dict[str, Any]] = [
        {**tool, "defer_loading": False} for tool in request["tools"] if tool.get("name") != without
    ]
    listed = {tool.get("name") for tool in tools}
    for name in named:
        if name not in listed:
            words = " ".join(_PART.findall(name.removeprefix("mcp__")))
            tools.append({"name": name, "description": words, "input_schema": {"type": "object"}})
    calls = calls_for({**request, "tools": tools, "tool_choice": {"type": "auto"}}, conversation, seeded)
    return next((call.name for call in calls if call.name in names), None)


def _named_by_client(conversation: Conversation) -> list[str]:
    """Tools of which the client has told the names alone, as Claude Code does, without those that were found."""
    loaded = conversation.loaded_tools()
    names: list[str] = []
    for message in cast("list[dict[str, Any]]", conversation.request["messages"]):
        content = message.get("content")
        blocks = cast("list[dict[str, Any]]", content) if isinstance(content, list) else [{"text": content}]
        for block in blocks:
            found = _NAMES.search(block.get("text") or "") if message["role"] != "assistant" else None
            names += found[1].split() if found else []
    return [name for name in dict.fromkeys(names) if name not in loaded]


def _searched(conversation: Conversation) -> bool:
    for message in cast("list[dict[str, Any]]", conversation.request["messages"][conversation.start :]):
        content = message.get("content")
        for block in cast("list[dict[str, Any]]", content) if isinstance(content, list) else []:
            if block["type"] == "tool_search_tool_result":
                return True
    return False


def _call(function: str, asked: str, name: str) -> Call:
    """Searches by the words of what is asked that the tool's name has too, else by those of the name."""
    parts = [part.lower() for part in _PART.findall(name)]
    said = [word.lower() for word in words_of(asked, 40)]
    words = [word for word in said if word in parts] or parts or said or ["tool"]
    words = list(dict.fromkeys(words))[:_MOST_WORDS]
    if function == _REGEX:
        return Call(function, {"pattern": "|".join(map(re.escape, words))}, SERVER)
    return Call(function, {"query": " ".join(words)}, SERVER)
