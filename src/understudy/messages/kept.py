"""Requests of the Messages API that came over no connection: those of a batch, and those that another one makes."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import Any, Final

import orjson

from understudy.engines.engine import Background
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.http.protocol import RESPOND
from understudy.http.record import RequestRecord
from understudy.wire.versions import unknown_betas

# Nobody is there who could go away, and nothing is sent.
_SCOPE: Final[dict[str, Any]] = {"type": "http", "query_string": b"", RESPOND: None}
_NO_PARAMS: Final = MappingProxyType[str, str]({})


class KeptExchange(Exchange):
    """A request without a connection. Its answer, or the error that a Claude upstream answered with, is kept in
    `answer`; all other errors are raised, as they always are.

    `betas` are those that it was sent with. With a `background` it takes places at engines only when nobody else wants
    them, and that says whether it waits for one.
    """

    __slots__ = ("answer", "answer_headers", "background")

    def __init__(
        self,
        principal: Principal,
        version: str,
        betas: tuple[str, ...],
        record: RequestRecord,
        headers: dict[bytes, bytes],
        background: Background | None,
    ) -> None:
        """`headers`: what an upstream would be passed, `anthropic-version` and `anthropic-beta`."""
        self._began = time.perf_counter()
        self.scope = _SCOPE
        self.headers = headers
        self.request_id = record.request_id
        self.principal = principal
        self.version = version
        self.betas = betas
        self.unknown_betas = ()
        if betas:
            self.unknown_betas = unknown_betas(betas)
            self.betas = tuple(beta for beta in betas if beta not in self.unknown_betas)
        self.path_params = _NO_PARAMS
        self.framing = None
        self.translated = None
        self.cors = False
        self.started = False
        self.disconnected = False
        self.record = record
        self.background = background
        self.answer: dict[str, Any] | None = None
        self.answer_headers: list[tuple[bytes, bytes]] = []

    async def respond(
        self, status: int, body: bytes, content_type: bytes, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        await self.respond_json(orjson.loads(body), status, headers)

    async def respond_json(
        self, value: Any, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        self.started = True
        self.record.status = status
        self.answer, self.answer_headers = value, headers or []
