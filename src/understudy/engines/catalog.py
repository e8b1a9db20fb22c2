"""The public Claude models: what each is, can do, allows and costs, as data with its sources (catalog.json).

Every rule about a model reads a field of `Model`; nothing else asks for a model's name. A figure that nobody published
is marked as guessed in catalog.json, next to its source's date.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import orjson

_DATA = Path(__file__).with_name("catalog.json")

Lifecycle: TypeAlias = Literal["active", "deprecated", "retired"]
Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]
ThinkingType: TypeAlias = Literal["enabled", "adaptive", "disabled", "between_tools"]
ContextEdit: TypeAlias = Literal["clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112"]
ServerTool: TypeAlias = Literal["web_search", "code_execution"]
Sampling: TypeAlias = Literal["free", "exclusive", "deprecated"]

EFFORTS: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")
THINKING_TYPES: tuple[ThinkingType, ...] = ("enabled", "adaptive", "disabled", "between_tools")
CONTEXT_EDITS: tuple[ContextEdit, ...] = ("clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112")
SERVER_TOOLS: tuple[ServerTool, ...] = ("web_search", "code_execution")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the Models API says of a model under `capabilities`.

    A tuple holds the members that are supported, in the order of the constants above; an empty one means that the
    capability as a whole is not. `effort` holds the levels, `thinking` the values of `thinking.type` that are taken,
    `context_management` the types of edits, `server_tools` the tools. `code_execution` means that code which the model
    runs may call the request's other tools; the tool itself stands in `server_tools`. `compaction` is the beta's
    top-level parameter.
    """

    batch: bool
    citations: bool
    code_execution: bool
    image_input: bool
    pdf_input: bool
    structured_outputs: bool
    compaction: bool
    context_management: tuple[ContextEdit, ...]
    effort: tuple[Effort, ...]
    thinking: tuple[ThinkingType, ...]
    server_tools: tuple[ServerTool, ...]

    @property
    def thinks(self) -> bool:
        """Whether the model can think at all. One that cannot still takes `disabled`."""
        return any(kind in self.thinking for kind in ("enabled", "adaptive"))


