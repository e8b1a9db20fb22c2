"""What the connection of a request is told to do: filled in by the engine, carried out where bytes are written."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from understudy.engines.scenarios.model import Fault

# Bytes of a body that are kept of a received request: those that a Messages request may have.
_MOST_BODY: Final = 32 * 1024 * 1024

# Of headers that say who calls; their values are kept nowhere.
_SECRET: Final = frozenset(
    {
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
        "authorization",
        "proxy-authorization",
        "cookie",
    }
)


@dataclass(slots=True)
class Received:
    """A request that came in while scenarios were on. `rule` names what answered it, None for the engine behind."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    request_id: str
    status: int | None = None
    rule: str | None = None
    content: bytearray = field(default_factory=bytearray, repr=False)

    @property
    def body(self) -> Any:
        """The body, parsed; None where there is none, or where it is no JSON or larger than is kept."""
        try:
            return orjson.loads(self.content) if self.content and len(self.content) <= _MOST_BODY else None
        except orjson.JSONDecodeError:
            return None

    def keep(self, piece: bytes) -> None:
        # One byte above the bound says that the rest is missing.
        self.content += piece[: max(_MOST_BODY + 1 - len(self.content), 0)]

    def as_json(self) -> dict[str, Any]:
        return {
            "type": "received_request",
            "request_id": self.request_id,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body,
            "status": self.status,
            "rule": self.rule,
        }


def without_secrets(headers: dict[str, str]) -> dict[str, str]:
    return {name: "[removed]" if name in _SECRET else value for name, value in headers.items()}


@dataclass(slots=True)
class Plan:
    """Of one request. The engine finds it by CURRENT; a turn without a connection of its own (a batch's) has none."""

    received: Received
    fault: Fault | None = None
    chunk_bytes: int | None = None


CURRENT: Final[ContextVar[Plan | None]] = ContextVar("understudy_scenario_plan", default=None)
