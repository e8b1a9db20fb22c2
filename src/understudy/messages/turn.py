"""One answer: what an engine yields becomes the events of a Claude stream.

Streaming, whole answers and every later flavour take their events from here, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from understudy.engines.catalog import Model
from understudy.engines.engine import Background, EngineEvent, EngineModel, EngineTurn, PromptUsage, Stop
from understudy.engines.materials import NO_MATERIALS, Materials
from understudy.engines.routing import Route
from understudy.http.limiting import Admission
from understudy.http.record import RequestRecord
from understudy.messages.blocks import Blocks, Display, Events, Seals
from understudy.messages.caching import CacheTurn, CacheUse
from understudy.messages.citations import Citations
from understudy.messages.context.compaction import Compaction
from understudy.messages.credit import Credit
from understudy.messages.fold import Fold
from understudy.messages.prompting import Prompted
from understudy.tools.running import ToolRun
from understudy.wire.errors import InternalError
from understudy.wire.ids import new_id

# Headers that make the answer say which context edits were applied, and list its model calls (recorded answers).
_CONTEXT_MANAGEMENT: Final = frozenset({"context-management-2025-06-27", "compact-2026-01-12", "compact-2026-09-04"})
_ITERATIONS: Final = frozenset({"advisor-tool-2026-03-01", "compact-2026-01-12"})
_ESTIMATES: Final = "thinking-token-count-2026-05-13"


@dataclass(slots=True)
class Turn:
    """A validated request on its way to its engine. `record` takes the figures that are billed and logged;
    `answered_by` says who answers, once that has begun.

    `input_tokens` counts the whole prompt, `use` says how it is billed. `seals` signs thinking. `cached` is the prompt
    cache's part in it, where it has one. What is kept of one `tenant`'s prompts no other may use. `diagnostics` and
    `transformations` are fields of the answer; `transformations` is None where it has no such field. `admission` is
    told what is produced. A turn with a `background` is one that nobody waits for. `tools` are the server tools that it
    may use; `again` prepares the prompt of each further call of the engine. `compaction` is None where the conversation
    cannot become too long for the turn. `declined_before`: another model has declined to answer. `cut_call`: the model
    has declined in the middle of a call. `credit` is for a refusal to give and for the request to redeem.
    """

    request: dict[str, Any]
    route: Route
    input_tokens: int
    betas: tuple[str, ...]
    record: RequestRecord
    use: CacheUse
    seals: Seals
    materials: Materials = NO_MATERIALS
    applied_edits: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    transformations: list[dict[str, str]] | None = None
    diagnostics: dict[str, Any] | None = None
    cached: CacheTurn | None = None
    tenant: str | None = None
    answered_by: EngineModel | None = None
    admission: Admission | None = None
    background: Background | None = None
    tools: ToolRun | None = None
    again: Callable[[dict[str, Any]], Awaitable[Prompted]] | None = None
    declined_before: bool = False
    cut_call: bool = False
    credit: Credit | None = None
    compaction: Compaction | None = None


def thinking_type(request: dict[str, Any], model: Model) -> str | None:
    """How the model may think: `thinking.type` as it is in force, None where it may not."""
    thinking = request.get("thinking")
    if thinking is None:
        return "adaptive" if model.thinks_by_default else None
    return None if thinking["type"] == "disabled" else thinking["type"]


def _display(turn: Turn) -> Display:
    thinking = turn.request.get("thinking")
    display = thinking and thinking.get("display")
    return display or ("summarized" if turn.route.model.shows_thinking_by_default else "omitted")


def counts_thinking(turn: Turn) -> bool:
    """Whether the answer's usage names thinking tokens."""
    thinking = turn.request.get("thinking")
    if thinking is None:
        return turn.route.model.counts_thinking_by_default
    return thinking["type"] in {"enabled", "adaptive", "between_tools"}


def most_tokens(turn: Turn) -> int:
    """How many tokens a call of the engine may write: what was asked for, or what the context window leaves."""
    asked: int = turn.request["max_tokens"]
    model = turn.route.model
    if not model.stops_at_context_window:
        return asked
    window = model.max_input_tokens
    if model.max_input_tokens_with_context_1m is not None and "context-1m-2025-08-07" in turn.betas:
        window = model.max_input_tokens_with_context_1m
    return min(asked, max(window - turn.input_tokens, 0))


def iteration(use: CacheUse, output_tokens: int, kind: str = "message", model: str | None = None) -> dict[str, Any]:
    """An entry of `usage.iterations`: one call of the model, or of another one, which is named."""
    entry: dict[str, Any] = {
        "input_tokens": use.input_tokens,
        "output_tokens": output_tokens,
        "cache_read_input_tokens": use.cache_read_input_tokens,
        "cache_creation_input_tokens": use.ephemeral_5m_input_tokens + use.ephemeral_1h_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": use.ephemeral_5m_input_tokens,
            "ephemeral_1h_input_tokens": use.ephemeral_1h_input_tokens,
        },
        "type": kind,
    }
    if model is not None:
        entry["model"] = model
    return entry


