"""What an answer consists of, before it is cut into tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from understudy.engines.engine import Citation


@dataclass(slots=True, frozen=True)
class Thinking:
    text: str


@dataclass(slots=True, frozen=True)
class Redacted:
    """Thinking that the client must not read."""

    text: str


@dataclass(slots=True, frozen=True)
class Text:
    """A stretch of text; with a citation, a block of its own."""

    text: str
    citation: Citation | None = None


@dataclass(slots=True, frozen=True)
class Call:
    """A call of a client tool."""

    name: str
    input: dict[str, Any]
    toolset_name: str | None = None


@dataclass(slots=True, frozen=True)
class Refusal:
    """The answer ends here, refused."""

    explanation: str


Part: TypeAlias = Thinking | Redacted | Text | Call | Refusal
