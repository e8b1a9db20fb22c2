"""An answer of several calls of the engine, between which this server runs what it calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, cast

from understudy.engines.engine import EngineEvent, PromptUsage
from understudy.messages.blocks import Events
from understudy.messages.citations import Citations
from understudy.messages.compacting import Spent, Summary, added_up
from understudy.messages.context.compaction import Compaction, as_run, asking_for_summary, room_for_summary, window_of
from understudy.messages.fold import Fold
from understudy.messages.turn import Answer, Turn, iteration, most_tokens
from understudy.tools.protocol import ToolCall
from understudy.tools.running import ToolRun, unavailable
from understudy.wire.callers import calling_cell
from understudy.wire.errors import InternalError, InvalidRequestError

_NATURAL: Final = frozenset({"end_turn", "tool_use"})

_Block = dict[str, Any]


class LoopingAnswer(Answer):
    """An answer of several calls of the engine. `calls_tools`: the engine waits for the results of `calls`. `last` are
    the answer's last events where `go_on` has ended it."""

    __slots__ = (
        "_asked",
        "_begun",
        "_folded",
        "_given",
        "_message_id",
        "_placed",
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
        # Of how many calls of other models the place among those of the engine is known.
        self._placed = 0
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

    def unasked(self) -> Events:
        """The whole of an answer for which no model was asked, as recorded of code that called on (2025-12 to 2026-02):
        its stream is one message, with no more usage than this."""
        delta: _Block = next(event["delta"] for event in self.last if event["type"] == "message_delta")
        usage = {"input_tokens": 0, "output_tokens": 0, "server_tool_use": self._of_tools()}
        message: _Block = {**self._folded.message, **delta, "usage": usage}
        return [{"type": "message_start", "message": message}, {"type": "message_stop"}]

    def _of_tools(self) -> dict[str, int]:
        tools = self._tools
        return {
            "web_search_requests": tools.web_search_requests,
            "web_fetch_requests": tools.web_fetch_requests,
        }

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
        if not self._has_written:
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
        use = added_up(spent.use for spent in self._calls_of_models() if spent.model is None)
        record.input_tokens = use.input_tokens
        record.cache_read_input_tokens = use.cache_read_input_tokens
        record.cache_creation_5m_input_tokens = use.ephemeral_5m_input_tokens
        record.cache_creation_1h_input_tokens = use.ephemeral_1h_input_tokens
        of_summaries = sum(spent.output_tokens for spent in self._spent if spent.kind == "compaction")
        if self._summarizing is not None:
            of_summaries += self._summarizing.output_tokens
        record.output_tokens = self._blocks.output_tokens + of_summaries

    @property
    def _has_written(self) -> bool:
        """Whether an earlier call of the engine has ended."""
        return any(call.model is None for call in self._spent)

    def _calls_of_models(self) -> list[Spent]:
        # An answer for which no model was asked has used nothing (recorded).
        spent = [*self._spent]
        if self._asked:
            spent.append(Spent(self._turn.use, self._blocks.output_tokens - self._before))
        return [*spent, *map(Spent.advised, self._tools.advised[self._placed :])]

    # --- tools ---

    def calls(self) -> list[ToolCall]:
        """What the engine has called and waits for."""
        waiting = self._blocks.waiting
        return [
            ToolCall(block["id"], block["name"], block["input"], block.get("server_name"))
            for block in self._folded.message["content"]
            if block.get("id") in waiting
        ]

    async def run(self, calls: Sequence[ToolCall]) -> AsyncGenerator[Events, None]:
        """Run calls one after the other, up to the first whose code waits for the client: the events of what they
        bring."""
        record, tools = self._turn.record, self._tools
        for call in calls:
            try:
                async with aclosing(tools.run(replace(call, messages=self._conversation()))) as blocks:
                    async for block in blocks:
                        events: Events = []
                        self._put(block, events)
                        yield self.took(events)
            finally:
                # Also what code has used of which no block was made, when its client goes away.
                record.web_search_requests = tools.web_search_requests
                record.web_fetch_requests = tools.web_fetch_requests
            if self.waits_for_client:
                self._ends("tool_use")
                return

    @property
    def waits_for_client(self) -> bool:
        """Whether a tool of the client's was called."""
        return self._blocks.calls > 0

    def _put(self, result: _Block, events: Events) -> None:
        self._blocks.put(result, events)
        self._ran = True

    async def go_on(self) -> bool:
        """Make the engine's next turn: the conversation with the answer so far. Returns whether there is no room left
        for it, and the answer has ended."""
        request: _Block = {**self._turn.request, "messages": self._conversation()}
        self._spent, self._placed = self._calls_of_models(), len(self._tools.advised)
        if self._asked:
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
            goes_on=self._has_written,
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
            elif calling_cell(block) is not None:
                # What code has called, and was told, the model does not know.
                continue
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
        spent = self._calls_of_models()
        use = added_up(call.use for call in spent if call.kind == "message")
        usage, tools = cast("_Block", event["usage"]), self._tools
        usage["input_tokens"] = use.input_tokens
        usage["cache_creation_input_tokens"] = use.cache_creation_input_tokens
        usage["cache_read_input_tokens"] = use.cache_read_input_tokens
        iterations = usage.pop("iterations", None)
        if self._ran:
            usage["server_tool_use"] = self._of_tools()
        if iterations is not None or any(call.kind == "compaction" for call in spent):
            usage["iterations"] = [iteration(call.use, call.output_tokens, call.kind, call.model) for call in spent]
        event["delta"]["container"] = tools.container
        return event
