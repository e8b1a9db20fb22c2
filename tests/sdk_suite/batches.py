"""The Message Batches API, stable and beta."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from .rewriting import Request
from .table import DROP, Made, Resource, Rewrite

_PATH = "/v1/messages/batches"
_PARAMS = {"model": "claude-opus-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
# Enough to run until it is asked to be canceled.
_LONG = 3_000


class _Batches:
    """One that there is for all tests, and others at the moment when a test asks to end or to delete one."""

    def __init__(self) -> None:
        self._connection: dict[str, Any] = {}

    async def prepare(self, client: httpx.AsyncClient) -> Mapping[str, str]:
        self._connection = {"base_url": client.base_url, "headers": client.headers, "trust_env": False, "timeout": 60}
        return {"batch_id": self._made(1)}

    def _made(self, count: int) -> str:
        requests = [{"custom_id": f"r{place}", "params": _PARAMS} for place in range(count)]
        with httpx.Client(**self._connection) as client:
            return client.post(_PATH, json={"requests": requests}).raise_for_status().json()["id"]

    def wanted(self, request: Request) -> str | Made:
        if request.path.endswith("/cancel"):
            return self._made(_LONG)
        return self._ended() if request.method == "DELETE" else Made("batch_id")

    def _ended(self) -> str:
        batch_id = self._made(1)
        deadline = time.monotonic() + 30
        with httpx.Client(**self._connection) as client:
            while client.get(f"{_PATH}/{batch_id}").raise_for_status().json()["processing_status"] != "ended":
                assert time.monotonic() < deadline
                time.sleep(0.02)
        return batch_id


_batches = _Batches()

BATCHES = Resource(
    name="batches",
    files=("tests/api_resources/messages/test_batches.py", "tests/api_resources/beta/messages/test_batches.py"),
    routes=(
        ("POST", _PATH),
        ("GET", _PATH),
        ("GET", _PATH + "/{message_batch_id}"),
        ("DELETE", _PATH + "/{message_batch_id}"),
        ("POST", _PATH + "/{message_batch_id}/cancel"),
        ("GET", _PATH + "/{message_batch_id}/results"),
    ),
    rewrites=(
        Rewrite("path", "message_batch_id", "message_batch_id", _batches.wanted, "a batch that may be asked for that"),
        Rewrite("header", "anthropic-beta", "string", "message-batches-2024-09-24", "a beta that there is"),
        Rewrite("query", "after_id", "after_id", DROP, "one cursor at a time, and of a batch that there is"),
        Rewrite("query", "before_id", "before_id", Made("batch_id"), "a batch that there is"),
    ),
    prepare=_batches.prepare,
)
