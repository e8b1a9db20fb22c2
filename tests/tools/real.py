"""Requests to a server that runs code in real containers."""

from __future__ import annotations

from typing import Any

import anthropic

from servers import RunningServer

TOOLS: Any = [{"type": "code_execution_20260521", "name": "code_execution"}]
PYTHON: Any = [{"type": "code_execution_20250522", "name": "code_execution"}]
MODEL = "claude-sonnet-5-5"


def client(server: RunningServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)


def asked(text: str, *blocks: Any) -> Any:
    return [{"role": "user", "content": [{"type": "text", "text": text}, *blocks]}]


def results(message: Any) -> list[Any]:
    """The contents of the results in an answer."""
    return [block.content for block in message.content if block.type.endswith("_result")]
