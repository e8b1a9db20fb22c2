"""What a scenario holds: rules that say when they apply and what is answered, and faults by chance.

The same classes are read from a file (TOML or JSON) and written in Python. Unknown names are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from understudy.engines.scenarios.failures import Failure

MESSAGES_PATH = "/v1/messages"

# Reasons that a Message can name (the official SDK's StopReason, 2.12.0). `stop_sequence` is missing: an answer that
# holds one of the request's stop sequences ends there by itself.
StopReasonName: TypeAlias = Literal[
    "end_turn",
    "max_tokens",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]


class _Part(BaseModel):
    # Every server knows these classes; only one that is given a scenario pays for what makes them work.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Text(_Part):
    type: Literal["text"] = "text"
    text: str


class Thinking(_Part):
    type: Literal["thinking"] = "thinking"
    thinking: str


class Redacted(_Part):
    """A block of thinking that the client cannot read."""

    type: Literal["redacted_thinking"] = "redacted_thinking"
    data: str = "redacted"


class ToolCall(_Part):
    """A call of a client tool, or of a function of a server tool (`bash_code_execution`, say), which is then run."""

    type: Literal["tool_use"] = "tool_use"
    name: str
    input: dict[str, Any] = {}


Block: TypeAlias = Annotated[Text | Thinking | Redacted | ToolCall, Field(discriminator="type")]


class Fault(_Part):
    """What goes wrong on the way to the client, once `after_events` events of the stream were sent (pings not counted).

    `cut` closes the connection; before the first event, or in an answer that is no stream, nothing is sent at all.
    `error` sends `error` as the stream's last event; before the first event, or without a stream, it is a plain status.
    `malformed` sends `data` where JSON is expected, and goes on. A stream of fewer events stays whole.
    """

    kind: Literal["cut", "error", "malformed"]
    after_events: int = Field(default=0, ge=0)
    error: Failure = Field(default_factory=lambda: Failure(status=529))
    data: str = 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"te\n\n'


class Answer(_Part):
    """What is answered. With neither content nor `error`, the engine behind the scenario answers.

    `text`, `thinking` and `tool_calls` are short for `content`, in the order thinking, text, calls. `delay` is seconds
    before the first byte, `delay_between` seconds between two deltas, `delta_tokens` tokens in a delta and
    `chunk_bytes` bytes in what is written to the connection at once. `reply` is a function of the request's body that
    gives the answer, or its text, for scenarios written in Python.
    """

    text: str | None = None
    thinking: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    content: tuple[Block, ...] = ()
    stop_reason: StopReasonName | None = None
    stop_details: dict[str, Any] | None = None
    error: Failure | None = None
    fault: Fault | None = None
    delay: float = Field(default=0.0, ge=0, le=3600)
    delay_between: float = Field(default=0.0, ge=0, le=3600)
    delta_tokens: int = Field(default=3, ge=1)
    chunk_bytes: int | None = Field(default=None, ge=1)
    reply: Callable[[dict[str, Any]], Answer | str] | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _one_way(self) -> Answer:
        short = self.text is not None or self.thinking is not None or bool(self.tool_calls)
        if self.content and short:
            raise ValueError("`content` is all of an answer; it stands without `text`, `thinking` and `tool_calls`")
        if self.error is not None and (self.content or short):
            raise ValueError("an answer is either an `error` or content")
        if self.stop_reason is not None and not self.scripted:
            raise ValueError("`stop_reason` needs content that it ends")
        return self

    @property
    def blocks(self) -> tuple[Text | Thinking | Redacted | ToolCall, ...]:
        if self.content:
            return self.content
        blocks: list[Text | Thinking | Redacted | ToolCall] = []
        if self.thinking is not None:
            blocks.append(Thinking(thinking=self.thinking))
        if self.text:
            blocks.append(Text(text=self.text))
        return (*blocks, *self.tool_calls)

    @property
    def scripted(self) -> bool:
        """Whether the content comes from here, and not from the engine behind."""
        return bool(self.content) or self.text is not None or self.thinking is not None or bool(self.tool_calls)


def _from_text(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


def _several(value: object) -> object:
    several = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
    return tuple(_from_text(one) for one in several)


class When(_Part):
    """All conditions that are given must hold.

    `model`, `path` and the values of `header` are patterns with `*` and `?`. Texts are those of the last user turn;
    the conditions that end in `_matches` are regular expressions that are searched. `nth` counts the requests of the
    same path from 1. The keys of `json` are paths such as `messages.0.content` or `tools.*.name`; `*` stands for any
    item. `predicate` is a function of the request's body, for scenarios written in Python.
    """

    model: str | None = None
    text: str | None = None
    text_contains: str | None = None
    text_matches: str | None = None
    system_contains: str | None = None
    system_matches: str | None = None
    has_tool: str | None = None
    tool_result_for: str | None = None
    tool_result_contains: str | None = None
    stream: bool | None = None
    header: dict[str, str] = {}
    nth: int | tuple[int, ...] | None = None
    json_: dict[str, Any] = Field(default={}, alias="json")
    path: str | None = None
    method: str | None = None
    predicate: Callable[[dict[str, Any]], bool] | None = Field(default=None, exclude=True)

    @field_validator("text_matches", "system_matches")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return value

    @property
    def of_messages(self) -> bool:
        """Whether it is about answers of a model, and not about another path."""
        return self.path is None or self.path == MESSAGES_PATH

    @property
    def reads_body(self) -> bool:
        return bool(self.model_fields_set - {"header", "nth", "path", "method"})


class Rule(_Part):
    """When `when` holds, `answer` is given: the same every time, or one after the other when there are several.

    `times` bounds how often the whole of it is gone through. Several answers are gone through once, if not said
    otherwise. A rule for another path than the Messages API's can answer with an error, a fault or a delay.
    """

    name: str = ""
    when: When = Field(default_factory=lambda: When())
    answer: Annotated[tuple[Answer, ...], BeforeValidator(_several)] = Field(default_factory=lambda: (Answer(),))
    times: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _elsewhere_no_content(self) -> Rule:
        if not self.answer:
            raise ValueError("an `answer` is missing")
        if not self.when.of_messages:
            if self.when.reads_body:
                raise ValueError("a rule for another path can look at `header`, `method` and `nth` only")
            if any(one.scripted for one in self.answer):
                raise ValueError("a rule for another path can answer with an error, a fault or a delay only")
        return self

    @property
    def uses(self) -> int | None:
        """How many requests it answers; None for any number."""
        if self.times is not None:
            return self.times * len(self.answer)
        return None if len(self.answer) == 1 else len(self.answer)

    @property
    def is_last_resort(self) -> bool:
        """Whether it would answer everything, for ever: then it is asked when no other rule answers."""
        return self.uses is None and not self.when.model_fields_set


class Chance(_Part):
    """Something that happens to a share of all requests, `probability` from 0 to 1."""

    probability: float = Field(ge=0, le=1)
    error: Failure | None = None
    fault: Fault | None = None

    @model_validator(mode="after")
    def _something(self) -> Chance:
        if (self.error is None) == (self.fault is None):
            raise ValueError("needs either an `error` or a `fault`")
        return self


class Chances(_Part):
    """Faults by chance, drawn from `seed` and the request's number: every run is the same."""

    seed: int = Field(default=0, ge=-(2**63), lt=2**63)
    each: tuple[Chance, ...] = ()

    @model_validator(mode="after")
    def _at_most_all(self) -> Chances:
        if sum(one.probability for one in self.each) > 1 + 1e-9:
            raise ValueError("the probabilities add up to more than 1")
        return self


class Scenario(_Part):
    """Rules in the order in which they are tried, and what happens to a request that none of them is for."""

    rules: tuple[Rule, ...] = ()
    unmatched: Literal["answer", "error"] = "answer"
    faults: Chances = Field(default_factory=lambda: Chances())
    ids: Literal["random", "deterministic"] = "random"
