"""Abuse case 31: each part of the API has its own limiter, which neither bypasses nor starves another's.

A table: each part's room adds its row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from asgi import HEADERS, KEY, ORGANIZATION, WORKSPACE, Answer, InProcess, Records, today
from limits.limiters import Bench
from understudy.clouds.openai import chat_routes
from understudy.documents.reader import PdfReader
from understudy.engines.routing import Routing
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.http.envelope import ApiRoute, Envelope
from understudy.http.exchange import Exchange
from understudy.http.limiting import LimitedPart
from understudy.http.principal import Principal, WorkspaceGrant
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.preparation import Preparation
from understudy.messages.signatures import Signer
from understudy.models.endpoints import ModelsEndpoints
from understudy.settings import HttpSettings, SimulatorSettings, StreamSettings

MODEL = "claude-sonnet-4-5-20250929"
_MESSAGE = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


@dataclass(frozen=True)
class Row:
    """A way into the API. `limit`: requests a minute, or what `limiter` says, on Tier 1 of 2026-01. Rows of one part
    share it."""

    part: LimitedPart
    path: str
    limit: int
    body: Any = None
    limiter: str = "requests_per_minute"


ROWS = (
    Row("messages", "/v1/messages", 50, {**_MESSAGE, "max_tokens": 8}),
    Row("messages", "/v1/chat/completions", 50, {**_MESSAGE, "max_tokens": 8}),
    Row("token_count", "/v1/messages/count_tokens", 100, _MESSAGE),
    Row("models", "/v1/models", 100),
    Row("models", f"/v1/models/{MODEL}", 100),
    # What the envelope does for their real routes.
    Row("admin", "/v1/organizations/me", 100),
    Row("invites", "/v1/organizations/invites", 1_200, limiter="requests_per_hour"),
    Row("files", "/v1/files", 100),
    Row("skills", "/v1/skills", 100),
    Row("batch", "/v1/messages/batches", 50),
)
REAL = {"/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens", "/v1/models", f"/v1/models/{MODEL}"}
GIVEN = {**HEADERS, "authorization": f"Bearer {KEY}", "anthropic-workspace-id": WORKSPACE}


def named(value: object) -> str:
    return value.path.removeprefix("/v1/").replace("/", "-") if isinstance(value, Row) else str(value)


async def answer_nothing(exchange: Exchange) -> None:
    await exchange.respond_json({})


class EveryWorkspace:
    """An Authenticator with one key, which works everywhere."""

    async def authenticate(self, secret: str, address: str = "") -> Principal | None:
        if secret != KEY:
            return None
        return Principal(ORGANIZATION, None, "apikey_in_process", workspaces={WORKSPACE: WorkspaceGrant()})


class Api:
    """The routes around a limiter on a clock that stands."""

    def __init__(self, **config: Any) -> None:
        self.bench = Bench(**config)
        self.records = Records()
        limits, http, stream = self.bench.limiter, HttpSettings(), StreamSettings()
        routing = Routing(SimulatorEngine(SimulatorSettings()), ())
        preparation = Preparation(
            Signer([("k", b"s" * 32)]), pdfs=PdfReader(), fetcher=None, clock=self.bench.clock.wall
        )
        messages = MessagesEndpoints(routing, preparation, http, stream, limits=limits)
        models = ModelsEndpoints(routing, today)

        async def nothing() -> None:
            pass

        self.app = Envelope(
            api_routes=[
                ApiRoute("/v1/messages", "POST", messages.create),
                ApiRoute("/v1/messages/count_tokens", "POST", messages.count_tokens),
                ApiRoute("/v1/models", "GET", models.list, limited="models"),
                ApiRoute("/v1/models/{model_id:path}", "GET", models.retrieve, limited="models"),
                *(ApiRoute(row.path, "GET", answer_nothing, limited=row.part) for row in ROWS if row.path not in REAL),
                *chat_routes(routing, messages.create, http, stream),
            ],
            other_routes=[],
            authenticator=EveryWorkspace(),
            request_log=self.records,
            start=nothing,
            stop=nothing,
            limits=limits,
        )

    async def ask(self, row: Row) -> Answer:
        method = "GET" if row.body is None else "POST"
        body = b"" if row.body is None else json.dumps(row.body).encode()
        return await InProcess.call(self, method, row.path, GIVEN, body)  # pyright: ignore[reportArgumentType]

    async def exhaust(self, row: Row) -> int:
        """How many requests are let in before the first that is refused."""
        count = 0
        while (await self.ask(row)).status == 200:
            count += 1
            assert count <= row.limit
        return count


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_abuse_31_each_part_is_limited_by_itself_and_takes_nothing_from_the_others(row: Row) -> None:
    api = Api()
    assert await api.exhaust(row) == row.limit
    refused = api.records.kept[-1]
    assert (refused.status, refused.error_type) == (429, "rate_limit_error")
    assert refused.limit_exceeded == f"organization/{row.limiter} 0/{row.limit}"
    for other in ROWS:
        # Another way to the same part is no way around its limit.
        assert (await api.ask(other)).status == (429 if other.part == row.part else 200), other.path


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_what_is_only_observed_is_answered_and_noted(row: Row) -> None:
    api = Api(mode="observe")
    for _ in range(row.limit):
        assert (await api.ask(row)).status == 200
    assert all(record.limit_exceeded is None for record in api.records.kept)
    assert (await api.ask(row)).status == 200
    assert (api.records.kept[-1].limit_exceeded or "").startswith(f"organization/{row.limiter} ")


async def test_who_is_not_known_uses_up_nothing() -> None:
    api = Api()
    for headers in ({}, {**HEADERS, "x-api-key": "wrong"}, {**GIVEN, "anthropic-version": "2020-01-01"}):
        for _ in range(110):
            answer = await InProcess.call(api, "GET", "/v1/models", headers)  # pyright: ignore[reportArgumentType]
            assert answer.status in {400, 401}
    assert await api.exhaust(ROWS[3]) == 100


async def test_a_refusal_says_when_the_next_one_passes() -> None:
    api = Api()
    await api.exhaust(ROWS[3])
    headers = (await api.ask(ROWS[3])).headers
    assert (headers["retry-after"], headers["x-should-retry"]) == ("1", "true")
    api.bench.clock.wait(1)
    assert (await api.ask(ROWS[3])).status == 200
