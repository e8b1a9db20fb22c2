"""What a tool of an MCP server answers, as text: that is all a `mcp_tool_result` may hold."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from mcp.types import CallToolResult

_HIDDEN: Final = "***"
# A shorter one may well stand in a text by chance.
_SHORTEST_TOKEN: Final = 8
_MOST_NAME: Final = 500

_Block = dict[str, Any]


def content_of(result: CallToolResult, token: str | None, most: int) -> list[_Block]:
    """The blocks of a result, of at most `most` characters together. Media are named, not shown: the API's block has
    no place for them. The server's own token is not among what it says.
    """
    texts = [text for block in result.content for text in _texts(block)]
    if not texts and result.structured_content is not None:
        texts = [_json(result.structured_content)]
    return [{"type": "text", "text": text} for text in _bounded((without(text, token) for text in texts), most)]


def without(text: str, token: str | None) -> str:
    """`text` without the token, and without what is no text."""
    text = text.encode("utf-8", "replace").decode()
    return text.replace(token, _HIDDEN) if token and len(token) >= _SHORTEST_TOKEN else text


def _texts(block: Any) -> list[str]:
    match block.type:
        case "text":
            return [block.text] if block.text else []
        case "image" | "audio":
            return [f"[{block.type} {block.mime_type[:_MOST_NAME]}, {_size(block.data)} bytes, not shown]"]
        case "resource_link":
            said = [str(block.uri), block.title or block.name, block.description]
            return [f"[resource {' - '.join(part[:_MOST_NAME] for part in said if part)}]"]
        case "resource":
            resource = block.resource
            if hasattr(resource, "text"):
                return [resource.text] if resource.text else []
            kind = (resource.mime_type or "of no known type")[:_MOST_NAME]
            return [f"[resource {str(resource.uri)[:_MOST_NAME]} {kind}, {_size(resource.blob)} bytes, not shown]"]
        case _:
            return [f"[{str(block.type)[:_MOST_NAME]}, not shown]"]


def _size(data: str) -> int:
    try:
        return len(base64.b64decode(data))
    except (binascii.Error, ValueError):
        return len(data)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return ""


def _bounded(texts: Iterable[str], most: int) -> list[str]:
    found: list[str] = []
    for text in texts:
        if not text:
            continue
        if len(text) > most:
            found.append(f"{text[:most]}\n[cut: the result is too long]")
            break
        most -= len(text)
        found.append(text)
    return found