class Rates(NamedTuple):
    """US dollars for a million tokens of each kind."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal


class Price(NamedTuple):
    """What a model costs from `since` until before `until`; None is without an end.

    It holds for all tokens of requests whose prompt, cache reads and writes included, has more than
    `over_prompt_tokens` tokens.
    """

    since: date | None
    until: date | None
    over_prompt_tokens: int
    rates: Rates


# Compared as what it is: there is one object for each model, and its fields are many.
@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What the API promises of a model. Limits are tokens where nothing else is said.

    What it is:
    `created_at`, `deprecated_at`, `retires_at`: RFC 3339, UTC. `lifecycle` is that of the day the catalog was compiled;
    `lifecycle_on` tells a later day's. `allowed_fallback_models`: ids that `fallbacks` may
    name; empty where the parameter is refused. `bedrock_id`, `vertex_id`: its name there.

    How much:
    `max_input_tokens`: the context window; `max_input_tokens_with_context_1m`: the window under the beta
    context-1m-2025-08-07, where that changes it. `max_tokens`: the most that a request may ask for;
    `max_tokens_with_output_128k` under output-128k-2025-02-19 and `batch_max_tokens_with_output_300k` in batches under
    output-300k-2026-03-24. `max_image_bytes`: of one image, as base64. `max_images` and `max_pdf_pages`: of a request.
    `min_cacheable_tokens`: a shorter prefix is silently not cached.
    `tool_prompt_tokens` and `forced_tool_prompt_tokens`: of the hidden prompt that declaring tools adds, under
    tool_choice auto or none, and any or tool.

    What a request may say:
    `prefill`: the conversation may end with an assistant message. `blank_text`: a text may be white space alone.
    `sampling`: of temperature, top_p and top_k — "free" takes all, "exclusive" not temperature and top_p together,
    "deprecated" no value but the default.
    `forced_tool_choice`: tool_choice any and tool are taken. `mid_conversation_system`: takes `system` messages after
    the first. `inference_geo`: the parameter is taken, and usage names a place ("global"), not "not_available".
    `fast_mode`: `speed: "fast"` is taken. `default_effort`: None where effort is not supported.
    `extended_thinking_advised`: the text that refuses thinking disabled names `enabled` and a budget, as it did for the
    first models that always think. `thinks_by_default`: a request without `thinking` is answered as adaptive.
    `disabled_thinking_max_effort`: the highest effort beside thinking disabled or between_tools; None where there is no
    such bound.
    `shows_thinking_by_default`: `display` is summarized, not omitted, when the request does not say.
    `keeps_thinking`: the thinking of all turns stays in the prompt unless a request says otherwise; else that of the
    last turn alone.
    `counts_thinking_by_default`: usage names thinking tokens also when the request does not mention thinking.
    `stops_at_context_window`: prompt and max_tokens together may exceed the window; the answer then stops with
    model_context_window_exceeded, where older models refuse the request. `refused_tools`: types of tools that this
    model does not take though others of its age do.

    `guessed`: names of the fields above that are no published figures but taken from the nearest relative.
    """

    id: str
    aliases: tuple[str, ...]
    display_name: str
    line: str | None
    created_at: str
    lifecycle: Lifecycle
    deprecated_at: str | None
    retires_at: str | None
    allowed_fallback_models: tuple[str, ...]
    bedrock_id: str | None
    vertex_id: str | None

    max_input_tokens: int
    max_input_tokens_with_context_1m: int | None
    max_tokens: int
    max_tokens_with_output_128k: int | None
    batch_max_tokens_with_output_300k: int | None
    max_image_bytes: int
    max_images: int
    max_pdf_pages: int
    min_cacheable_tokens: int
    tool_prompt_tokens: int
    forced_tool_prompt_tokens: int

    prefill: bool
    blank_text: bool
    sampling: Sampling
    forced_tool_choice: bool
    mid_conversation_system: bool
    inference_geo: bool
    fast_mode: bool
    default_effort: Effort | None
    extended_thinking_advised: bool
    thinks_by_default: bool
    disabled_thinking_max_effort: Effort | None
    shows_thinking_by_default: bool
    keeps_thinking: bool
    counts_thinking_by_default: bool
    stops_at_context_window: bool
    refused_tools: tuple[str, ...]

    capabilities: Capabilities
    prices: tuple[Price, ...]
    fast_prices: tuple[Price, ...]
    guessed: tuple[str, ...]

    def lifecycle_on(self, day: date) -> Lifecycle:
        """The lifecycle on a day, by the dates that are known. What the catalog calls retired stays so on any day."""
        if self.retires_at is not None and self.retires_at[:10] <= day.isoformat():
            return "retired"
        return self.lifecycle

    def price(self, on: date, prompt_tokens: int, *, fast: bool = False) -> Price | None:
        """The price that holds for a prompt of that length on that day; None where none is known."""
        return next(
            (
                price
                for price in (self.fast_prices if fast else self.prices)
                if (price.since is None or price.since <= on)
                and (price.until is None or on < price.until)
                and prompt_tokens > price.over_prompt_tokens
            ),
            None,
        )


class Charges(NamedTuple):
    """What holds for all models. Multipliers apply to each rate; the rest is US dollars, hours and minutes."""

    batch_multiplier: Decimal
    inference_geo_us_multiplier: Decimal
    web_search_per_1000: Decimal
    code_execution_container_hour: Decimal
    code_execution_free_hours_per_month: int
    code_execution_min_minutes: int


_NAMES_OF_MEMBERS = ("context_management", "effort", "thinking", "server_tools")


def _capabilities(row: dict[str, Any]) -> Capabilities:
    members: dict[str, Any] = {name: tuple(row[name]) for name in _NAMES_OF_MEMBERS}
    return Capabilities(**{**row, **members})


def _day(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)


