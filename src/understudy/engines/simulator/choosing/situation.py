"""What a choice of tools is made from, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from understudy.wire.client_tools import ClientTool


@dataclass(frozen=True, slots=True)
class Choice:
    """A tool to call, and the part of the user's words that asks for this call."""

    tool: ClientTool
    ask: str


@dataclass(slots=True)
class Situation:
    """`asked` is the text of the last user turn, `earlier` the (role, text) of the turns before it, oldest first.

    `calls` are the calls already made for this turn, in order: name, input, text of the result, whether it is an error.
    `made` are the calls of the turns before it, oldest first: name, input, text of the result.
    `tenant`: whose request it is.
    """

    asked: str
    earlier: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    calls: list[tuple[str, dict[str, Any], str, bool]] = field(
        default_factory=list[tuple[str, dict[str, Any], str, bool]]
    )
    system: str = ""
    tenant: str = ""
    made: list[tuple[str, dict[str, Any], str]] = field(default_factory=list[tuple[str, dict[str, Any], str]])
