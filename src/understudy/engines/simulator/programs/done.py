"""Calls of server functions that were made for what is asked, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from understudy.wire.server_tools import CALLS, RESULTS

_MOST_SHOWN: Final = 20_000


@dataclass(frozen=True, slots=True)
class Done:
    """`said` is what the call brought, as text; `failed`: it is an error, or what was run ended with one. `files`: how
    many files it gave to the user."""

    name: str
    input: dict[str, Any]
    said: str
    failed: bool
    files: int


def done_since(messages: list[dict[str, Any]], start: int) -> list[Done]:
    """In order, of the messages from `start` on."""
    calls: dict[str, dict[str, Any]] = {}
    found: list[Done] = []
    for message in messages[start:]:
        content = message.get("content")
        for block in cast("list[dict[str, Any]]", content) if isinstance(content, list) else []:
            if block["type"] in CALLS:
                calls[block["id"]] = block
            elif block["type"] in RESULTS and block["tool_use_id"] in calls:
                call = calls[block["tool_use_id"]]
                found.append(_done(call["name"], call["input"], block["content"]))
    return found


def _done(name: str, given: dict[str, Any], content: Any) -> Done:
    if not isinstance(content, dict):
        return Done(name, given, "", False, 0)
    result = cast("dict[str, Any]", content)
    if result["type"].endswith("_error"):
        return Done(name, given, result.get("error_message") or result["error_code"], True, 0)
    if "return_code" in result:
        failed = bool(result["return_code"])
        said = (result.get("stderr") or result.get("stdout")) if failed else result.get("stdout")
        return Done(name, given, (said or "").strip()[:_MOST_SHOWN], failed, len(result.get("content") or ()))
    said = result.get("content") if isinstance(result.get("content"), str) else "\n".join(result.get("lines") or ())
    return Done(name, given, cast("str", said)[:_MOST_SHOWN], False, 0)
