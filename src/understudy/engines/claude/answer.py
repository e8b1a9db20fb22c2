"""The events of an upstream's stream as an engine's events."""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

import orjson

from understudy.engines.engine import (
    BlockEnd,
    Citation,
    EngineEvent,
    EngineTurn,
    InputDelta,
    PromptUsage,
    RedactedThinking,
    Stop,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolUse,
)
from understudy.tokens.tokenizer import count_text

from .citations import place_of
from .errors import NO_ANSWER, BadGatewayError
from .observing import Observed, count_of

_Fields: TypeAlias = dict[str, Any]

_REASONS: Final[dict[str, StopReason]] = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
}
_CUT: Final = frozenset({"max_tokens", "refusal"})
# How far an upstream may be beyond `max_tokens` by our estimate before it is taken to mind no limit. Another model's
# tokens may be several of ours, the more so where they come one by one.
_SPARE: Final = 16
_SHARE: Final = 3


class Answer:
    """`ended`: the upstream has said how its answer ends. `over`: nothing more is wanted of it.

    An upstream counts its tokens at the end only, so what a piece costs is estimated until then; the end puts it right.
    """

    __slots__ = (
        "_block",
        "_called",
        "_choice",
        "_citation",
        "_cut",
        "_given",
        "_held",
        "_index",
        "_input",
        "_kind",
        "_most",
        "_output_tokens",
        "_produced",
        "_prompt",
        "_reason",
        "_sequence",
        "_stop_details",
        "_turn",
        "_unusable",
    )

    def __init__(self, turn: EngineTurn) -> None:
        self._turn = turn
        self._most = turn.max_tokens
        self._choice: _Fields = turn.request.get("tool_choice") or {"type": "auto"}
        self._kind: str | None = None
        self._index: object = None
        self._block: _Fields = {}
        # White space alone is no block, so a text's beginning waits; so does what it is taken from.
        self._held: list[str] | None = None
        self._citation: Citation | None = None
        self._input: list[str] = []
        self._unusable: str | None = None
        self._called = 0
        # Tokens: those that events bear, and all of them by estimate.
        self._given = 0
        self._produced = 0
        self._output_tokens: int | None = None
        self._prompt: PromptUsage | None = None
        self._reason: str | None = None
        self._sequence: object = None
        self._stop_details: _Fields | None = None
        self._cut: StopReason | None = None

    @property
    def ended(self) -> bool:
        return self._reason is not None

    @property
    def over(self) -> bool:
        return self._cut is not None

    def billed(self, observed: Observed) -> list[EngineEvent]:
        """What the upstream says of the prompt, where that is something new."""
        fresh = observed.input_tokens
        if fresh is None:
            return []
        read = observed.cache_read_input_tokens
        written = observed.cache_creation_5m_input_tokens + observed.cache_creation_1h_input_tokens
        usage = PromptUsage(fresh + read + written, read)
        if not usage.input_tokens or usage == self._prompt:
            return []
        self._prompt = usage
        return [usage]

    def take(self, event: _Fields, events: list[EngineEvent]) -> None:
        """Add what `event` gives rise to. Raises BadGatewayError for what is no answer of the API."""
        match event.get("type"):
            case "content_block_delta":
                if self._kind is None or event.get("index") != self._index:
                    raise BadGatewayError(NO_ANSWER)
                self._delta(_object(event.get("delta")), events)
            case "content_block_start":
                if self._kind is not None:
                    raise BadGatewayError(NO_ANSWER)
                self._index = event.get("index")
                self._start(_object(event.get("content_block")), events)
            case "content_block_stop":
                if self._kind is None or event.get("index") != self._index:
                    raise BadGatewayError(NO_ANSWER)
                self._close(events)
            case "message_delta":
                if self._kind is not None:
                    raise BadGatewayError(NO_ANSWER)
                self._message(event)
            case _:
                pass  # "New event types may be added" (streaming.md): such says nothing that is known here.

    def end(self) -> list[EngineEvent]:
        """The last events. Raises BadGatewayError where the answer is not one that was asked for."""
        if self._cut is not None:
            # What it has cost is known by estimate alone.
            return [Stop(self._cut, min(self._produced, self._most))]
        reason = _REASONS.get(self._reason or "")
        if reason is None:
            raise BadGatewayError("The upstream's answer ended for a reason that cannot be passed on.")
        if reason not in _CUT:
            if self._unusable is not None:
                raise BadGatewayError(f"The upstream called {self._unusable} with an input that is no JSON object.")
            if self._choice["type"] in {"any", "tool"} and not self._called:
                raise BadGatewayError("The upstream did not call the tool that it was told to call.")
        tokens = self._output_tokens
        if tokens is None or (tokens == 0 and self._produced):
            tokens = self._produced
        tokens = min(max(tokens, 1), self._most)
        if reason == "stop_sequence":
            if self._sequence in self._turn.stop_sequences:
                # Found again where it is put back; what else the upstream has counted comes with it.
                rest = max(tokens - self._given, 0)
                return [TextDelta(cast("str", self._sequence), rest), Stop("end_turn", tokens)]
            reason = "end_turn"
        return [Stop(reason, tokens, self._stop_details if reason == "refusal" else None)]

    # --- blocks ---

    def _start(self, block: _Fields, events: list[EngineEvent]) -> None:
        kind = block.get("type")
        match kind:
            case "text":
                self._held = []
                self._say(_text(block, "text"), events)
            case "thinking":
                self._held = []
                if block.get("thinking"):
                    self._think(_text(block, "thinking"), events)
            case "redacted_thinking":
                if self._turn.thinking is not None:
                    # What it cost is not to be seen; the end counts it.
                    events.append(RedactedThinking(_text(block, "data"), 0))
            case "tool_use":
                self._call(block, events)
            case _:
                raise BadGatewayError(
                    f"The upstream's answer holds a block of type {str(kind)[:64]!r}, which cannot be passed on."
                )
        self._kind, self._block = kind, block

    def _call(self, block: _Fields, events: list[EngineEvent]) -> None:
        name, toolset = _text(block, "name"), block.get("toolset_name")
        if not name or self._choice["type"] == "none":
            raise BadGatewayError(NO_ANSWER)
        if self._called and self._choice.get("disable_parallel_tool_use"):
            self._cut = "tool_use"
            return
        self._called += 1
        self._input = []
        events.append(ToolUse(name, toolset if isinstance(toolset, str) else None, self._tokens(name)))

    def _delta(self, delta: _Fields, events: list[EngineEvent]) -> None:
        match self._kind, delta.get("type"):
            case "text", "text_delta":
                self._say(_text(delta, "text"), events)
            case "text", "citations_delta":
                # A cited text names its source before its first word (all recordings), and can name one here.
                if self._held is not None and self._citation is None:
                    self._citation = place_of(_object(delta.get("citation")), self._turn.materials)
            case "thinking", "thinking_delta":
                self._think(_text(delta, "thinking"), events)
            case "thinking", "signature_delta":
                pass  # The block will bear a signature of this server.
            case "tool_use", "input_json_delta":
                piece = _text(delta, "partial_json")
                if piece:
                    self._input.append(piece)
                    events.append(InputDelta(piece, self._tokens(piece)))
            case _:
                raise BadGatewayError(NO_ANSWER)

    def _close(self, events: list[EngineEvent]) -> None:
        if self._kind == "tool_use":
            given = self._block.get("input")
            if not self._input and isinstance(given, dict) and given:
                piece = orjson.dumps(given).decode()
                events.append(InputDelta(piece, self._tokens(piece)))
            elif self._input and not _is_object("".join(self._input)):
                self._unusable = str(self._block["name"])
        elif self._kind == "thinking" and self._held is not None:
            # Its text was left out, and the block is one all the same.
            self._think("", events)
        self._kind, self._held, self._citation = None, None, None
        events.append(BlockEnd())

    def _say(self, text: str, events: list[EngineEvent]) -> None:
        if self._held is not None:
            self._held.append(text)
            if not text or text.isspace():
                return
            text = "".join(self._held)
            self._held = None
            if self._citation is not None:
                events.append(self._citation)
        if text:
            events.append(TextDelta(text, self._tokens(text)))

    def _think(self, text: str, events: list[EngineEvent]) -> None:
        tokens = self._tokens(text)
        # A piece of nothing opens the block, which the client waits for, and says nothing later on.
        if self._turn.thinking is not None and (text or self._held is not None):
            events.append(ThinkingDelta(text, tokens))
        self._held = None

    def _tokens(self, text: str) -> int:
        """What the next event bears, but never more than may be made."""
        made = count_text(text)
        # Pieces of nothing have an end too.
        self._produced += made or 1
        if self._produced > self._most * _SHARE + _SPARE:
            self._cut = "max_tokens"
        tokens = min(made, self._most - self._given)
        self._given += tokens
        return tokens

    # --- the end ---

    def _message(self, event: _Fields) -> None:
        delta = _object(event.get("delta"))
        reason = delta.get("stop_reason")
        if isinstance(reason, str):
            self._reason = reason
            self._sequence = delta.get("stop_sequence")
            details = delta.get("stop_details")
            self._stop_details = cast("_Fields", details) if isinstance(details, dict) else None
        usage = event.get("usage")
        if isinstance(usage, dict):
            told = count_of(cast("_Fields", usage).get("output_tokens"))
            self._output_tokens = self._output_tokens if told is None else told


def _object(value: object) -> _Fields:
    if not isinstance(value, dict):
        raise BadGatewayError(NO_ANSWER)
    return cast("_Fields", value)


def _text(fields: _Fields, name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise BadGatewayError(NO_ANSWER)
    return value


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
