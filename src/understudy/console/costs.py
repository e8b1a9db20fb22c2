"""/_understudy/console/cost: what a message cost by its usage, for the Workbench."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, NotRequired

from pydantic import Field
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from understudy.console.callers import SessionCallers
from understudy.console.endpoints import PATH as CONSOLE
from understudy.console.serving import route
from understudy.engines.claude import Iteration, Observed
from understudy.http.exchange import Exchange
from understudy.organization.bodies import STRICT, Printable, Shape, read_body
from understudy.usage.money import plain
from understudy.usage.prices import Pricing

PATH: Final = CONSOLE + "/cost"

_Word = Annotated[Printable, Field(max_length=256)]
# Calls that are in none of the numbers beside `iterations`, whichever model was asked (messages/compacting.py).
_APART: Final = ("compaction", "advisor_message")


class _CostParams(TypedDict):
    """`usage` is the message's, of which only what has a price is looked at."""

    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    model: _Word
    usage: dict[str, Any]
    service_tier: NotRequired[_Word | None]
    inference_geo: NotRequired[_Word | None]
    speed: NotRequired[_Word | None]


_PARAMS: Final = Shape(_CostParams)


class CostEndpoint:
    """`clock`: seconds since the epoch."""

    def __init__(self, pricing: Pricing, callers: SessionCallers, clock: Callable[[], float]) -> None:
        self._pricing = pricing
        self._callers = callers
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        return [route(PATH, "POST", self.cost)]

    async def cost(self, exchange: Exchange) -> None:
        """POST …/cost: US dollars at the prices of now, summaries and calls of other models included."""
        await self._callers.require(exchange)
        params = await read_body(exchange, _PARAMS)
        asked = params["model"]
        message = Observed()
        message.usage(params["usage"])
        nano = self._of(asked, message, params, message.web_search_requests)
        for call in message.iterations:
            model = asked if call.model is None else call.model
            if call.kind in _APART or model != asked:
                nano += self._of(model, call, params)
        await exchange.respond_json({"type": "cost", "amount": plain(nano), "currency": "USD"})

    def _of(self, model: str, used: Observed | Iteration, params: _CostParams, web_search_requests: int = 0) -> int:
        return self._pricing.costs(
            model,
            self._clock(),
            input_tokens=used.input_tokens or 0,
            cache_creation_5m_input_tokens=used.cache_creation_5m_input_tokens,
            cache_creation_1h_input_tokens=used.cache_creation_1h_input_tokens,
            cache_read_input_tokens=used.cache_read_input_tokens,
            output_tokens=used.output_tokens or 0,
            web_search_requests=web_search_requests,
            service_tier=params.get("service_tier"),
            inference_geo=params.get("inference_geo"),
            speed=params.get("speed"),
        ).total
