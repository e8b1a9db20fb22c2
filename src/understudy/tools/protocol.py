"""What a server tool is to the turn that uses it.

A tool in `tools` that this server runs brings functions. The engine sees them beside the client's; a call of one is
run here between two calls of the engine, and both the call and its result are blocks of the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from understudy.wire.server_tools import ServerFunction


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that keeps all rules, and whose it is. `betas` are those that it was sent with; `counting`: its tokens
    are asked for, and nothing will run."""

    organization_id: str
    workspace_id: str
    request: dict[str, Any]
    betas: Collection[str] = ()
    counting: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`id` is that of its block. `input` is what the model wrote, whatever that is. `server_name`: of the MCP server
    whose tool it is. `messages` are the conversation up to the call, as the model knows it."""

    id: str
    name: str
    input: dict[str, Any]
    server_name: str | None = None
    messages: Sequence[dict[str, Any]] = field(default=(), repr=False, compare=False)

    @property
    def asked_of(self) -> str:
        """What a tool `answers` to."""
        return self.name if self.server_name is None else f"mcp:{self.server_name}"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The block that answers a call: its type and content, and `is_error` and `caller` where it has such fields. The
    numbers are what is billed beside tokens.

    `read` is what the model reads in the place of a content that is not for it; None where it reads the content.
    """

    type: str
    content: Any
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    is_error: bool | None = None
    caller: dict[str, Any] | None = None
    read: Any = None

    def block(self, call_id: str) -> dict[str, Any]:
        block: dict[str, Any] = {"type": self.type, "tool_use_id": call_id}
        if self.is_error is not None:
            block["is_error"] = self.is_error
        block["content"] = self.content
        if self.caller is not None:
            block["caller"] = self.caller
        return block


class ToolSession(Protocol):
    """A tool's part in one turn. Its methods are called one after the other, and `close` whatever becomes of it."""

    @property
    def functions(self) -> Sequence[ServerFunction]:
        """What the engine may call."""
        ...

    @property
    def container(self) -> dict[str, Any] | None:
        """The answer's `container`, once there is one."""
        ...

    def answers(self, name: str) -> bool:
        """Whether calls of that name are this tool's, also those of an earlier answer that wait for their results."""
        ...

    def prompted(self, request: dict[str, Any]) -> dict[str, Any]:
        """`request`, or a copy of it in which stands what the model must know beside the functions."""
        ...

    async def start(self) -> None:
        """Called before the engine is first asked, if the turn comes to that. Raises the API's errors."""
        ...

    async def run(self, call: ToolCall) -> ToolResult:
        """Run a call; what goes wrong is a result too. Cancelling stops it at once."""
        ...

    async def close(self) -> None: ...


class ServerTool(Protocol):
    """One kind of tool that this server runs."""

    def serves(self, kind: str) -> bool:
        """Whether tools of that `type` are this one's."""
        ...

    async def session(self, asked: Asked) -> ToolSession:
        """Look up all that the request names for it. Raises the API's errors."""
        ...
