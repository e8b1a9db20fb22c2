"""Capabilities whose fields are known and checked, but which nothing here carries out yet.

A request that asks for one is refused by name: an answer that left it out in silence would be worse.
"""

from __future__ import annotations

from typing import Any, Final, cast

from understudy.messages.rules import Found
from understudy.wire.errors import InvalidRequestError

_FIELDS: Final = ("compaction", "container", "fallback_credit_token", "mcp_servers")


def check_built(request: dict[str, Any], found: Found) -> None:
    """Refuse what is not built. Called with a request that keeps all rules."""
    if request.get("thread"):
        # The official SDKs' tool runners ask for a thread by default, and go on without one after this very code.
        raise InvalidRequestError(
            "thread: this server does not support `thread` yet.",
            details={"error_code": "thread_unsupported_request"},
        )
    for name in _FIELDS:
        if request.get(name):
            raise InvalidRequestError(f"{name}: this server does not support `{name}` yet.")
    if found.server_tool is not None:
        path, kind = found.server_tool
        raise InvalidRequestError(f"{path}: this server does not support tools of type `{kind}` yet.")
    if found.container_upload is not None:
        raise InvalidRequestError(f"{found.container_upload}: this server does not support `container_upload` yet.")
    management = request.get("context_management")
    if management:
        for index, edit in enumerate(cast("list[dict[str, Any]]", management.get("edits") or ())):
            if edit["type"].startswith("compact_"):
                raise InvalidRequestError(
                    f"context_management.edits.{index}: this server does not support edits of type `{edit['type']}` "
                    "yet."
                )
