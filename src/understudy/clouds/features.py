"""What each cloud's flavour of the Messages API lacks, and the refusals.

Source: "Features not supported" on the pages about each cloud (documentation, 2026-08), and one recorded refusal of a
tool by Bedrock. Where none was recorded the text is that of the Messages API for what it does not know [guess].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from understudy.wire.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Missing:
    """Names of fields of a request, beginnings of the types of tools, and types of sources of images and documents."""

    fields: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


_TOOLSETS: Final = ("computer_toolset_", "browser_toolset_", "advisor_")
_SERVER_TOOLS: Final = ("web_fetch_", "code_execution_", "mcp_toolset", *_TOOLSETS)
_AGENTS: Final = ("fallbacks", "mcp_servers", "container")

BEDROCK: Final = Missing(_AGENTS, ("web_search_", *_SERVER_TOOLS), ("url", "file"))
# Its own page names structured outputs too; Claude Code and the SDK send them there all the same, so they are taken.
MANTLE: Final = BEDROCK
VERTEX: Final = Missing(_AGENTS, _SERVER_TOOLS, ("url", "file"))
FOUNDRY: Final = Missing(("fallbacks",), _TOOLSETS)
AWS: Final = Missing(("speed",))

# Recorded of Claude Sonnet 4 on Bedrock, 2025.
_TOOL_TAGS: Final = "'bash_20250124', 'custom', 'text_editor_20250124', 'text_editor_20250429', 'text_editor_20250728'"


def check_features(request: dict[str, Any], missing: Missing) -> None:
    """InvalidRequestError for the first thing that the cloud does not have. Values of the wrong shape are left to the
    checks of the Messages API."""
    for name in missing.fields:
        if request.get(name) is not None:
            raise InvalidRequestError(f"{name}: Extra inputs are not permitted")
    for place, tool in _objects(request.get("tools")):
        kind = tool.get("type")
        if isinstance(kind, str) and kind.startswith(missing.tools or ("\0",)):
            raise InvalidRequestError(
                f"tools.{place}: Input tag '{kind[:100]}' found using 'type' does not match any of the expected tags: "
                f"{_TOOL_TAGS}"
            )
    if missing.sources:
        for place, message in _objects(request.get("messages")):
            _check_content(message.get("content"), f"messages.{place}.content", missing.sources)


# A tool's result may hold a document that holds an image; nothing valid goes deeper.
_DEEPEST: Final = 4


def _check_content(content: Any, path: str, refused: tuple[str, ...], depth: int = 0) -> None:
    if depth > _DEEPEST:
        return
    for place, block in _objects(content):
        if block.get("type") in ("image", "document") and isinstance(block.get("source"), dict):
            source = cast("dict[str, Any]", block["source"])
            kind = source.get("type")
            if kind in refused:
                raise InvalidRequestError(
                    f"{path}.{place}.{block['type']}.source: Input tag '{kind}' found using 'type' does not match any "
                    "of the expected tags: 'base64'"
                )
            _check_content(source.get("content"), f"{path}.{place}.{block['type']}.source.content", refused, depth + 1)
        else:
            _check_content(block.get("content"), f"{path}.{place}.content", refused, depth + 1)


def _objects(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(value, list):
        for place, each in enumerate(cast("list[Any]", value)):
            if isinstance(each, dict):
                yield place, cast("dict[str, Any]", each)
