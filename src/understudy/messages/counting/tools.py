"""What the definitions of tools cost: their texts, and for built-in ones the service's own description."""

from __future__ import annotations

from typing import Any, Final

from understudy.wire.json_text import to_json

TOOL: Final = 18
"""What stands around the definition of any tool, in tokens of `o200k_base`."""

# Tokens by the beginning of `type`; see the tools' own pages. "recorded" where they give none.
_BUILT_IN: Final[tuple[tuple[str, int], ...]] = (
    ("bash_", 245),
    ("text_editor_", 700),
    ("computer_", 735),
    ("browser_toolset_", 2_000),
    ("memory_", 1_069),
    ("web_search_", 1_670),
    ("web_fetch_", 470),
    ("code_execution_", 1_750),
    ("tool_search_tool_", 240),
    ("advisor_", 714),
)

# What a definition says to the service rather than to the model. A custom tool is written out field by field.
_NOT_READ: Final = frozenset(
    {
        "allowed_callers",
        "cache_control",
        "caching",
        "configs",
        "default_config",
        "defer_loading",
        "eager_input_streaming",
        "model",
        "name",
        "strict",
        "tools",
        "type",
    }
)


# "Enabling or disabling web search modifies the system prompt" (prompt-caching.md), so these come behind all others.
_BEHIND: Final = ("web_search_", "web_fetch_")


def in_prompt_order(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tools that are in the prompt, in the order in which the prompt cache takes them."""
    first = [tool for tool in tools if not (deferred_tool(tool) or _behind(tool))]
    return first + [tool for tool in tools if _behind(tool) and not deferred_tool(tool)]


def _behind(tool: dict[str, Any]) -> bool:
    kind = tool.get("type")
    return kind is not None and kind.startswith(_BEHIND)


def deferred_tool(tool: dict[str, Any]) -> bool:
    return bool(tool.get("defer_loading"))


def built_in_tool_tokens(tool: dict[str, Any]) -> int:
    kind = tool.get("type")
    if kind is None or kind == "custom":
        return 0
    return next((tokens for name, tokens in _BUILT_IN if kind.startswith(name)), 0)


def definition_of(tool: dict[str, Any]) -> list[str]:
    """The texts of a definition that a model reads."""
    texts = [tool["name"]] if "name" in tool else []
    if "input_schema" in tool:
        if tool.get("description"):
            texts.append(tool["description"])
        texts.append(to_json(tool["input_schema"]))
        if tool.get("input_examples"):
            texts.append(to_json(tool["input_examples"]))
        return texts
    options = {name: value for name, value in tool.items() if name not in _NOT_READ and value is not None}
    if options:
        texts.append(to_json(options))
    return texts
