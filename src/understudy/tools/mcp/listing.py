"""What MCP servers list: their tools, as far as they can be offered to a model, kept for a short while.

Whatever a server says is bounded here in number and length: it becomes a part of the prompt.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import orjson

from understudy.tools.mcp.servers import Server

MOST_TOOLS: Final = 1_000
MOST_PAGES: Final = 100

# Characters of a description; bytes and levels of a schema.
_MOST_DESCRIPTION: Final = 10_000
_MOST_SCHEMA: Final = 64 * 1024
_MOST_LEVELS: Final = 40
# Bytes of all definitions that are kept.
_MOST_KEPT: Final = 32 * 1024 * 1024

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}")

_Key: TypeAlias = tuple[str, str, bytes]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as its server knows it. `size`: about how many bytes its definition has."""

    name: str
    description: str
    input_schema: dict[str, Any]
    size: int


def tool_of(name: object, description: object, input_schema: object) -> Tool | None:
    """The tool of an entry in a listing; None for one that cannot be offered."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(input_schema, dict):
        return None
    schema = cast("dict[str, Any]", input_schema)
    if schema.get("type", "object") != "object" or _levels(schema) > _MOST_LEVELS:
        return None
    try:
        size = len(orjson.dumps(schema))
    except orjson.JSONEncodeError:
        return None
    if size > _MOST_SCHEMA:
        return None
    text = description.encode("utf-8", "replace").decode()[:_MOST_DESCRIPTION] if isinstance(description, str) else ""
    return Tool(name, text, {"type": "object", **schema}, len(name) + len(text) + size)


def first_of_each_name(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    found: dict[str, Tool] = {}
    for tool in tools:
        if len(found) == MOST_TOOLS:
            break
        found.setdefault(tool.name, tool)
    return tuple(found.values())


def pinned_tools(listed: list[dict[str, Any]]) -> tuple[Tool, ...]:
    """The tools of a listing that a request gives."""
    tools = (tool_of(entry["name"], entry.get("description"), entry["input_schema"]) for entry in listed)
    return first_of_each_name(tool for tool in tools if tool is not None)


def _levels(value: object) -> int:
    """How deep a value is nested, as far as it matters."""
    level, inner = 0, [value]
    while inner and level <= _MOST_LEVELS:
        level += 1
        inner = [
            child
            for item in inner
            for child in (
                cast("dict[str, object]", item).values()
                if isinstance(item, dict)
                else cast("list[object]", item)
                if isinstance(item, list)
                else ()
            )
        ]
    return level


class Listings:
    """Listings of the last `seconds`, by server, token and organization. `clock` tells seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[_Key, tuple[float, int, tuple[Tool, ...]]] = OrderedDict()
        self._size = 0

    def get(self, organization_id: str, server: Server) -> tuple[Tool, ...] | None:
        key = _key(organization_id, server)
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept[0] <= self._clock():
            self._drop(key)
            return None
        return kept[2]

    def put(self, organization_id: str, server: Server, tools: tuple[Tool, ...]) -> None:
        if not self._seconds:
            return
        key = _key(organization_id, server)
        self._drop(key)
        size = 1024 + sum(tool.size for tool in tools)
        self._kept[key] = self._clock() + self._seconds, size, tools
        self._size += size
        while self._size > _MOST_KEPT:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= kept[1]


def _key(organization_id: str, server: Server) -> _Key:
    # The token itself is not kept.
    return organization_id, server.url, hashlib.sha256((server.token or "").encode("utf-8", "replace")).digest()
