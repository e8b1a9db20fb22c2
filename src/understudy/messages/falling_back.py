"""A request with `fallbacks`: where a model declines, the next one answers in the same message.

Sources: refusals-and-fallback.md (2026-08); the official SDK's documentation of the `fallback` block and of
`fallback_message` entries (2.12). Only a refusal leads on: errors of the requested model are answered as they are.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeAlias

import structlog

from understudy.http.limiting import Admission
from understudy.http.record import RequestRecord
from understudy.messages.blocks import Events
from understudy.messages.caching import CacheUse
from understudy.messages.credit import repriced
from understudy.messages.fallbacks import Attempt, carried, continued, may_begin
from understudy.messages.fold import Fold
from understudy.messages.turn import Turn, complete_turn, iteration, stream_turn
from understudy.wire.errors import ApiError, InternalError, OverloadedError, RateLimitError
from understudy.wire.ids import new_id

METHOD: Final = "DECLINED"
"""What stands for the method in the records of calls whose model has declined."""

_log = structlog.stdlib.get_logger("understudy.messages")

Prepare: TypeAlias = Callable[[Attempt], Awaitable[Turn]]
Admit: TypeAlias = Callable[[Turn], Awaitable[Admission]]

_Block: TypeAlias = dict[str, Any]

_PING: Final = {"type": "ping"}
_SERVED: Final = "fallback_message"
_RECORDED: Final = tuple(field.name for field in fields(RequestRecord))
# What a record says of the model that answers, and that the next one has none of before it begins.
_OF_ATTEMPT: Final = (
    "stop_reason", "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_5m_input_tokens",
    "cache_creation_1h_input_tokens", "web_search_requests", "web_fetch_requests",
)  # fmt: skip
_UNUSED: Final = {field.name: field.default for field in fields(RequestRecord) if field.name in _OF_ATTEMPT}

# "If the fallback model is rate limited or overloaded, the attempt is not made."
_NO_ROOM: Final = (RateLimitError, OverloadedError)


@dataclass(frozen=True, slots=True)
class _Declined:
    """A model that has declined. `record` is what the request's said then, `entries` are its calls in
    `usage.iterations`. Of a stream, `start` and `end` are its message_start and its message_delta."""

    turn: Turn
    record: RequestRecord
    details: _Block | None
    entries: list[_Block]
    start: _Block
    end: _Block


class FallingBack:
    """The answer to a request with `fallbacks`: by `first` and, where a model declines, by the next of `attempts`.

    `turn` is that of the model that answers, as far as that is known. `prepare` makes the turn of an attempt and
    `admit` lets it in; where either refuses, the model's refusal before stands.
    """

    def __init__(self, first: Turn, attempts: Sequence[Attempt], prepare: Prepare, admit: Admit) -> None:
        self.turn = first
        self._asked_for: str = first.request["model"]
        self._attempts = list(attempts)
        self._prepare = prepare
        self._admit = admit
        self._admissions: list[Admission] = []
        self._declined: list[_Declined] = []
        # Fallback blocks that the client was not sent yet.
        self._marks: list[_Block] = []
        # What the client was sent of models that have declined since, as far as the next model may see it.
        self._carried: list[_Block] = []
        # Whether a model gave way to another whose name the client knows by message_start.
        self._mid_stream = False
        self._recommended: str | None = None

    async def finish(self) -> None:
        """To be called at the end, whatever became of the answer."""
        for admission in self._admissions:
            await admission.finish(self.turn.record)

    # --- whole ---

    async def complete(self) -> _Block:
        """The Message. What a model has said before it declined is not in it."""
        message = await complete_turn(self.turn)
        while message["stop_reason"] == "refusal":
            self._decline(message["usage"], message.get("stop_details"), message, message)
            if not await self._next():
                break
            try:
                message = await complete_turn(self.turn)
            except _NO_ROOM as error:
                if self.turn.record.output_tokens:
                    # It had room, and fails as any other model would.
                    raise
                await self._take_back(error)
                break
        message["content"] = [*self._marks, *message["content"]]
        if "cache_creation" in message["usage"]:
            # Else no model was asked.
            message["usage"] = self._usage(message["usage"])
        if message["stop_reason"] == "refusal":
            message["stop_details"] = self._stop_details(message.get("stop_details"))
        return message

    # --- streamed ---

    async def stream(self) -> AsyncGenerator[Events, None]:
        """The events of the answer, of which message_stop comes in another batch than the first. message_start waits
        for the first block, so that it can name who answers."""
        offset, begun = 0, False
        start: _Block = {}
        end: _Block | None = None
        while end is None:
            said = Fold()
            try:
                async with aclosing(stream_turn(self.turn)) as batches:
                    async for batch in batches:
                        events: Events = []
                        for event in batch:
                            kind: str = event["type"]
                            if kind == "message_delta":
                                end = event
                                break
                            said.add(event)
                            if kind == "message_start":
                                start = event
                                if start["message"]["stop_reason"] is not None:
                                    # Code that called on: such an answer comes whole, and no model was asked for it.
                                    yield [event]
                                    yield [{"type": "message_stop"}]
                                    return
                            elif kind != "ping" or not self.turn.declined_before:
                                if not begun or self._marks:
                                    offset = self._begin(start, offset, events, begun=begun)
                                    begun = True
                                events.append(_moved(event, offset))
                        if events:
                            yield events
                        if end is not None:
                            break
            except _NO_ROOM as error:
                if not self._declined or said.message.get("content"):
                    raise
                before = await self._take_back(error)
                start, end = before.start, before.end
                break
            if end is None:
                raise InternalError
            if end["delta"]["stop_reason"] == "refusal":
                content: list[_Block] = said.message["content"]
                self._decline(end["usage"], end["delta"]["stop_details"], start, end)
                self._carried += carried(content)
                offset += len(content)
                # "The one case that does not retry."
                if not self.turn.cut_call and await self._next():
                    end = None
        events = []
        if not begun or self._marks:
            self._begin(start, offset, events, begun=begun)
        if events:
            yield events
        yield [self._last(end), {"type": "message_stop"}]

    def _begin(self, start: _Block, index: int, events: Events, *, begun: bool) -> int:
        """Send what was held back: how the message starts, and where one model gives way to the next. Returns how many
        blocks there are before the next one."""
        if begun:
            self._mid_stream = True
        else:
            events.append(start)
        for mark in self._marks:
            events.append({"type": "content_block_start", "index": index, "content_block": mark})
            if index == 0:
                events.append(_PING)
            events.append({"type": "content_block_stop", "index": index})
            index += 1
        self._marks.clear()
        return index

    def _last(self, end: _Block) -> _Block:
        delta = end["delta"]
        if delta["stop_reason"] == "refusal":
            delta = {**delta, "stop_details": self._stop_details(delta["stop_details"])}
        event = {**end, "delta": delta, "usage": self._usage(end["usage"])}
        if self._mid_stream and self.turn.transformations is not None:
            # "Carries it only when a fallback happened mid-stream" (the SDK).
            event["input_transformations"] = self.turn.transformations
        return event

    # --- from one model to the next ---

    def _decline(self, usage: _Block, details: _Block | None, start: _Block, end: _Block) -> None:
        turn = self.turn
        self._declined.append(_Declined(turn, replace(turn.record), details, _entries(turn, usage), start, end))

    async def _next(self) -> bool:
        """Let the next model answer. Returns whether there is one."""
        declined = self._declined[-1]
        if not self._attempts:
            return False
        attempt = self._attempts.pop(0)
        if declined.turn.admission is not None:
            # "Each attempt counts against its own model's rate limits."
            await declined.turn.admission.finish(declined.record)
        partial = may_begin(self._carried)
        if partial:
            attempt = continued(attempt, partial, declined.end["delta"].get("container"))
        try:
            turn = await self._prepare(attempt)
            turn.admission = await self._admit(turn)
        except ApiError as error:
            # That a prompt which only the next model finds too long, say, leaves the refusal too is a guess.
            self._skipped(attempt.route.model.id, error)
            return False
        self._admissions.append(turn.admission)
        turn.declined_before = True
        turn.use = _with_credit(turn, declined.record)
        if turn.credit is not None and declined.turn.credit is not None:
            # A client that redeems it sends what it has sent.
            turn.credit.request = declined.turn.credit.request
        record, model = turn.record, turn.route.model.id
        record.further += (_as_call(declined.record),)
        record.model, record.limit_exceeded = model, turn.admission.exceeded
        for name, value in _UNUSED.items():
            setattr(record, name, value)
        first = len(self._declined) == 1
        mark = {
            "type": "fallback",
            "from": {"model": self._asked_for if first else declined.turn.route.model.id},
            "to": {"model": model},
            "trigger": {"type": "refusal", "category": (declined.details or {}).get("category")},
        }
        self._marks.append(mark)
        self.turn = turn
        return True

    async def _take_back(self, error: ApiError) -> _Declined:
        """The model that was to go on had no room: the last refusal is the answer after all."""
        self._skipped(self.turn.route.model.id, error)
        declined = self._declined[-1]
        # It has used nothing.
        await self._admissions.pop().finish(replace(declined.record, input_tokens=None, output_tokens=None))
        self.turn = declined.turn
        self._marks.pop()
        for name in _RECORDED:
            setattr(self.turn.record, name, getattr(declined.record, name))
        return declined

    def _skipped(self, model: str, error: ApiError) -> None:
        _log.warning("a fallback could not be asked", model=model, error_type=error.type)
        if isinstance(error, _NO_ROOM):
            self._recommended = model

    def _usage(self, usage: _Block) -> _Block:
        """With each call of a model that there was; the numbers beside them are those of the model that answers."""
        entries = [entry for declined in self._declined for entry in declined.entries]
        if not self._declined or self._declined[-1].turn is not self.turn:
            entries += _entries(self.turn, usage)
        if self.turn.declined_before:
            # "The entry for the iteration that completed it carries this type in place of `message`."
            last = max((place for place, entry in enumerate(entries) if entry["type"] == "message"), default=-1)
            entries[last] = {**entries[last], "type": _SERVED}
        return {**usage, "iterations": entries}

    def _stop_details(self, details: _Block | None) -> _Block:
        details = details or {"type": "refusal", "category": None, "explanation": None}
        return {**details, "recommended_model": self._recommended}


def _as_call(record: RequestRecord) -> RequestRecord:
    """The record of a call whose model has declined, beside that of the request that made it."""
    return replace(
        record,
        request_id=new_id("req_"),
        method=METHOD,
        path=f"/v1/messages/{record.request_id}",
        status=200,
        duration=max(time.time() - record.received_at, 0.0),
        further=(),
    )


def _moved(event: _Block, offset: int) -> _Block:
    return {**event, "index": event["index"] + offset} if offset and "index" in event else event


def _entries(turn: Turn, usage: _Block) -> list[_Block]:
    listed: list[_Block] | None = usage.get("iterations")
    if listed is None:
        record = turn.record
        use = CacheUse(
            record.input_tokens or 0,
            record.cache_read_input_tokens,
            record.cache_creation_5m_input_tokens,
            record.cache_creation_1h_input_tokens,
        )
        listed = [iteration(use, usage["output_tokens"])]
    model = turn.route.model.id
    return [{**entry, "model": model} if entry["type"] == "message" else entry for entry in listed]


def _with_credit(turn: Turn, declined: RequestRecord) -> CacheUse:
    """What the declined model had in its cache, the next one need not pay for writing to its own: "server-side fallback
    applies fallback credit for you". An engine that says itself what it had is believed."""
    use = turn.use
    return use if turn.route.measurer is not None else repriced(use, declined.cache_read_input_tokens)