def _price(row: dict[str, Any]) -> Price:
    rates = Rates(**{name: Decimal(str(value)) for name, value in row["rates"].items()})
    return Price(_day(row.get("since")), _day(row.get("until")), row.get("over_prompt_tokens", 0), rates)


def _model(row: dict[str, Any]) -> Model:
    fields: dict[str, Any] = {**row["identity"], **row["limits"], **row["rules"]}
    for name in ("aliases", "allowed_fallback_models", "refused_tools"):
        fields[name] = tuple(fields[name])
    return Model(
        **fields,
        id=row["id"],
        capabilities=_capabilities(row["capabilities"]),
        prices=tuple(map(_price, row["prices"])),
        fast_prices=tuple(map(_price, row.get("fast_prices", ()))),
        guessed=tuple(row["guessed"]),
    )


@lru_cache(maxsize=1)
def _contents() -> tuple[tuple[Model, ...], Charges]:
    data = cast("dict[str, Any]", orjson.loads(_DATA.read_bytes()))
    figures: dict[str, Any] = {
        name: value if isinstance(value, int) else Decimal(str(value)) for name, value in data["charges"].items()
    }
    return tuple(map(_model, data["models"])), Charges(**figures)


def public_models() -> tuple[Model, ...]:
    """Every public Claude model, retired ones too, newest first."""
    return _contents()[0]


def charges() -> Charges:
    """Multipliers, and the prices of server tools."""
    return _contents()[1]


def configured_model(name: str) -> Model:
    """A model that only this installation knows: the newest generation's limits, and nothing that any model takes is
    refused. Its release date is unknown, for which the API has the epoch."""
    return Model(
        id=name,
        aliases=(),
        display_name=name,
        line=None,
        created_at="1970-01-01T00:00:00Z",
        lifecycle="active",
        deprecated_at=None,
        retires_at=None,
        allowed_fallback_models=(),
        bedrock_id=None,
        vertex_id=None,
        max_input_tokens=1_000_000,
        max_input_tokens_with_context_1m=None,
        max_tokens=128_000,
        max_tokens_with_output_128k=None,
        batch_max_tokens_with_output_300k=300_000,
        max_image_bytes=10 * 1024 * 1024,
        max_images=600,
        max_pdf_pages=600,
        min_cacheable_tokens=512,
        tool_prompt_tokens=286,
        forced_tool_prompt_tokens=406,
        prefill=True,
        blank_text=True,
        sampling="free",
        forced_tool_choice=True,
        mid_conversation_system=True,
        inference_geo=True,
        fast_mode=False,
        default_effort="high",
        extended_thinking_advised=False,
        thinks_by_default=False,
        disabled_thinking_max_effort=None,
        shows_thinking_by_default=True,
        keeps_thinking=True,
        counts_thinking_by_default=False,
        stops_at_context_window=True,
        refused_tools=(),
        capabilities=Capabilities(
            batch=True,
            citations=True,
            code_execution=True,
            image_input=True,
            pdf_input=True,
            structured_outputs=True,
            compaction=True,
            context_management=CONTEXT_EDITS,
            effort=EFFORTS,
            thinking=THINKING_TYPES,
            server_tools=SERVER_TOOLS,
        ),
        prices=(),
        fast_prices=(),
        guessed=(),
    )


class Catalog:
    """Finds a model by id or alias."""

    def __init__(self, further_names: Iterable[str] = ()) -> None:
        self._by_name: dict[str, Model] = {}
        for model in (*public_models(), *(configured_model(name) for name in further_names)):
            for name in (model.id, *model.aliases):
                self._by_name.setdefault(name, model)

    def find(self, name: str) -> Model | None:
        return self._by_name.get(name)

    def names(self) -> frozenset[str]:
        """All ids and aliases."""
        return frozenset(self._by_name)

    def models(self) -> tuple[Model, ...]:
        """Each model once, newest first."""
        models = dict.fromkeys(model for name, model in self._by_name.items() if name == model.id)
        # The sort is stable: of two that came on one day the catalog's order tells.
        return tuple(sorted(models, key=lambda model: model.created_at, reverse=True))
