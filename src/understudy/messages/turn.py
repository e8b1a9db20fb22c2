"""One answer: what an engine yields becomes the events of a Claude stream.

Streaming, whole answers and every later flavour take their events from here, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from understudy.engines.engine import EngineEvent, EngineTurn, TextDelta
from understudy.engines.routing import Route
from understudy.http.record import RequestRecord
from understudy.messages.fold import Fold
from understudy.messages.stops import StopCutter
from understudy.wire.errors import InternalError
from understudy.wire.ids import new_id

# Headers that make the answer say which context edits were applied, and list its model calls (recorded answers).
_CONTEXT_MANAGEMENT: Final = frozenset({"context-management-2025-06-27", "compact-2026-01-12", "compact-2026-09-04"})
_ITERATIONS: Final = frozenset({"advisor-tool-2026-03-01", "compact-2026-01-12"})

Events = list[dict[str, Any]]


@dataclass(slots=True)
class Turn:
    """A validated request on its way to its engine. `record` takes the figures that are billed and logged."""

    request: dict[str, Any]
    route: Route
    input_tokens: int
    betas: tuple[str, ...]
    record: RequestRecord


def counts_thinking(turn: Turn) -> bool:
    """Whether the answer's usage names thinking tokens."""
    thinking = turn.request.get("thinking")
    if thinking is None:
        return turn.route.model.counts_thinking_by_default
    return thinking["type"] in {"enabled", "adaptive", "between_tools"}


def _input_usage(turn: Turn) -> dict[str, int]:
    return {
        "input_tokens": turn.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }


def _iterations(turn: Turn, output_tokens: int) -> list[dict[str, Any]]:
    return [
        {
            "input_tokens": turn.input_tokens,
            "output_tokens": output_tokens,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "type": "message",
        }
    ]


def _message_start(turn: Turn) -> dict[str, Any]:
    geo = turn.request.get("inference_geo") or ("global" if turn.route.model.inference_geo else "not_available")
    message: dict[str, Any] = {
        "model": turn.route.model.id,
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "content": [],
        "container": None,
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            **_input_usage(turn),
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1,
            "service_tier": "standard",
            "inference_geo": geo,
        },
        "diagnostics": None,
    }
    record = turn.record
    record.message_id = message["id"]
    record.input_tokens = turn.input_tokens
    record.service_tier = "standard"
    record.inference_geo = geo
    return {"type": "message_start", "message": message}


def _message_delta(turn: Turn, stop_reason: str, stop_sequence: str | None, output_tokens: int) -> dict[str, Any]:
    usage: dict[str, Any] = {**_input_usage(turn), "output_tokens": output_tokens}
    if counts_thinking(turn):
        usage["output_tokens_details"] = {"thinking_tokens": 0}
    if not _ITERATIONS.isdisjoint(turn.betas):
        usage["iterations"] = _iterations(turn, output_tokens)
    event: dict[str, Any] = {
        "type": "message_delta",
        "delta": {
            "stop_reason": stop_reason,
            "stop_sequence": stop_sequence,
            "stop_details": None,
            "container": None,
        },
        "usage": usage,
    }
    if not _CONTEXT_MANAGEMENT.isdisjoint(turn.betas):
        event["context_management"] = {"applied_edits": []}
    return event


class _Answer:
    """Builds the events of one answer from what the engine yields."""

    __slots__ = ("_cutter", "_open", "_output_tokens", "_turn", "ended", "stop_sequences")

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.stop_sequences: list[str] = turn.request.get("stop_sequences") or []
        self._cutter = StopCutter(self.stop_sequences) if self.stop_sequences else None
        self._output_tokens = 0
        self._open = False
        self.ended = False

    def feed(self, batch: list[EngineEvent]) -> Events:
        """The events that `batch` gives rise to; the last ones of the message once `ended` is set."""
        events: Events = []
        for event in batch:
            if isinstance(event, TextDelta):
                self._output_tokens += event.tokens
                text, matched = self._cutter.feed(event.text) if self._cutter else (event.text, None)
                if text:
                    self._add_text(events, text)
                if matched is not None:
                    self._end(events, "stop_sequence", matched)
                    break
            else:
                rest = self._cutter.rest() if self._cutter else ""
                if rest:
                    self._add_text(events, rest)
                self._output_tokens = event.output_tokens
                self._end(events, event.reason, None)
                break
        self._turn.record.output_tokens = self._output_tokens
        return events

    def _add_text(self, events: Events, text: str) -> None:
        if not self._open:
            self._open = True
            start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            events += (start, {"type": "ping"})
        delta = {"type": "text_delta", "text": text}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})

    def _end(self, events: Events, reason: str, stop_sequence: str | None) -> None:
        self.ended = True
        if self._open:
            events.append({"type": "content_block_stop", "index": 0})
        events.append(_message_delta(self._turn, reason, stop_sequence, self._output_tokens))
        events.append({"type": "message_stop"})
        self._turn.record.stop_reason = reason


def _engine_turn(turn: Turn, stop_sequences: list[str]) -> EngineTurn:
    return EngineTurn(
        model=turn.route.target,
        request=turn.request,
        max_tokens=turn.request["max_tokens"],
        input_tokens=turn.input_tokens,
        # Usage counts up to the piece in which a stop sequence ended, so that piece must be the same either way.
        whole=not turn.request.get("stream") and not stop_sequences,
        stop_sequences=stop_sequences,
    )


async def stream_turn(turn: Turn) -> AsyncGenerator[Events, None]:
    """The events of the answer, in batches of what is ready together. Closing it stops the engine.

    The first batch is `message_start` alone and comes at the engine's first sign of progress; what the engine raises
    before that is raised before any event.
    """
    answer = _Answer(turn)
    started = False
    async with aclosing(turn.route.engine.run(_engine_turn(turn, answer.stop_sequences))) as batches:
        async for batch in batches:
            if not started:
                started = True
                yield [_message_start(turn)]
            events = answer.feed(batch)
            if events:
                yield events
            if answer.ended:
                return
    raise InternalError


async def complete_turn(turn: Turn) -> dict[str, Any]:
    """The whole answer: the fold of the same events."""
    answer = _Answer(turn)
    folded = Fold()
    async with aclosing(turn.route.engine.run(_engine_turn(turn, answer.stop_sequences))) as batches:
        async for batch in batches:
            if not folded.message:
                folded.add(_message_start(turn))
            folded.add_all(answer.feed(batch))
            if answer.ended:
                return folded.message
    raise InternalError
