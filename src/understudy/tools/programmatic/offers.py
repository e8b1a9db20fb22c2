"""The tools of a request as functions that code may call, and how the model is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from understudy.tools.programmatic.repl import Function
from understudy.wire.callers import CODE_CALLER, called_by_code, called_directly, python_names
from understudy.wire.client_tools import client_tools
from understudy.wire.json_text import to_json
from understudy.wire.server_tools import ServerFunction

_Block: TypeAlias = dict[str, Any]

_RESULTS_OF_SERVER: Final = {
    "web_search": (
        "Returns a JSON array of objects with title, url, page_age and content, or an object with error_code."
    ),
    "web_fetch": (
        'Returns a JSON object: its text is at ["content"]["source"]["data"], its title at ["content"]["title"]; or an '
        "object with error_code."
    ),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool that code may call. `declared` is its place in `tools`; `tool` the `type` of one that this server runs.
    `told`: whether the model knows of it by now. `only`: whether only code may call it."""

    name: str
    description: str
    input_schema: _Block
    declared: int
    tool: str | None
    told: bool
    only: bool


def offers_of(request: _Block, served: Sequence[ServerFunction]) -> list[Offer]:
    """`served` are the functions of the tools that this server runs."""
    found: list[Offer] = []
    loaded: set[str] | None = None
    functions = {function.tool: function for function in served if function.server_name is None}
    for place, tool in enumerate(cast("list[_Block]", request.get("tools") or [])):
        if not called_by_code(tool):
            continue
        told = not tool.get("defer_loading")
        if not told:
            loaded = _loaded(request) if loaded is None else loaded
            told = tool["name"] in loaded
        only = not called_directly(tool)
        function = functions.get(str(tool.get("type")))
        if function is not None:
            about = f"{function.description} {_RESULTS_OF_SERVER.get(function.name, '')}".rstrip()
            found.append(Offer(function.name, about, function.input_schema, place, function.tool, told, only))
            continue
        plain = {name: value for name, value in tool.items() if name not in {"allowed_callers", "defer_loading"}}
        found += [
            Offer(client.name, client.description, client.input_schema, place, None, told, only)
            for client in client_tools([plain])
        ]
    return found


def code_functions(offers: Sequence[Offer]) -> list[Function]:
    """As code sees them, in the same order."""
    names = python_names([offer.name for offer in offers])
    return [
        Function(shown, offer.name, offer.description, offer.tool is None)
        for shown, offer in zip(names, offers, strict=True)
    ]


def described(offers: Sequence[Offer], functions: Sequence[Function]) -> str:
    """What stands in the description of the tool that runs code."""
    told: list[str] = []
    for offer, function in zip(offers, functions, strict=True):
        if offer.told:
            lines = [f"async def {function.shown}(arguments: dict) -> str", offer.description]
            lines.append(f"Arguments (JSON schema): {to_json(offer.input_schema)}")
            told.append("\n\n" + "\n".join(filter(None, lines)))
    return "".join(told)


def prompted(request: _Block, offers: Sequence[Offer], runner: str | None) -> _Block:
    """A copy of `request` whose `tools` say no more than the model may call. `runner`: the type of the tool that runs
    the code, where it has to be put in, since the request does not name it."""
    tools: list[_Block] = list(request.get("tools") or [])
    for offer in offers:
        if offer.tool is not None and offer.only:
            # What it says is in the prompt, and counted; engines leave out what only code may call.
            tools[offer.declared] = {
                "name": offer.name,
                "description": offer.description,
                "input_schema": offer.input_schema,
                "allowed_callers": [CODE_CALLER],
                **{name: tools[offer.declared][name] for name in _KEPT if name in tools[offer.declared]},
            }
    if runner is not None:
        tools.append({"type": runner, "name": "code_execution"})
    return {**request, "tools": tools}


_KEPT: Final = ("cache_control", "defer_loading")


def _loaded(request: _Block) -> set[str]:
    """Names of deferred tools that a search has brought."""
    names: set[str] = set()
    for message in cast("list[_Block]", request["messages"]):
        content = message.get("content")
        for block in cast("list[_Block]", content) if isinstance(content, list) else []:
            inner: Any = block.get("content")
            if isinstance(inner, dict):
                inner = cast("_Block", inner).get("tool_references")
            for item in cast("list[Any]", inner) if isinstance(inner, list) else []:
                if isinstance(item, dict) and cast("_Block", item).get("type") == "tool_reference":
                    names.add(cast("_Block", item)["tool_name"])
    return names
