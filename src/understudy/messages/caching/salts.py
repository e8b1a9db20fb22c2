"""What a part of the cache hangs on beside its own blocks (prompt-caching.md, "What invalidates the cache")."""

from __future__ import annotations

from typing import Any, Final, cast

from understudy.engines.catalog import Model
from understudy.messages.caching.hashes import digest
from understudy.messages.counting import Counted
from understudy.messages.counting.tools import deferred_tool

# To be raised when the same prefix comes to be counted or hashed in another way: entries may outlive a program.
_VERSION: Final = 1


def salts(request: dict[str, Any], model: Model, workspace_id: str, counted: Counted) -> tuple[bytes, bytes, bytes]:
    """For tools, system and messages. Each holds those before it.

    Thinking and effort break the tools' and the system's part too "on models that render the configuration ahead of
    them"; nobody says which these are, so here they break the messages' part on all [guess].
    """
    tools = cast("list[dict[str, Any]]", request.get("tools") or [])
    deferred = [tool for tool in tools if deferred_tool(tool)]
    for_tools = digest([_VERSION, workspace_id, model.id, bool(deferred), _servers(request)])
    for_system = digest([counted.citations, request.get("speed") or "standard", _skills(request)])
    for_messages = digest([counted.images, *prompt_parameters(request, model), deferred])
    return for_tools, for_tools + for_system, for_tools + for_system + for_messages


def prompt_parameters(request: dict[str, Any], model: Model) -> list[Any]:
    """tool_choice, thinking and output_config as they are rendered: a default is what leaving it out means."""
    given = cast("dict[str, Any]", request.get("output_config") or {})
    output_config = {name: value for name, value in given.items() if value is not None}
    effort = output_config.pop("effort", None) or model.default_effort
    output_format = output_config.pop("format", None) or request.get("output_format")
    return [_tool_choice(request), _thinking(request, model), effort, output_format, output_config]


def _tool_choice(request: dict[str, Any]) -> dict[str, Any] | None:
    if not request.get("tools"):
        return None
    choice = request.get("tool_choice") or {"type": "auto"}
    return {name: choice[name] for name in sorted(choice) if choice[name]}


def _thinking(request: dict[str, Any], model: Model) -> list[Any]:
    thinking = request.get("thinking") or {"type": "adaptive" if model.thinks_by_default else "disabled"}
    # How it is displayed is no part of the prompt.
    return [thinking["type"], thinking.get("budget_tokens")]


def _servers(request: dict[str, Any]) -> list[dict[str, Any]]:
    """They bring tools. A new token for one is still the same server."""
    return [
        {name: server[name] for name in sorted(server) if name != "authorization_token" and server[name] is not None}
        for server in request.get("mcp_servers") or ()
    ]


def _skills(request: dict[str, Any]) -> list[Any]:
    """Skills are rendered into the system prompt (skills-guide.md)."""
    container = request.get("container")
    return cast("dict[str, Any]", container).get("skills") or [] if isinstance(container, dict) else []
