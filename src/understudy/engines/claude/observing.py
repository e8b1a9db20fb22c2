"""What is read of an answer while it passes: what is billed and logged of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

# No prompt and no answer is as long; what is larger would fit into no column of figures.
_MOST: Final = 1 << 40
# Ten rounds of tools with advice in each are far fewer.
_MOST_ITERATIONS: Final = 200


class Iteration(NamedTuple):
    """One call of a model among those that an answer took: an entry of `usage.iterations`, whose `kind` is its type.
    Without a `model` it is the one that was asked for."""

    kind: str
    model: str | None
    input_tokens: int
    cache_creation_5m_input_tokens: int
    cache_creation_1h_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int


@dataclass(slots=True)
class Observed:
    """Figures of an answer as far as it has come. Counts are tokens; what an upstream does not say stays as it is."""

    message_id: str | None = None
    stop_reason: str | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    input_tokens: int | None = None
    cache_creation_5m_input_tokens: int = 0
    cache_creation_1h_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int | None = None
    speed: str | None = None
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    iterations: tuple[Iteration, ...] = ()

    def message(self, message: dict[str, Any]) -> None:
        """A message: a whole one, or that of message_start."""
        self.message_id = _text(message.get("id"))
        self.stop_reason = _text(message.get("stop_reason"))
        self.usage(message.get("usage"))

    def delta(self, event: dict[str, Any]) -> None:
        """A message_delta. Its usage is cumulative."""
        delta = event.get("delta")
        if isinstance(delta, dict):
            reason = _text(cast("dict[str, Any]", delta).get("stop_reason"))
            if reason is not None:
                self.stop_reason = reason
        self.usage(event.get("usage"))

    def usage(self, value: object) -> None:
        if not isinstance(value, dict):
            return
        usage = cast("dict[str, Any]", value)
        count = count_of(usage.get("input_tokens"))
        if count is not None:
            self.input_tokens = count
        count = count_of(usage.get("output_tokens"))
        if count is not None:
            self.output_tokens = count
        count = count_of(usage.get("cache_read_input_tokens"))
        if count is not None:
            self.cache_read_input_tokens = count
        written = count_of(usage.get("cache_creation_input_tokens"))
        if written is not None:
            self._written(written, usage.get("cache_creation"))
        self.service_tier = _text(usage.get("service_tier")) or self.service_tier
        self.inference_geo = _text(usage.get("inference_geo")) or self.inference_geo
        self.speed = _text(usage.get("speed")) or self.speed
        used = usage.get("server_tool_use")
        if isinstance(used, dict):
            tools = cast("dict[str, Any]", used)
            self.web_search_requests = count_of(tools.get("web_search_requests")) or 0
            self.web_fetch_requests = count_of(tools.get("web_fetch_requests")) or 0

        listed = usage.get("iterations")
        if isinstance(listed, list):
            entries = cast("list[object]", listed)[:_MOST_ITERATIONS]
            self.iterations = tuple(_iteration(cast("dict[str, Any]", one)) for one in entries if isinstance(one, dict))

    def _written(self, written: int, split: object) -> None:
        hour = self.cache_creation_1h_input_tokens
        if isinstance(split, dict):
            hour = count_of(cast("dict[str, Any]", split).get("ephemeral_1h_input_tokens")) or 0
        # A message_delta has the sum alone.
        self.cache_creation_1h_input_tokens = min(hour, written)
        self.cache_creation_5m_input_tokens = written - self.cache_creation_1h_input_tokens


def _iteration(entry: dict[str, Any]) -> Iteration:
    own = Observed()
    own.usage({name: value for name, value in entry.items() if name != "iterations"})
    return Iteration(
        _text(entry.get("type")) or "",
        _text(entry.get("model")),
        own.input_tokens or 0,
        own.cache_creation_5m_input_tokens,
        own.cache_creation_1h_input_tokens,
        own.cache_read_input_tokens,
        own.output_tokens or 0,
    )


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) else None


def count_of(value: object) -> int | None:
    """An upstream's number of tokens; one that cannot be is none."""
    return value if type(value) is int and 0 <= value < _MOST else None
