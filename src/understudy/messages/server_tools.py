"""The turn of a request that uses server tools: the engine is asked, what it calls is run, and it is asked again.

Sources: server-tools.md and handling-stop-reasons.md (2026-08); recorded answers of 2025-09 to 2026-08. One message
holds all of it. Calls of server tools that come together with one of a client's tool stay without a result: they are
run when the client's results have come. So does the call that comes when the loop has gone round ten times.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, cast

from understudy.engines.engine import EngineEvent, PromptTooLongError, PromptUsage
from understudy.engines.routing import PassOn
from understudy.messages.blocks import Events
from understudy.messages.citations import Citations
from understudy.messages.compacting import Spent, Summary, added_up
from understudy.messages.context.compaction import Compaction, as_run, asking_for_summary, room_for_summary, window_of
from understudy.messages.fold import Fold
from understudy.messages.turn import Answer, Turn, iteration, most_tokens
from understudy.tools.protocol import ToolCall
from understudy.tools.running import ToolRun, unavailable
from understudy.wire.errors import InternalError, InvalidRequestError, OverloadedError
from understudy.wire.server_tools import CALLS, RESULTS

MOST_ROUNDS: Final = 10
"""Calls of the engine that lead to runs of tools; the next one's calls are left to the next request (recorded)."""

_NATURAL: Final = frozenset({"end_turn", "tool_use"})
_ANSWERS: Final = RESULTS | {"mcp_tool_result"}

_Block = dict[str, Any]


async def stream_with_tools(turn: Turn, tools: ToolRun) -> AsyncGenerator[Events, None]:
    """As `stream_turn`. Closing it stops the engine, or the tool."""
    async with tools:
        answer = _LoopingAnswer(turn, tools)
        waiting = waiting_calls(turn.request["messages"])
        if waiting:
            # The answer begins with their results (recorded), which may take their time.
            yield answer.took([await answer.begin_unasked()])
            for call in waiting:
                yield await answer.run(call)
            if await answer.go_on():
                yield answer.took(answer.last)
                return
        for left in range(MOST_ROUNDS, -1, -1):
            # "The compaction trigger is checked at the start of each sampling iteration" (compaction.md).
            if turn.compaction is not None and turn.compaction.is_due(turn.input_tokens):
                async with aclosing(answer.compact(turn.compaction)) as summarized:
                    async for events in summarized:
                        yield events
                if answer.ended:
                    return
            async with aclosing(_batches(turn, answer)) as batches:
                async for batch in batches:
                    started = await answer.engine_started(batch)
                    if started is not None:
                        yield answer.took([started])
                    events = answer.took(answer.feed(batch))
                    answer.account()
                    if turn.admission is not None:
                        await turn.admission.produced(turn.record.output_tokens or 0)
                    if events:
                        yield events
                    if answer.ended:
                        return
                    if answer.calls_tools:
                        break
            if answer.ended:
                yield answer.took(answer.last)
                return
            if not answer.calls_tools:
                raise InternalError
            if not left:
                yield answer.took(answer.pause())
                return
            for call in answer.calls():
                yield await answer.run(call)
            if await answer.go_on():
                yield answer.took(answer.last)
                return


async def _batches(turn: Turn, answer: _LoopingAnswer) -> AsyncGenerator[list[EngineEvent], None]:
    """What the engine yields. An answer that has begun ends where there is no room for what tools have brought."""
    try:
        async with aclosing(turn.route.engine.run(answer.engine_turn)) as batches:
            async for batch in batches:
                yield batch
    except PromptTooLongError:
        if not answer.begun:
            raise
        answer.overflow()
    except PassOn:
        if not answer.begun:
            raise
        # Who takes bytes cannot go on with what has begun here.
        raise OverloadedError from None


