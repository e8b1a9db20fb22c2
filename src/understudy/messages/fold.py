"""Events folded to the Message they describe. Nothing else builds a Message."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

import orjson

# Keys of usage in the order of the real service.
_USAGE_ORDER = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "iterations",
    "output_tokens",
    "output_tokens_details",
    "service_tier",
    "inference_geo",
    "server_tool_use",
    "speed",
    "fallback_credit",
)

# The brackets that are open, the innermost first: what closes it, and those around it.
_Open: TypeAlias = "tuple[str, _Open] | None"

_STEPS_BACK: Final = 64


def _closing(open_: _Open) -> str:
    closing: list[str] = []
    while open_ is not None:
        bracket, open_ = open_
        closing.append(bracket)
    return "".join(closing)


def largest_closed_prefix(text: str) -> Any:
    """The JSON value of `text`; where it was cut off, the value of its largest prefix that can be closed; else {}.

    Closing means ending an open string and adding the brackets that are open; a key without its value goes.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    # Ends of prefixes after which the structure can be closed, with the brackets open there. A cut inside an escape or
    # a number needs a few steps back, never many.
    ends: deque[tuple[int, str, _Open]] = deque(maxlen=_STEPS_BACK)
    open_: _Open = None
    in_string = escaped = False
    for place, character in enumerate(text):
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
                ends.append((place + 1, "", open_))
            continue
        if character == '"':
            in_string = True
        elif character in "{[":
            open_ = ("}" if character == "{" else "]", open_)
            ends.append((place + 1, "", open_))
        elif character in "}]":
            if open_ is None:
                break
            open_ = open_[1]
            ends.append((place + 1, "", open_))
        elif character == ",":
            ends.append((place, "", open_))
    if in_string:
        ends.append((len(text) - 1 if escaped else len(text), '"', open_))
    elif open_ is not None:
        ends.append((len(text), "", open_))
    for end, quote, brackets in reversed(ends):
        try:
            return orjson.loads(text[:end].rstrip().rstrip(",") + quote + _closing(brackets))
        except orjson.JSONDecodeError:
            continue
    return {}


class Fold:
    """Takes the events of one message, in order; `message` is the Message so far.

    The event of `message_start` is not changed by what follows.
    """

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        self._content: list[dict[str, Any]] = []
        self._pieces: list[str] = []
        self._json: list[str] | None = None

    def add_all(self, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            self.add(event)

    def add(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "content_block_delta":
                self._add_delta(event["delta"])
            case "content_block_start":
                block = event["content_block"]
                self._content.append(dict(block))
                if block["type"] == "fallback":
                    self.message["model"] = block["to"]["model"]
                self._pieces = []
                self._json = None
            case "content_block_stop":
                self._close_block()
            case "message_start":
                self.message = dict(event["message"])
                # Empty, but for an answer that comes whole.
                self._content = [*self.message["content"]]
                self.message["content"] = self._content
            case "message_delta":
                self._end(event)
            case _:
                pass  # ping and message_stop say nothing of the message.

    def _add_delta(self, delta: Mapping[str, Any]) -> None:
        block = self._content[-1]
        match delta["type"]:
            case "text_delta":
                self._pieces.append(delta["text"])
            case "thinking_delta":
                self._pieces.append(delta["thinking"])
            case "input_json_delta":
                if self._json is None:
                    self._json = []
                self._json.append(delta["partial_json"])
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "citations_delta":
                block["citations"] = [*(block.get("citations") or []), delta["citation"]]
            case "compaction_delta":
                block.update({name: value for name, value in delta.items() if name != "type"})
            case _:
                pass

    def _close_block(self) -> None:
        block = self._content[-1]
        if self._json is not None:
            text = "".join(self._json)
            if text:
                value = largest_closed_prefix(text)
                block["input"] = value if isinstance(value, dict) else {}
        elif self._pieces:
            name = "thinking" if block["type"] == "thinking" else "text"
            block[name] = "".join(self._pieces)

    def _end(self, event: Mapping[str, Any]) -> None:
        for name, value in event["delta"].items():
            if name != "container" or value is not None:
                self.message[name] = value
        usage = dict(cast("Mapping[str, Any]", self.message["usage"]))
        usage.update({name: value for name, value in event["usage"].items() if value is not None})
        if not usage.get("cache_creation_input_tokens") and usage.get("cache_creation"):
            # An upstream's own count, which may come with the end alone, takes the place of our estimate.
            usage["cache_creation"] = dict.fromkeys(usage["cache_creation"], 0)
        self.message["usage"] = {name: usage[name] for name in _USAGE_ORDER if name in usage}
        if "context_management" in event:
            self.message["context_management"] = event["context_management"]
