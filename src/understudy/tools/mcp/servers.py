"""The MCP servers of a request, and which of their tools it wants.

Source: https://platform.claude.com/docs/en/agents-and-tools/mcp-connector (2026-08). Under the beta of 2025-04-04 the
server itself says which tools it may bring; later ones say it in a toolset that stands in `tools`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, cast

from understudy.wire.errors import InvalidRequestError

KIND: Final = "mcp_toolset"
_WITHOUT_TOOLSETS: Final = "mcp-client-2025-04-04"
_Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    """`place` is where its toolset stands in `tools`; None for one without. `pinned` is a listing that the request
    gives, so that the server is not asked for one."""

    name: str
    url: str
    token: str | None
    place: int | None
    toolset: _Block
    pinned: list[_Block] | None

    def enabled(self, tool: str) -> bool:
        return bool(self._configured(tool, "enabled", default=True))

    def deferred(self, tool: str) -> bool:
        return bool(self._configured(tool, "defer_loading", default=False))

    def _configured(self, tool: str, name: str, *, default: bool) -> object:
        """What `configs` says of a tool, else what `default_config` says of all."""
        configs = cast("dict[str, _Block | None]", self.toolset.get("configs") or {})
        for config in (configs.get(tool), cast("_Block | None", self.toolset.get("default_config"))):
            if config and config.get(name) is not None:
                return config[name]
        return default


def servers_of(request: _Block, betas: Collection[str]) -> list[Server]:
    """The servers in the order of the request; under the old beta without those that are switched off.

    Raises InvalidRequestError where servers and toolsets do not go together.
    """
    declared = cast("list[_Block]", request.get("mcp_servers") or [])
    names = [server["name"] for server in declared]
    for name in names:
        if names.count(name) > 1:
            # Documented ("a unique identifier"); text: [guess].
            raise InvalidRequestError(f"mcp_servers: MCP server names must be unique. '{name}' is defined twice.")
    toolsets = _toolsets(request, names)
    listings = _listings(cast("list[_Block]", request["messages"]))
    found: list[Server] = []
    for server in declared:
        name = server["name"]
        place, toolset = toolsets.get(name, (None, None))
        if toolset is None:
            if _WITHOUT_TOOLSETS not in betas:
                raise InvalidRequestError(
                    f"MCP server '{name}' is defined but not referenced by any `mcp_toolset` in `tools`."
                )
            toolset = _of_configuration(server.get("tool_configuration") or {})
            if toolset is None:
                continue
        pinned = toolset.get("tools")
        found.append(
            Server(
                name=name,
                url=server["url"],
                token=server.get("authorization_token") or None,
                place=place,
                toolset=toolset,
                pinned=listings.get(name) if pinned is None else pinned,
            )
        )
    return found


def _toolsets(request: _Block, names: Collection[str]) -> dict[str, tuple[int, _Block]]:
    found: dict[str, tuple[int, _Block]] = {}
    for place, tool in enumerate(cast("list[_Block]", request.get("tools") or [])):
        if tool.get("type") != KIND:
            continue
        name = tool["mcp_server_name"]
        # Both are documented; texts: [guess], after that of a server without a toolset.
        if name not in names:
            raise InvalidRequestError(
                f"tools.{place}: MCP server '{name}' is referenced by an `mcp_toolset` but not defined in "
                "`mcp_servers`."
            )
        if name in found:
            raise InvalidRequestError(
                f"tools.{place}: MCP server '{name}' is referenced by more than one `mcp_toolset` in `tools`."
            )
        found[name] = place, tool
    return found


def _of_configuration(configuration: _Block) -> _Block | None:
    """The toolset that means the same ("Common migration patterns"); None for a server that is switched off."""
    if configuration.get("enabled") is False:
        return None
    allowed = configuration.get("allowed_tools")
    if allowed is None:
        return {}
    return {"default_config": {"enabled": False}, "configs": {name: {"enabled": True} for name in allowed}}


def _listings(messages: list[_Block]) -> dict[str, list[_Block]]:
    """What earlier answers brought along of servers' listings, the newest of each."""
    found: dict[str, list[_Block]] = {}
    for message in messages:
        content = message.get("content")
        if message["role"] == "assistant" and isinstance(content, list):
            for block in cast("list[_Block]", content):
                if block["type"] == "mcp_tool_listing":
                    found[block["mcp_server_name"]] = block["tools"]
    return found
