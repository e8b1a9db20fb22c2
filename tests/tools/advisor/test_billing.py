"""Whose limits and whose prices an advisor's tokens meet."""

from __future__ import annotations

from typing import Any

from asgi import ORGANIZATION, WORKSPACE
from understudy.engines.scenarios.model import Answer
from understudy.http.limiting import Admission, LimitedPart, ServiceTier
from understudy.http.principal import Principal
from understudy.http.record import RequestRecord
from understudy.usage.prices import CATALOG_PRICES
from understudy.usage.rows import costs_of
from understudy.wire.errors import RateLimitError

from .api import ADVISING, CALL, MODEL, AdvisedApi, kinds, result_of

DONE = Answer(text="Done.")


class _Admitted:
    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012
    service_tier: ServiceTier = "standard"
    exceeded: str | None = None

    def __init__(self, ended: list[RequestRecord]) -> None:
        self._ended = ended

    async def produced(self, output_tokens: int) -> None: ...

    async def finish(self, record: RequestRecord) -> None:
        if record not in self._ended:
            self._ended.append(record)


class Watched:
    """Limits that let everything in but what asks for one of `refused`."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.begun: list[tuple[str | None, int]] = []
        self.ended: list[RequestRecord] = []

    def check(self, caller: Principal, kind: LimitedPart = "messages", *, model: str | None = None) -> None: ...

    async def begin(
        self,
        caller: Principal,
        kind: LimitedPart = "messages",
        *,
        model: str | None = None,
        input_tokens: int = 0,
        cache_read_input_tokens: int = 0,
        max_tokens: int = 0,
        fast: bool = False,
        service_tier: str = "auto",
    ) -> Admission:
        if model in self.refused:
            raise RateLimitError
        self.begun.append((model, input_tokens))
        return _Admitted(self.ended)


def scripted(limits: Any) -> AdvisedApi:
    api = AdvisedApi(limits=limits)
    api.executor(CALL, DONE)
    api.advisor(Answer(text="Go on."))
    return api


async def test_the_advisors_call_is_limited_as_a_request_to_its_model() -> None:
    limits = Watched()
    message = await scripted(limits).ask()
    advice = message["usage"]["iterations"][1]
    assert [model for model, _ in limits.begun] == [MODEL, ADVISING]
    assert limits.begun[1][1] == advice["input_tokens"]
    assert [record.model for record in limits.ended] == [ADVISING, MODEL]


async def test_a_rate_limit_of_the_advisor_is_an_error_of_the_tool_alone() -> None:
    message = await scripted(Watched(ADVISING)).ask()
    assert result_of(message)["error_code"] == "too_many_requests"
    assert kinds(message) == [("message", None), ("message", None)]


async def test_each_model_is_billed_at_its_own_price() -> None:
    api = scripted(Watched())
    usage = (await api.ask())["usage"]
    (record,) = api.api.records.kept
    (advised,) = record.further
    advice = usage["iterations"][1]
    assert (record.model, record.input_tokens, record.output_tokens) == (
        MODEL,
        usage["input_tokens"],
        usage["output_tokens"],
    )
    assert (advised.model, advised.input_tokens, advised.output_tokens) == (
        ADVISING,
        advice["input_tokens"],
        advice["output_tokens"],
    )
    assert (advised.organization_id, advised.workspace_id, advised.api_key_id) == (
        ORGANIZATION,
        WORKSPACE,
        record.api_key_id,
    )
    assert advised.path == f"/v1/messages/{record.request_id}"
    price = CATALOG_PRICES.costs(
        ADVISING, advised.received_at, input_tokens=advice["input_tokens"], output_tokens=advice["output_tokens"]
    )
    assert costs_of(advised).total == price.total > 0


async def test_what_a_failed_advisor_was_asked_is_recorded_too() -> None:
    api = scripted(Watched(ADVISING))
    await api.ask()
    (advised,) = api.api.records.kept[0].further
    assert (advised.status, advised.error_type, advised.input_tokens) == (429, "rate_limit_error", None)
