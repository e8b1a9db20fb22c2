"""The Engine protocol: a validated turn goes in, batches of small events come out.

An engine knows nothing of keys, limits, storage or the wire's framing. It yields *lists* of events: what became ready
together travels together, so that a fast engine costs a few writes and a slow one is flushed token by token.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

StopReason: TypeAlias = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]


@dataclass(slots=True, frozen=True)
class EngineModel:
    """Where a public model id leads: the engine and the name the engine knows the model by."""

    id: str
    engine: str
    upstream: str


@dataclass(slots=True)
class EngineTurn:
    """One call of a model.

    `request` is the Messages request as it was validated (never changed by an engine). `max_tokens` counts tokens,
    `input_tokens` is the count of the whole prompt. `whole`: nobody sees the pieces of the answer, so it may come in as
    few of them as is convenient.
    """

    model: EngineModel
    request: dict[str, Any]
    max_tokens: int
    input_tokens: int
    whole: bool = False
    stop_sequences: list[str] = field(default_factory=list[str])


@dataclass(slots=True, frozen=True)
class TextDelta:
    """A piece of the answer's text. `tokens` is how many output tokens it is made of."""

    text: str
    tokens: int


@dataclass(slots=True, frozen=True)
class Stop:
    """The end of the answer, as the engine saw it. `output_tokens` counts all it produced."""

    reason: StopReason
    output_tokens: int


EngineEvent: TypeAlias = TextDelta | Stop


class Engine(Protocol):
    name: str

    def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        """Answer `turn`. The first batch, which may be empty, is the sign that work on it has begun.

        Closing the generator (`aclose`) stops the work within 200 ms. Raises ApiError for what goes wrong.
        """
        ...
