"""Chunks of a chat completion as an engine's events."""

from __future__ import annotations

from typing import Any, Final, Literal, cast

from understudy.engines.engine import (
    EngineEvent,
    PromptUsage,
    Stop,
    StopReason,
    TextDelta,
)

from .calls import Call, Calls, Fields
from .errors import UpstreamError
from .estimates import estimate, pieces, text_of
from .parts import Parts, Tokens
from .think_tags import Kind, ThinkTags
from .tools import Names

REASONS: Final[dict[str, StopReason]] = {
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "max_tokens",
    "content_filter": "refusal",
}
"""Any other reason is an end of the model's own; whether it is for a tool, the calls tell."""
FAILED: Final = frozenset({"abort", "error", "insufficient_system_resource"})
# Chunks beyond `max_tokens`, each at least a token, and the share by which the estimate may be beyond it, after which
# an upstream is taken to mind no limit.
SPARE: Final = 16
SHARE: Final = 3
_MOST_USAGE: Final = 1 << 40
_NO_NUMBERS: Final = (None, 0, None)


class Answer:
    """`reason` is the upstream's finish_reason, once it is known; `over` that nothing more is wanted of it."""

    __slots__ = (
        "_calls",
        "_chunks",
        "_exceeded",
        "_first_call",
        "_high",
        "_max_tokens",
        "_may_call",
        "_must_call",
        "_one_call",
        "_parts",
        "_produced",
        "_refused",
        "_tags",
        "_thinks",
        "_tokens",
        "_usage",
        "over",
        "reason",
    )

    def __init__(
        self,
        names: Names,
        *,
        max_tokens: int,
        thinks: bool,
        think_tags: Literal["no", "yes", "open"] = "no",
        calls: bool = True,
        forced: bool = False,
        one_call: bool = False,
    ) -> None:
        self._max_tokens = max_tokens
        self._thinks = thinks
        self._tags = None if think_tags == "no" else ThinkTags(opened=think_tags == "open")
        self._may_call = calls
        self._must_call = forced
        self._one_call = one_call
        self._calls = Calls()
        self._first_call: Call | None = None
        self._tokens = Tokens(max_tokens)
        self._parts = Parts(names, self._tokens.take)
        # Halves of characters that an upstream cut in two, by where they stand.
        self._high: dict[str, str] = {}
        # All tokens, by estimate.
        self._produced = 0
        self._chunks = 0
        self._exceeded = False
        self._usage: tuple[int | None, int, int | None] = _NO_NUMBERS
        self._refused: list[str] = []
        self.reason: str | None = None
        self.over = False

    def take(self, chunk: Fields) -> list[EngineEvent]:
        """The events that a chunk gives rise to. Raises UpstreamError."""
        # Every token passes here: a check of a class is cheaper than isinstance with a cast behind it, and JSON is made
        # of no others.
        events = self._parts.events = []
        usage: Any = chunk.get("usage")
        produced = None if usage is None else self._take_usage(usage)
        choices: Any = chunk.get("choices")
        if choices.__class__ is list:
            for choice in choices:
                if choice.__class__ is dict and not choice.get("index"):
                    self._take_choice(choice, produced)
        return events

    def say(self, texts: list[str], events: list[EngineEvent]) -> None:
        """As `take` of chunks that hold these pieces of the answer's text and nothing else; adds to `events`."""
        parts = self._parts
        parts.events = events
        # Nearly every token of a stream passes here.
        if self._flows() and "".join(texts).isascii():
            sizes = [pieces.get(text) or estimate(text) for text in texts]
            made = sum(sizes)
            if self._fits(len(texts), made) and self._tokens.spread(sizes, made):
                self._chunks += len(texts)
                self._produced += made
                self._exceeded = False
                events += map(TextDelta, texts, sizes)
                return
        for text in texts:
            self._count(None, text)
            self._content(text)
            if self.over:
                return

    def _flows(self) -> bool:
        """Whether a piece of text would be passed on as it is."""
        return self._parts.flows and not self._high and (self._tags is None or self._tags.passed)

    def _fits(self, chunks: int, tokens: int) -> bool:
        """Whether an upstream that minds its limit may have sent so much more."""
        most = self._max_tokens
        return self._chunks + chunks <= most + SPARE and self._produced + tokens <= most * SHARE + SPARE

    def end(self) -> list[EngineEvent]:
        """The last events. Raises UpstreamError where the answer is not what was asked for."""
        events = self._parts.events = []
        reason = "length" if self._exceeded else self.reason or "stop"
        if reason in FAILED:
            raise UpstreamError
        if self._tags is not None:
            for kind, text in self._tags.end():
                self._say(kind, text)
        stop: StopReason = REASONS.get(reason, "end_turn")
        if self._refused:
            stop = "refusal"
        _, _, tokens = self._usage
        if tokens is None or (tokens == 0 and self._produced):
            tokens = self._produced
        if stop == "end_turn" and tokens >= self._max_tokens and self._parts.breaks_off():
            # Some servers end every call alike, also one that the limit cut.
            stop = "max_tokens"
        cut = stop != "end_turn"
        self._parts.end(cut=cut)
        if self._must_call and not self._parts.called and not cut:
            raise UpstreamError("The model did not call the tool that it was told to call.")
        if stop == "end_turn" and self._parts.called:
            stop = "tool_use"
        details = None
        if stop == "refusal":
            details = {"type": "refusal", "category": None, "explanation": "".join(self._refused) or None}
        events.append(Stop(stop, min(max(tokens, 1), self._max_tokens), details))
        return events

    # --- what a chunk holds ---

    def _take_usage(self, usage: Any) -> int | None:
        """The tokens that the upstream says it has made so far, where it says so."""
        if not isinstance(usage, dict):
            return None
        prompt, cached, answer = usage_of(cast("Fields", usage))
        known_prompt, known_cached, known_answer = self._usage
        if not prompt:
            prompt = known_prompt
        cached = known_cached if cached is None else cached
        if prompt is not None:
            cached = min(cached, prompt)
            if (prompt, cached) != (known_prompt, known_cached):
                self._parts.events.append(PromptUsage(prompt, cached))
        self._usage = prompt, cached, known_answer if answer is None else answer
        return answer

    def _take_choice(self, choice: Fields, produced: int | None) -> None:
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.reason = reason
        delta: Any = choice.get("delta") or choice.get("message")
        if delta.__class__ is not dict:
            return
        thinking: Any = delta.get("reasoning_content") or delta.get("reasoning")
        content: Any = delta.get("content")
        calls: Any = delta.get("tool_calls")
        if not calls and delta.get("function_call").__class__ is dict:
            calls = [{"index": 0, "function": delta["function_call"]}]
        refusal: Any = delta.get("refusal")
        if not (thinking or content or calls or refusal):
            return
        self._count(produced, thinking, content, calls, refusal)
        if isinstance(thinking, str):
            if self._tags is not None:
                self._tags.told_apart()
            self._say("thinking", self._mended("thinking", thinking))
        if isinstance(content, str):
            self._content(content)
        elif isinstance(content, list):
            self._content_parts(cast("list[Any]", content))
        if isinstance(refusal, str):
            refusal = self._mended("refusal", refusal)
            self._refused.append(refusal)
            self._say("text", refusal)
        if isinstance(calls, list):
            for piece in cast("list[Any]", calls):
                if isinstance(piece, dict):
                    self._take_call(cast("Fields", piece))

    def _content(self, text: str) -> None:
        text = self._mended("text", text)
        if self._tags is None:
            self._say("text", text)
        else:
            for kind, piece in self._tags.feed(text):
                self._say(kind, piece)

    def _content_parts(self, parts: list[Any]) -> None:
        """Content as a list of texts and thoughts, which Mistral's servers write."""
        for part in parts:
            if isinstance(part, dict):
                fields = cast("Fields", part)
                text = fields.get("text")
                if isinstance(text, str):
                    self._say("text", self._mended("text", text))
                thoughts = fields.get("thinking")
                for thought in cast("list[Any]", thoughts) if isinstance(thoughts, list) else [fields]:
                    inner = thought.get("text" if thought is not fields else "thinking")
                    if isinstance(inner, str):
                        self._say("thinking", self._mended("thinking", inner))

    def _count(self, produced: int | None, *made: Any) -> None:
        """Keep count of what the chunk cost, and see whether the upstream minds its limit."""
        if produced is None:
            tokens = 0
            for part in made:
                if part:
                    tokens += estimate(part if part.__class__ is str else text_of(part))
            self._made(tokens)
            return
        tokens = max(produced - self._produced, 0)
        self._exceeded = produced > self._max_tokens
        self._tokens.owed += tokens
        self._produced += tokens
        self.over = self.over or self._exceeded

    def _made(self, tokens: int) -> None:
        """A chunk of so many tokens by estimate."""
        self._exceeded = not self._fits(1, tokens)
        self._chunks += 1
        self._tokens.owed += tokens
        self._produced += tokens
        if self._exceeded:
            self.over = True

    def _mended(self, place: str, text: str) -> str:
        """`text` with whole characters only: one that an upstream cut in two waits for its other half."""
        held = self._high.pop(place, "") if self._high else ""
        if not held and text.isascii():
            return text
        text = held + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._high[place] = text[-1]
            text = text[:-1]
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text

    def _say(self, kind: Kind, text: str) -> None:
        if text and (kind == "text" or self._thinks):
            self._parts.say(kind, text)

    def _take_call(self, piece: Fields) -> None:
        if not self._may_call:
            # It was told to call none, or there is none to be called.
            return
        call, new = self._calls.find(piece)
        if new:
            if self._first_call is None:
                self._first_call = call
            if not self._one_call or call is self._first_call:
                self._parts.begin(call)
            elif self._first_call.whole():
                self.over = True
        if self._one_call and call is not self._first_call:
            return
        function: Any = piece.get("function")
        if isinstance(function, dict):
            fields = cast("Fields", function)
            arguments = fields.get("arguments")
            if isinstance(arguments, str):
                arguments = self._mended(f"call {id(call)}", arguments)
            call.add(fields.get("name"), arguments)
        self._parts.advance()


def usage_of(usage: Fields) -> tuple[int | None, int | None, int | None]:
    """The prompt's tokens, how many of them were cached, and the answer's, each where it is said."""
    details: Any = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if details.__class__ is dict else None
    if cached is None:
        # DeepSeek's name for it.
        cached = _count(usage.get("prompt_cache_hit_tokens"))
    return _count(usage.get("prompt_tokens")), cached, _count(usage.get("completion_tokens"))


def _count(value: Any) -> int | None:
    """A number of tokens, where it is one."""
    return value if value.__class__ is int and 0 <= value < _MOST_USAGE else None
