"""Who may call a tool: the model itself, or code that it runs in a container.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/programmatic-tool-calling (2026-08).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

CODE_CALLER: Final = "code_execution_20260120"
"""The caller that blocks name, whichever version was declared (documented)."""
OLD_CODE_CALLER: Final = "code_execution_20250825"
"""Named where that version is declared (recorded 2025-12)."""

DIRECT: Final = "direct"

_CODE: Final = "code_execution_"
# "`web_search_20260209` and later", "`web_fetch_20260209` or any later version".
FILTERING: Final = ("web_search_2026", "web_fetch_2026")
"""Beginnings of the types of web tools that code calls by default."""
# Run here and of no use to code, or without a name to call them by.
_NEVER_BY_CODE: Final = (_CODE, "tool_search_tool_", "advisor_", "mcp_toolset", "computer_toolset_", "browser_toolset_")

_NOT_IN_NAMES: Final = re.compile(r"\W", re.ASCII)


def allowed_callers(tool: Mapping[str, Any]) -> list[str]:
    """`allowed_callers` of a declared tool, as it is in force. An empty list is none [guess]."""
    given: list[str] | None = tool.get("allowed_callers")
    if given:
        return given
    return [CODE_CALLER] if str(tool.get("type")).startswith(FILTERING) else [DIRECT]


def called_by_code(tool: Mapping[str, Any]) -> bool:
    """Whether code may call it."""
    if str(tool.get("type")).startswith(_NEVER_BY_CODE):
        return False
    return any(caller.startswith(_CODE) for caller in allowed_callers(tool))


def called_directly(tool: Mapping[str, Any]) -> bool:
    """Whether the model is told that it may call it."""
    return not called_by_code(tool) or DIRECT in allowed_callers(tool)


def calling_cell(block: Mapping[str, Any]) -> str | None:
    """The id of the call of code execution whose code made this call, or has this result; None for the model's own."""
    caller: Mapping[str, Any] | None = block.get("caller")
    return None if not caller or caller["type"] == DIRECT else caller["tool_id"]


def python_names(tools: Sequence[str]) -> list[str]:
    """What functions that call tools of these names are called in Python. Names that it would not take, or that were
    there before, are made into others [guess: how the service does it is not documented]."""
    found: list[str] = []
    for tool in tools:
        shown = stem = _python_name(tool)
        number = 2
        while shown in found:
            shown = f"{stem}_{number}"
            number += 1
        found.append(shown)
    return found


def _python_name(tool: str) -> str:
    name = _NOT_IN_NAMES.sub("_", tool)
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name
