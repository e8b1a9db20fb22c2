"""What a server tool is to the turn that uses it.

A tool in `tools` that this server runs brings functions. The engine sees them beside the client's; a call of one is
run here between two calls of the engine, and both the call and its result are blocks of the answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from understudy.wire.server_tools import ServerFunction


class OtherModels(Protocol):
    """Asks further models on behalf of a request: each call is limited and billed as a request of its own."""

    def most_tokens(self, model: str) -> int | None:
        """The most that a request may ask for of the model of this name; None where nobody answers for it."""
        ...

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The Message that answers a Messages request. Raises the API's errors."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that keeps all rules, and whose it is. `betas` are those that it was sent with; `counting`: its tokens
    are asked for, and nothing will run. `others` is None only there."""

    organization_id: str
    workspace_id: str
    request: dict[str, Any]
    betas: Collection[str] = ()
    counting: bool = False
    others: OtherModels | None = field(default=None, repr=False, compare=False)


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
class ModelUse:
    """The tokens of a call of another model, named by its id."""

    model: str
    input_tokens: int
    cache_read_input_tokens: int
    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The block that answers a call: its type and content, and `is_error` and `caller` where it has such fields. The
    numbers are what is billed beside tokens.

    `read` is what the model reads in the place of a content that is not for it; None where it reads the content.
    `advised` is the call of another model that it took.
    """

    type: str
    content: Any
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    is_error: bool | None = None
    caller: dict[str, Any] | None = None
    read: Any = None
    advised: ModelUse | None = None

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


@runtime_checkable
class CodeSession(ToolSession, Protocol):
    """The part of a tool that runs code which may call the other tools of the request."""

    def offer(self, functions: Sequence[ServerFunction]) -> Collection[str]:
        """To be called first, with the functions that this server runs. Returns the names of those that only code may
        call."""
        ...

    def has_begun(self, call: ToolCall) -> bool:
        """Whether its code has called tools before."""
        ...

    def steps(
        self, call: ToolCall, run: Callable[[ToolCall], Awaitable[ToolResult]]
    ) -> AsyncGenerator[dict[str, Any] | ToolResult]:
        """Run a call: the blocks of the calls that its code makes, then its result. Without a result, code waits for
        those of the client's tools that it has called. `run` runs calls of the other tools."""
        ...


class ServerTool(Protocol):
    """One kind of tool that this server runs."""

    def serves(self, kind: str) -> bool:
        """Whether tools of that `type` are this one's."""
        ...

    async def session(self, asked: Asked) -> ToolSession | None:
        """Look up all that the request names for it. None where it is of no use to the request after all. Raises the
        API's errors."""
        ...