def waiting_calls(messages: list[_Block]) -> list[ToolCall]:
    """The server tools of the turn at hand that have no result yet: of one that was paused, or that waited for a
    client's results. A conversation that keeps the rules has no others."""
    calls: list[ToolCall] = []
    answered: set[str] = set()
    for message in reversed(messages):
        content = message.get("content")
        blocks = cast("list[_Block]", content) if isinstance(content, list) else []
        if message["role"] == "assistant":
            answered.update(block["tool_use_id"] for block in blocks if block["type"] in _ANSWERS)
            calls[:0] = [
                ToolCall(block["id"], block["name"], block["input"], block.get("server_name"))
                for block in blocks
                if block["type"] in CALLS and block["id"] not in answered
            ]
        elif (
            message["role"] == "user"
            and content
            and (not blocks or any(block["type"] != "tool_result" for block in blocks))
        ):
            break
    return calls


class _LoopingAnswer(Answer):
    """An answer of several calls of the engine. `calls_tools`: the engine waits for the results of `calls`. `last` are
    the answer's last events where `go_on` has ended it."""

    __slots__ = (
        "_asked",
        "_begun",
        "_folded",
        "_given",
        "_message_id",
        "_ran",
        "_spent",
        "_summarizing",
        "_tools",
        "calls_tools",
        "last",
    )

    def __init__(self, turn: Turn, tools: ToolRun) -> None:
        super().__init__(turn)
        self._blocks.serve(tools.functions)
        self._tools = tools
        self._given: list[_Block] = turn.request["messages"]
        self._folded = Fold()
        self._message_id = ""
        self._begun = False
        # Whether the engine has begun with the prompt at hand; what its earlier calls were.
        self._asked = False
        self._spent: list[Spent] = []
        # Of the summary that is being written.
        self._summarizing: Summary | None = None
        # Whether there is a result.
        self._ran = False
        self.calls_tools = False
        self.last: Events = []

    def took(self, events: Events) -> Events:
        """Remember what is on its way to the client."""
        self._folded.add_all(events)
        return events

    @property
    def begun(self) -> bool:
        """Whether the first event was made."""
        return self._begun

    async def begin_unasked(self) -> dict[str, Any]:
        """The first event, before the engine is asked."""
        event = await self.begin([], asked=False)
        self._begun, self._message_id = True, event["message"]["id"]
        self.account()
        return event

    async def engine_started(self, batch: list[EngineEvent]) -> dict[str, Any] | None:
        """To be called with each batch. Returns the first event of all when it has not been made."""
        if self._asked:
            return None
        self._asked = True
        if not self._begun:
            event = await self.begin(batch)
            self._begun, self._message_id = True, event["message"]["id"]
            return event
        turn = self._turn
        if not self._spent:
            turn.answered_by = model = self.engine_turn.model
            turn.record.engine, turn.record.upstream_model = model.engine, model.upstream
        if batch and isinstance(batch[0], PromptUsage):
            await self._confirmed(batch[0])
        if turn.cached is not None:
            await turn.cached.started(self._message_id)
        return None

    def account(self) -> None:
        """Bring the record to what was used so far."""
        record = self._turn.record
        use = added_up(spent.use for spent in self._calls_of_engine())
        record.input_tokens = use.input_tokens
        record.cache_read_input_tokens = use.cache_read_input_tokens
        record.cache_creation_5m_input_tokens = use.ephemeral_5m_input_tokens
        record.cache_creation_1h_input_tokens = use.ephemeral_1h_input_tokens
        of_summaries = sum(spent.output_tokens for spent in self._spent if spent.kind == "compaction")
        if self._summarizing is not None:
            of_summaries += self._summarizing.output_tokens
        record.output_tokens = self._blocks.output_tokens + of_summaries

    def _calls_of_engine(self) -> list[Spent]:
        # An answer for which no model was asked has used nothing (recorded).
        spent = [*self._spent]
        if self._asked:
            spent.append(Spent(self._turn.use, self._blocks.output_tokens - self._before))
        return spent

    # --- tools ---

    def calls(self) -> list[ToolCall]:
        """What the engine has called and waits for."""
        waiting = self._blocks.waiting
        return [
            ToolCall(block["id"], block["name"], block["input"], block.get("server_name"))
            for block in self._folded.message["content"]
            if block.get("id") in waiting
        ]

    async def run(self, call: ToolCall) -> Events:
        """Run a call: the events of its result."""
        events: Events = []
        call = replace(call, messages=self._conversation())
        self._put(await self._tools.run(call), events)
        record, tools = self._turn.record, self._tools
        record.web_search_requests, record.web_fetch_requests = tools.web_search_requests, tools.web_fetch_requests
        return self.took(events)

    def _put(self, result: _Block, events: Events) -> None:
        self._blocks.put(result, events)
        self._ran = True

    async def go_on(self) -> bool:
        """Make the engine's next turn: the conversation with the answer so far. Returns whether there is no room left
        for it, and the answer has ended."""
        turn, blocks = self._turn, self._blocks
        request: _Block = {**turn.request, "messages": self._conversation()}
        if self._asked:
            self._spent.append(Spent(turn.use, blocks.output_tokens - self._before))
            # What was forced was done.
            choice = cast("_Block", request.get("tool_choice") or {})
            if choice.get("type") in {"any", "tool"}:
                request["tool_choice"] = {**choice, "type": "auto"}
                request["tool_choice"].pop("name", None)
        return await self._prompt(request)

    async def compact(self, compaction: Compaction) -> AsyncGenerator[Events, None]:
        """Have the model write a summary of all so far, and make its next turn of that. `ended` is set where that is
        all of the answer. Without a summary the conversation stays as it is."""
        turn, blocks = self._turn, self._blocks
        assert turn.again is not None
        most, engine_turn, before = compaction.most_tokens, self.engine_turn, (turn.use, turn.cached)
        asked = asking_for_summary(
            turn.request, self._conversation() if self._begun else self._given, compaction.instructions, most
        )
        events: Events = []
        try:
            prompted = await turn.again(asked)
            most = room_for_summary(window_of(turn.route.model, turn.betas), prompted.use.total_tokens, most)
        except InvalidRequestError:
            # There is no room for the instructions, or for what they ask for.
            if not self._begun:
                yield self.took([await self.begin_unasked()])
            blocks.open_summary({}, events)
            summary = None
        else:
            summary = self._summarizing = Summary(most)
            turn.use, turn.cached = prompted.use, prompted.cached
            self.engine_turn = replace(
                engine_turn,
                request=as_run(prompted.request),
                max_tokens=most,
                input_tokens=prompted.use.total_tokens,
                whole=True,
                stop_sequences=[],
                thinking=None,
                materials=prompted.materials,
                summarizes=True,
            )
            async with aclosing(turn.route.engine.run(self.engine_turn)) as batches:
                async for batch in batches:
                    if not self._asked:
                        started = await self.engine_started(batch)
                        if compaction.members is None:
                            blocks.open_summary({}, events)
                        yield self.took([started, *events] if started is not None else events)
                        events = []
                    for usage in batch:
                        if isinstance(usage, PromptUsage):
                            self._billed(usage)
                    summary.take(batch)
                    self.account()
                    if turn.admission is not None:
                        await turn.admission.produced(turn.record.output_tokens or 0)
                    if summary.ended:
                        break
            if not summary.ended:
                raise InternalError
            self._spent.append(Spent(turn.use, summary.output_tokens, "compaction"))
            self._asked, self._summarizing = False, None
            turn.use, turn.cached = before
            self.engine_turn = replace(engine_turn, model=self.engine_turn.model, goes_on=True)
        content = None if summary is None else summary.content
        if summary is not None and compaction.members is not None:
            # Clients take what stands beside the summary from the event that opens the block (the SDK's code).
            blocks.open_summary({} if content is None else compaction.members(content), events)
        blocks.close_summary(content, events)
        yield self.took(events)
        if compaction.pauses:
            yield self.took(self.pause("compaction"))
        elif content is not None and await self._prompt({**turn.request, "messages": self._conversation()}):
            yield self.took(self.last)

    async def _prompt(self, request: _Block) -> bool:
        """Have the engine asked with `request` next. Returns whether there is no room left for that."""
        turn, blocks = self._turn, self._blocks
        self._asked = self.calls_tools = False
        self._before = blocks.output_tokens
        assert turn.again is not None
        try:
            prompted = await turn.again(request)
        except InvalidRequestError:
            # The results made the prompt too long.
            return self._ends("model_context_window_exceeded")
        turn.request, turn.use, turn.cached = prompted.request, prompted.use, prompted.cached
        if prompted.materials is not turn.materials:
            turn.materials = prompted.materials
            blocks.cite = Citations(turn.materials)
        turn.input_tokens = turn.use.total_tokens
        room = most_tokens(turn) if turn.route.model.stops_at_context_window else request["max_tokens"]
        self._most = min(request["max_tokens"], self._before + room)
        if self._before and self._most <= self._before:
            return self._ends("max_tokens")
        self.engine_turn = replace(
            self.engine_turn,
            request=turn.request,
            max_tokens=self._most - self._before,
            input_tokens=turn.input_tokens,
            materials=turn.materials,
            goes_on=bool(self._spent),
        )
        return False

    def overflow(self) -> None:
        """The engine says that what tools have brought is too much for it."""
        self._ends("model_context_window_exceeded")

    def _ends(self, reason: str) -> bool:
        self._end(self.last, reason, None)
        return True

    def _conversation(self) -> list[_Block]:
        """The conversation with the answer so far, as the model knows it."""
        said = self._said()
        return [*self._given, {"role": "assistant", "content": said}] if said else self._given

    def _said(self) -> list[_Block]:
        """The answer so far, with its thinking as the model wrote it, and results as it reads them."""
        thoughts = iter(self._blocks.thoughts or ())
        read = self._tools.read
        said: list[_Block] = []
        for block in self._folded.message["content"]:
            if block["type"] == "thinking":
                said.append({**block, "thinking": next(thoughts)})
            elif read and block.get("tool_use_id") in read:
                said.append({**block, "content": read[block["tool_use_id"]]})
            else:
                said.append(block)
        return said

    # --- the end ---

    def pause(self, reason: str = "pause_turn") -> Events:
        """The last events of an answer that has gone round too often, or stops for the client to go on."""
        events: Events = []
        self.ended = True
        events.append(self._message_delta(reason, None))
        events.append({"type": "message_stop"})
        self._turn.record.stop_reason = reason
        return events

    def _end(self, events: Events, reason: str, details: dict[str, Any] | None) -> None:
        blocks = self._blocks
        if blocks.waiting and not blocks.calls and reason in _NATURAL:
            self.calls_tools = True
            return
        if blocks.waiting and reason not in _NATURAL and reason != "refusal":
            # It was cut. Without results, no conversation could go on from here but this very turn [guess: what the
            # service does is not recorded].
            for call_id, name in list(blocks.waiting.items()):
                self._put(unavailable(name).block(call_id), events)
        super()._end(events, reason, details)

    def _message_delta(self, reason: str, details: dict[str, Any] | None) -> dict[str, Any]:
        event = super()._message_delta(reason, details)
        spent = self._calls_of_engine()
        use = added_up(call.use for call in spent if call.kind == "message")
        usage, tools = cast("_Block", event["usage"]), self._tools
        usage["input_tokens"] = use.input_tokens
        usage["cache_creation_input_tokens"] = use.cache_creation_input_tokens
        usage["cache_read_input_tokens"] = use.cache_read_input_tokens
        iterations = usage.pop("iterations", None)
        if self._ran:
            usage["server_tool_use"] = {
                "web_search_requests": tools.web_search_requests,
                "web_fetch_requests": tools.web_fetch_requests,
            }
        if iterations is not None or any(call.kind == "compaction" for call in spent):
            usage["iterations"] = [iteration(call.use, call.output_tokens, call.kind) for call in spent]
        event["delta"]["container"] = tools.container
        return event