def _message_start(turn: Turn) -> dict[str, Any]:
    request, use, record = turn.request, turn.use, turn.record
    tier = "standard" if turn.admission is None else turn.admission.service_tier
    geo = request.get("inference_geo") or ("global" if turn.route.model.inference_geo else "not_available")
    usage: dict[str, Any] = {
        "input_tokens": use.input_tokens,
        "cache_creation_input_tokens": use.ephemeral_5m_input_tokens + use.ephemeral_1h_input_tokens,
        "cache_read_input_tokens": use.cache_read_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": use.ephemeral_5m_input_tokens,
            "ephemeral_1h_input_tokens": use.ephemeral_1h_input_tokens,
        },
        "output_tokens": 1 if request["max_tokens"] else 0,
        "service_tier": tier,
        "inference_geo": geo,
    }
    if request.get("speed"):
        usage["speed"] = request["speed"]
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
        "usage": usage,
    }
    if turn.transformations is not None:
        message["input_transformations"] = turn.transformations
    message["diagnostics"] = turn.diagnostics
    record.message_id = message["id"]
    record.input_tokens = use.input_tokens
    record.cache_read_input_tokens = use.cache_read_input_tokens
    record.cache_creation_5m_input_tokens = use.ephemeral_5m_input_tokens
    record.cache_creation_1h_input_tokens = use.ephemeral_1h_input_tokens
    record.service_tier = tier
    record.inference_geo = geo
    record.speed = request.get("speed")
    return {"type": "message_start", "message": message}


class Answer:
    """Builds the events of one answer from what the engine yields."""

    __slots__ = ("_before", "_blocks", "_most", "_turn", "ended", "engine_turn")

    def __init__(self, turn: Turn) -> None:
        request = turn.request
        stop_sequences: list[str] = request.get("stop_sequences") or []
        self._turn = turn
        self._most = most_tokens(turn)
        # Output tokens of earlier calls of the engine.
        self._before = 0
        self._blocks = Blocks(
            stop_sequences,
            _display(turn),
            turn.seals,
            Citations(turn.materials),
            estimates=_ESTIMATES in turn.betas,
        )
        self.ended = False
        self.engine_turn = EngineTurn(
            model=turn.route.target,
            request=request,
            max_tokens=self._most,
            input_tokens=turn.input_tokens,
            # Usage counts up to the piece in which a stop sequence ended, so that piece must be the same either way.
            whole=not request.get("stream") and not stop_sequences,
            stop_sequences=stop_sequences,
            thinking=thinking_type(request, turn.route.model),
            materials=turn.materials,
            tenant=turn.tenant,
            background=turn.background,
            server_functions=() if turn.tools is None else turn.tools.functions,
            declined_before=turn.declined_before,
        )

    async def begin(self, batch: list[EngineEvent], *, asked: bool = True) -> dict[str, Any]:
        """The first event of all. `batch` is the engine's first; `feed` takes it afterwards. `asked`: the engine was,
        with the prompt that was counted."""
        turn, model = self._turn, self.engine_turn.model
        # Of several targets it is known only now which one answers.
        turn.answered_by = model
        turn.record.engine, turn.record.upstream_model = model.engine, model.upstream
        if batch and isinstance(batch[0], PromptUsage):
            await self._confirmed(batch[0])
        event = _message_start(turn)
        if turn.cached is not None:
            message_id = event["message"]["id"]
            await (turn.cached.started(message_id) if asked else turn.cached.told(message_id))
        return event

    def feed(self, batch: list[EngineEvent]) -> Events:
        """The events that `batch` gives rise to; the last ones of the message once `ended` is set."""
        blocks = self._blocks
        events: Events = []
        place = 0
        while (place := blocks.flow(batch, place, self._most, events)) < len(batch):
            event = batch[place]
            place += 1
            if isinstance(event, Stop):
                if event.reason == "refusal":
                    self._turn.cut_call = blocks.in_call
                blocks.close(events)
                blocks.output_tokens = self._before + event.output_tokens
                self._end(events, event.reason, event.details)
                break
            if isinstance(event, PromptUsage):
                self._billed(event)
                continue
            before = blocks.output_tokens
            if before + getattr(event, "tokens", 0) > self._most:
                # The engine does not mind its limit; the answer does.
                blocks.close(events)
                self._end(events, "max_tokens", None)
                break
            blocks.take(event, events)
            if blocks.matched is not None:
                blocks.close(events)
                self._end(events, "stop_sequence", None)
                break
        self._turn.record.output_tokens = blocks.output_tokens
        return events

    async def _confirmed(self, usage: PromptUsage) -> None:
        """What is read from the cache is what both the ledger and the engine say."""
        turn = self._turn
        if usage.reused is None:
            self._billed(usage)
        elif turn.cached is None:
            turn.use = CacheUse(usage.input_tokens, 0, 0, 0)
        else:
            await turn.cached.confirm(usage.input_tokens, usage.reused)
            turn.use = turn.cached.use

    def _billed(self, usage: PromptUsage) -> None:
        """The prompt's tokens as the upstream counted them, instead of our estimate."""
        if usage.reused is not None:
            # Billed before the answer began.
            return
        read = usage.cache_read_input_tokens
        turn = self._turn
        turn.use = CacheUse(usage.input_tokens - read, read, 0, 0)
        turn.record.input_tokens, turn.record.cache_read_input_tokens = usage.input_tokens - read, read
        turn.record.cache_creation_5m_input_tokens = turn.record.cache_creation_1h_input_tokens = 0

    def _end(self, events: Events, reason: str, details: dict[str, Any] | None) -> None:
        self.ended = True
        if reason in {"end_turn", "tool_use"}:
            reason = "tool_use" if self._blocks.calls else "end_turn"
        elif reason == "max_tokens" and self._most < self._turn.request["max_tokens"]:
            reason = "model_context_window_exceeded"
        events.append(self._message_delta(reason, details))
        events.append({"type": "message_stop"})
        self._turn.record.stop_reason = reason

    def _message_delta(self, reason: str, details: dict[str, Any] | None) -> dict[str, Any]:
        turn, blocks, use = self._turn, self._blocks, self._turn.use
        usage: dict[str, Any] = {
            "input_tokens": use.input_tokens,
            "cache_creation_input_tokens": use.ephemeral_5m_input_tokens + use.ephemeral_1h_input_tokens,
            "cache_read_input_tokens": use.cache_read_input_tokens,
            "output_tokens": blocks.output_tokens,
        }
        if turn.credit is not None:
            if reason == "refusal":
                details = turn.credit.details(details, use)
            if turn.credit.outcome is not None:
                usage["fallback_credit"] = turn.credit.outcome
        if counts_thinking(turn):
            usage["output_tokens_details"] = {"thinking_tokens": blocks.thinking_tokens}
        event: dict[str, Any] = {
            "type": "message_delta",
            "delta": {
                "stop_reason": reason,
                "stop_sequence": blocks.matched,
                "stop_details": details,
                "container": None,
            },
            "usage": usage,
        }
        if turn.betas:
            if not _ITERATIONS.isdisjoint(turn.betas):
                usage["iterations"] = [iteration(use, blocks.output_tokens)]
            if not _CONTEXT_MANAGEMENT.isdisjoint(turn.betas):
                event["context_management"] = {"applied_edits": turn.applied_edits}
        return event


