"""The tools of a request that the model may call and the client runs, each with its name, purpose and input schema."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from .client_tools_members import OFF_UNLESS_ENABLED, TOOLSETS
from .client_tools_schemas import DEFINED_TOOLS, ZOOMING_COMPUTER


@dataclass(frozen=True, slots=True)
class ClientTool:
    """One callable tool. `toolset_name` is set for the members of a toolset and goes into their calls.

    `strict`: the input must be exactly what the schema says. `eager`: its input may be streamed before it is whole.
    """

    name: str
    toolset_name: str | None
    description: str
    input_schema: dict[str, Any]
    input_examples: tuple[Any, ...] = ()
    strict: bool = False
    eager: bool = False


def client_tools(tools: list[dict[str, Any]], loaded: Collection[str] = ()) -> list[ClientTool]:
    """The tools among `tools` that the model may call directly and the client runs, in their order.

    `loaded`: names of deferred tools that a tool search has brought; the name of a member or of its toolset brings the
    whole toolset, which loads as one (documented). Server tools are not in the result.
    """
    found: list[ClientTool] = []
    for tool in tools:
        callers = tool.get("allowed_callers")
        if callers is not None and "direct" not in callers:
            continue
        kind = tool.get("type")
        if isinstance(kind, str) and kind in TOOLSETS:
            found += _members(tool, kind, loaded)
            continue
        if tool.get("defer_loading") and tool.get("name") not in loaded:
            continue
        entry = _single(tool, kind)
        if entry is not None:
            found.append(entry)
    return found


def _single(tool: dict[str, Any], kind: object) -> ClientTool | None:
    examples = tuple(tool.get("input_examples") or ())
    strict = bool(tool.get("strict"))
    if kind is None or kind == "custom":
        return ClientTool(
            name=tool["name"],
            toolset_name=None,
            description=tool.get("description") or "",
            input_schema=tool["input_schema"],
            input_examples=examples,
            strict=strict,
            eager=bool(tool.get("eager_input_streaming")),
        )
    defined = DEFINED_TOOLS.get(kind) if isinstance(kind, str) else None
    if defined is None:
        return None
    if kind == "computer_20251124" and tool.get("enable_zoom"):
        defined = ZOOMING_COMPUTER
    return ClientTool(tool["name"], None, defined.description, defined.input_schema, examples, strict)


def _members(tool: dict[str, Any], kind: str, loaded: Collection[str]) -> list[ClientTool]:
    toolset_name, members = TOOLSETS[kind]
    configs = cast("dict[str, dict[str, Any] | None]", tool.get("configs") or {})
    offered: list[ClientTool] = []
    deferred: set[str] = set()
    for name, member in members.items():
        config = configs.get(name) or {}
        enabled = config.get("enabled")
        if enabled is None:
            enabled = name not in OFF_UNLESS_ENABLED
        if not enabled:
            continue
        if config.get("defer_loading"):
            deferred.add(name)
        offered.append(ClientTool(name, toolset_name, member.description, member.input_schema))
    if deferred.isdisjoint(loaded) and toolset_name not in loaded:
        return [member for member in offered if member.name not in deferred]
    return offered
