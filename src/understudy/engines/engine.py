"""The Engine protocol: a validated turn goes in, batches of small events come out.

An engine knows nothing of keys, limits, storage or the wire's framing. It yields *lists* of events: what became ready
together travels together, so that a fast engine costs a few writes and a slow one is flushed token by token.

Blocks open by themselves: a delta of another kind than the open block's ends that one and begins the next. `BlockEnd`
ends it where another of the same kind follows. `tokens` of an event is how many output tokens it is made of.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeGuard

from understudy.engines.materials import NO_MATERIALS, Materials
from understudy.wire.errors import InvalidRequestError, OverloadedError
from understudy.wire.server_tools import ServerFunction

StopReason: TypeAlias = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]


class PromptTooLongError(InvalidRequestError):
    """`answer` is the largest `max_tokens` for which there is room; nought where the prompt alone has none."""

    def __init__(self, message: str, answer: int = 0) -> None:
        super().__init__(message)
        self.answer = answer


class BusyError(OverloadedError):
    """The engine works but has no room now, which says nothing against its health."""


@dataclass(slots=True, frozen=True)
class EngineModel:
    """Where a public model id leads: the engine and the name the engine knows the model by."""

    id: str
    engine: str
    upstream: str


@dataclass(slots=True)
class Background:
    """Marks work that nobody waits for: it takes a place at an engine only when no other request wants it. `waiting`:
    it wants one now; `begun`: it has had one."""

    waiting: bool = False
    begun: bool = False


@dataclass(slots=True)
class EngineTurn:
    """One call of a model.

    `request` is the Messages request as it was validated (never changed by an engine). `max_tokens` counts tokens,
    `input_tokens` is the count of the whole prompt. `whole`: nobody sees the pieces of the answer, so it may come in as
    few of them as is convenient. `thinking`: whether the model may think, and how (`thinking.type`; None where it may
    not). `materials` is what the request's documents and images hold. What an engine keeps of one `tenant`'s prompts no
    other may use. `server_functions` may be called beside the client's tools; their calls name `SERVER` as toolset.
    `goes_on`: `model` has written the answer so far, and if it can shall write the rest.
    `summarizes`: what is asked for, in the last message, is a summary of the conversation; no tool may be called.
    `declined_before`: another model has declined to answer this request, and this one is its fallback.
    """

    model: EngineModel
    request: dict[str, Any]
    max_tokens: int
    input_tokens: int
    whole: bool = False
    stop_sequences: list[str] = field(default_factory=list[str])
    thinking: str | None = None
    materials: Materials = NO_MATERIALS
    tenant: str | None = None
    background: Background | None = None
    server_functions: Sequence[ServerFunction] = ()
    goes_on: bool = False
    summarizes: bool = False
    declined_before: bool = False


# Deltas are not frozen, for making one would take three times as long, and every token is one. Nobody changes them.
@dataclass(slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str
    tokens: int


@dataclass(slots=True)
class ThinkingDelta:
    """A piece of thinking that the client may see."""

    text: str
    tokens: int


@dataclass(slots=True, frozen=True)
class RedactedThinking:
    """A whole block of thinking that the client must not read."""

    text: str
    tokens: int


@dataclass(slots=True, frozen=True)
class ToolUse:
    """The beginning of a call of a client tool. `tokens` is what the call costs beside its input."""

    name: str
    toolset_name: str | None = None
    tokens: int = 0


@dataclass(slots=True)
class InputDelta:
    """A piece of the open call's input, as JSON."""

    partial_json: str
    tokens: int


@dataclass(slots=True, frozen=True)
class Citation:
    """Where the text that follows, up to the end of its block, is taken from. It opens a new block of text.

    `source` is a place in `materials.documents`, in `materials.search_results` or in `materials.web_results`. `part` is
    the page or the content block in it, from 0 (0 for plain text); `start` and `end` are characters in that part.
    """

    kind: Literal["document", "search_result", "web_result"]
    source: int
    part: int
    start: int
    end: int


@dataclass(slots=True, frozen=True)
class BlockEnd:
    """The open block ends here."""


@dataclass(slots=True, frozen=True)
class PromptUsage:
    """The upstream's own count of the prompt, which takes the place of the estimate. Of several the last one counts.

    `input_tokens` are those of the whole prompt, `cache_read_input_tokens` those of them that were not computed again.
    `reused` is given, in the first batch, by an engine whose own memory it was: how much of it is reported as read is
    then for the ledger to say, and `cache_read_input_tokens` says nothing.
    """

    input_tokens: int
    cache_read_input_tokens: int = 0
    reused: int | None = None


@dataclass(slots=True, frozen=True)
class Stop:
    """The end of the answer, as the engine saw it. `output_tokens` counts all it produced.

    `details` is the answer's `stop_details` where the reason is a refusal.
    """

    reason: StopReason
    output_tokens: int
    details: dict[str, Any] | None = None


EngineEvent: TypeAlias = (
    TextDelta | ThinkingDelta | RedactedThinking | ToolUse | InputDelta | Citation | BlockEnd | PromptUsage | Stop
)


class Engine(Protocol):
    name: str

    def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        """Answer `turn`. The first batch, which may be empty, is the sign that work on it has begun.

        Closing the generator (`aclose`) stops the work within 200 ms. Raises ApiError for what goes wrong.
        """
        ...


class Measuring(Protocol):
    """An engine that counts, and remembers what it computed of a prompt."""

    async def count(self, turn: EngineTurn) -> int:
        """As Counting, and always known."""
        ...

    async def offsets(self, turn: EngineTurn, prefixes: Sequence[Mapping[str, Any]]) -> list[int]:
        """How many tokens of the turn's prompt each of `prefixes` is: fields of a request that ends where a breakpoint
        stands, to be laid over the turn's. In the order of the prompt; none is less than the one before."""
        ...


class Counting(Protocol):
    """An engine that knows how many tokens a prompt has for its model."""

    async def count(self, turn: EngineTurn) -> int | None:
        """The tokens of the prompt of such a turn; None where it cannot be told. Raises ApiError as `run` does."""
        ...


# Asked for every request, where isinstance with a protocol would cost microseconds.
def counts(engine: object) -> TypeGuard[Counting]:
    return hasattr(engine, "count")


def measures(engine: object) -> TypeGuard[Measuring]:
    return hasattr(engine, "offsets")