async def stream_turn(turn: Turn) -> AsyncGenerator[Events, None]:
    """The events of the answer, in batches of what is ready together. Closing it stops the engine.

    The first batch is `message_start` alone and comes at the engine's first sign of progress; what the engine raises
    before that is raised before any event.
    """
    if turn.tools is not None or turn.compaction is not None:
        from understudy.messages.server_tools import stream_with_tools

        async with aclosing(stream_with_tools(turn, turn.tools or ToolRun(()))) as found:
            async for events in found:
                yield events
        return
    answer = Answer(turn)
    started = False
    async with aclosing(turn.route.engine.run(answer.engine_turn)) as batches:
        async for batch in batches:
            if not started:
                started = True
                yield [await answer.begin(batch)]
            events = answer.feed(batch)
            if turn.admission is not None:
                await turn.admission.produced(turn.record.output_tokens or 0)
            if events:
                yield events
            if answer.ended:
                return
    raise InternalError


async def complete_turn(turn: Turn) -> dict[str, Any]:
    """The whole answer: the fold of the same events."""
    folded = Fold()
    if turn.tools is not None or turn.compaction is not None:
        async with aclosing(stream_turn(turn)) as found:
            async for events in found:
                folded.add_all(events)
        # Its events name the lifetimes of the first prompt alone; whole answers those of all (recorded).
        record, usage = turn.record, folded.message["usage"]
        if "cache_creation" not in usage:
            # No model was asked.
            return folded.message
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": record.cache_creation_5m_input_tokens,
            "ephemeral_1h_input_tokens": record.cache_creation_1h_input_tokens,
        }
        if turn.compaction is not None:
            # What a summary wrote is not in the numbers of the answer (recorded). Its beta lists the calls.
            written = [call["cache_creation"] for call in usage["iterations"] if call["type"] == "message"]
            usage["cache_creation"] = {name: sum(one[name] for one in written) for name in usage["cache_creation"]}
        return folded.message
    answer = Answer(turn)
    async with aclosing(turn.route.engine.run(answer.engine_turn)) as batches:
        async for batch in batches:
            if not folded.message:
                folded.add(await answer.begin(batch))
            folded.add_all(answer.feed(batch))
            if answer.ended:
                return folded.message
    raise InternalError
