"""Capabilities whose fields are known and checked, but which nothing here carries out yet.

A request that asks for one is refused by name: an answer that left it out in silence would be worse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from understudy.messages.rules import Found
from understudy.wire.callers import CODE_CALLER
from understudy.wire.errors import InvalidRequestError
from understudy.wire.server_tools import MCP_TOOLSET

_CODE: Final = "code_execution_"


def _none(kind: str) -> bool:
    return False


def check_built(request: dict[str, Any], found: Found, serves: Callable[[str], bool] = _none) -> None:
    """Refuse what is not built. Called with a request that keeps all rules. `serves`: which types of server tools are
    run here."""
    if request.get("thread"):
        # The official SDKs' tool runners ask for a thread by default, and go on without one after this very code.
        raise InvalidRequestError(
            "thread: this server does not support `thread` yet.",
            details={"error_code": "thread_unsupported_request"},
        )
    if request.get("mcp_servers") and not serves(MCP_TOOLSET):
        raise InvalidRequestError("mcp_servers: this server does not support `mcp_servers`: it has no MCP connector.")
    if found.asked_by_code and not serves(CODE_CALLER):
        raise InvalidRequestError("tools: this server does not support `allowed_callers`: it runs no code.")
    runs_code = bool(found.by_code)
    for path, kind in found.server_tools or ():
        # One that comes with a message in the middle of a conversation is not built, whatever it is.
        if not path.startswith("tools.") or not serves(kind):
            raise InvalidRequestError(f"{path}: this server does not support tools of type `{kind}` yet.")
        runs_code = runs_code or kind.startswith(_CODE)
    if not runs_code:
        if request.get("container"):
            raise InvalidRequestError(
                "container: this server does not support `container` without a code execution tool."
            )
        if found.container_upload is not None:
            raise InvalidRequestError(
                f"{found.container_upload}: this server does not support `container_upload` without a code execution "
                "tool."
            )
