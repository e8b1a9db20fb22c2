"""What a request costs: the catalog's prices of its day, its prompt's length, its tier, its place and its speed.

Sources: the pricing page (2026-10): a band holds for all tokens of a request; a batch halves and inference in the US
adds a tenth to every token rate; web searches are charged one by one, without multipliers; a refusal that produced
nothing is free.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from understudy.engines.catalog import Price, Rates, charges, public_models
from understudy.usage.money import NANO

MOST_TOKENS: Final = (1 << 31) - 1
"""More than any request has. What an upstream reports beyond counts as this, so that sums stay within 64 bits."""

LONG_CONTEXT: Final = 200_000
"""A prompt of more tokens is of the context window `200k-1M`."""

_FEMTO: Final = 10**15
_FEMTO_PER_NANO: Final = _FEMTO // NANO
_HALF_NANO: Final = _FEMTO_PER_NANO // 2
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY: Final = 86_400
_MOST_RATES: Final = 4_096

# Of one token of each kind, in femto-dollars, in the order of Costs; and the prompt that they hold beyond.
_Band: TypeAlias = tuple[int, tuple[int, int, int, int, int]]

# What decides about rates: the model, the day since the epoch, and whether batch, US and fast.
_Kind: TypeAlias = tuple[str, float, bool, bool, bool]


class Costs(NamedTuple):
    """What a request costs, in nano-dollars, by what it is charged for. Each is rounded once, half up."""

    input: int = 0
    cache_creation_5m: int = 0
    cache_creation_1h: int = 0
    cache_read: int = 0
    output: int = 0
    web_search: int = 0

    @property
    def total(self) -> int:
        return sum(self)


NOTHING: Final = Costs()


def context_window(prompt_tokens: int) -> str:
    """The context window that usage of a prompt is reported under."""
    return "200k-1M" if prompt_tokens > LONG_CONTEXT else "0-200k"


def rates(
    input: Decimal,
    output: Decimal,
    cache_write_5m: Decimal | None = None,
    cache_write_1h: Decimal | None = None,
    cache_read: Decimal | None = None,
) -> Rates:
    """Dollars for a million tokens; what is not said of the cache follows from the input: 1.25, 2 and 0.1 times."""
    return Rates(
        input=input,
        output=output,
        cache_write_5m=input * Decimal("1.25") if cache_write_5m is None else cache_write_5m,
        cache_write_1h=input * 2 if cache_write_1h is None else cache_write_1h,
        cache_read=input / 10 if cache_read is None else cache_read,
    )


class Pricing:
    """`configured`: rates of this installation's own, by model id; they stand before the catalog's. A model that
    neither has costs nothing."""

    def __init__(self, configured: Mapping[str, Rates] | None = None) -> None:
        self._configured = dict(configured or {})
        self._models = {model.id: model for model in public_models()}
        self._charges = charges()
        self._web_search = int(self._charges.web_search_per_1000 * NANO / 1000)
        self._bands: dict[_Kind, tuple[_Band, ...]] = {}

    def costs(
        self,
        model: str,
        received_at: float,
        *,
        input_tokens: int = 0,
        cache_creation_5m_input_tokens: int = 0,
        cache_creation_1h_input_tokens: int = 0,
        cache_read_input_tokens: int = 0,
        output_tokens: int = 0,
        web_search_requests: int = 0,
        service_tier: str | None = None,
        inference_geo: str | None = None,
        speed: str | None = None,
    ) -> Costs:
        """What a request to `model` (an id, not an alias) costs that came at `received_at`, in seconds."""
        fresh, short, long = input_tokens, cache_creation_5m_input_tokens, cache_creation_1h_input_tokens
        read, output = cache_read_input_tokens, output_tokens
        # The most is all ones in binary: one look at all of them says whether any is below nought or above it.
        if not 0 <= fresh | short | long | read | output <= MOST_TOKENS:
            fresh, short, long, read, output = map(saturated, (fresh, short, long, read, output))
        key = (model, received_at // _DAY, service_tier == "batch", inference_geo == "us", speed == "fast")
        bands = self._bands.get(key)
        if bands is None:
            bands = self._remember(key)
        prompt = fresh + short + long + read
        searches = saturated(web_search_requests) * self._web_search if web_search_requests else 0
        for over, (of_fresh, of_short, of_long, of_read, of_output) in bands:
            if prompt > over or not over:
                return Costs(
                    (fresh * of_fresh + _HALF_NANO) // _FEMTO_PER_NANO,
                    (short * of_short + _HALF_NANO) // _FEMTO_PER_NANO if short else 0,
                    (long * of_long + _HALF_NANO) // _FEMTO_PER_NANO if long else 0,
                    (read * of_read + _HALF_NANO) // _FEMTO_PER_NANO if read else 0,
                    (output * of_output + _HALF_NANO) // _FEMTO_PER_NANO,
                    searches,
                )
        return Costs(web_search=searches)

    def _remember(self, key: _Kind) -> tuple[_Band, ...]:
        if len(self._bands) >= _MOST_RATES:
            self._bands.clear()
        found = self._bands[key] = self._bands_of(*key)
        return found

    def _bands_of(self, model: str, day: float, batch: bool, us: bool, fast: bool) -> tuple[_Band, ...]:
        factor = Decimal(1)
        if batch:
            factor *= self._charges.batch_multiplier
        if us:
            factor *= self._charges.inference_geo_us_multiplier
        return tuple(
            (price.over_prompt_tokens, _femto(price.rates, factor))
            for price in self._prices(model, int(day), fast=fast)
        )

    def _prices(self, name: str, day: int, *, fast: bool) -> list[Price]:
        """Those of the day, the longest prompts' first. Fast mode without a price of its own costs the usual one."""
        own = self._configured.get(name)
        if own is not None:
            return [Price(None, None, 0, own)]
        model = self._models.get(name)
        if model is None:
            return []
        on = date.fromordinal(max(1, min(_EPOCH + day, date.max.toordinal())))
        prices = model.fast_prices if fast and model.fast_prices else model.prices
        of_day = [
            price
            for price in prices
            if (price.since is None or price.since <= on) and (price.until is None or on < price.until)
        ]
        return sorted(of_day, key=lambda price: -price.over_prompt_tokens)


def saturated(count: int) -> int:
    """A count as it may be charged: never negative, and never more than any request has."""
    return count if 0 <= count <= MOST_TOKENS else max(0, min(count, MOST_TOKENS))


def _femto(of: Rates, factor: Decimal) -> tuple[int, int, int, int, int]:
    # Dollars for a million tokens are a thousand million femto-dollars for one.
    def one(rate: Decimal) -> int:
        return int((rate * factor * 1_000_000_000).to_integral_value("ROUND_HALF_UP"))

    return (one(of.input), one(of.cache_write_5m), one(of.cache_write_1h), one(of.cache_read), one(of.output))


CATALOG_PRICES: Final = Pricing()
"""The catalog's prices and no others."""
