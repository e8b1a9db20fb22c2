"""/_understudy/console/cost: what a message cost by its usage, for the Workbench."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, NotRequired, cast

from pydantic import Field
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from understudy.console.callers import SessionCallers
from understudy.console.endpoints import PATH as CONSOLE
from understudy.console.serving import route
from understudy.http.exchange import Exchange
from understudy.organization.bodies import STRICT, Printable, Shape, read_body
from understudy.usage.money import plain
from understudy.usage.prices import Pricing

PATH: Final = CONSOLE + "/cost"

_Word = Annotated[Printable, Field(max_length=256)]
# Calls that are in none of the numbers beside `iterations`, whichever model was asked (messages/compacting.py).
_APART: Final = ("compaction", "advisor_message")
_COUNTS: Final = ("input_tokens", "cache_read_input_tokens", "output_tokens")


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
        usage = params["usage"]
        nano = self._of(params["model"], usage, params)
        iterations: Any = usage.get("iterations")
        for one in iterations if isinstance(iterations, list) else ():  # pyright: ignore[reportUnknownVariableType]
            if not isinstance(one, dict):
                continue
            call = cast("dict[str, Any]", one)
            model = call["model"] if isinstance(call.get("model"), str) else params["model"]
            if call.get("type") in _APART or model != params["model"]:
                nano += self._of(model, call, params)
        await exchange.respond_json({"type": "cost", "amount": plain(nano), "currency": "USD"})

    def _of(self, model: str, usage: dict[str, Any], params: _CostParams) -> int:
        written: Any = usage.get("cache_creation")
        searches: Any = usage.get("server_tool_use")
        long = _count(written, "ephemeral_1h_input_tokens")
        short = _count(written, "ephemeral_5m_input_tokens") or _count(usage, "cache_creation_input_tokens") - long
        counts = {name: _count(usage, name) for name in _COUNTS}
        return self._pricing.costs(
            model,
            self._clock(),
            **counts,
            cache_creation_5m_input_tokens=max(0, short),
            cache_creation_1h_input_tokens=long,
            web_search_requests=_count(searches, "web_search_requests"),
            service_tier=params.get("service_tier"),
            inference_geo=params.get("inference_geo"),
            speed=params.get("speed"),
        ).total


def _count(of: Any, name: str) -> int:
    value = of.get(name) if isinstance(of, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value if isinstance(value, int) and value > 0 else 0
