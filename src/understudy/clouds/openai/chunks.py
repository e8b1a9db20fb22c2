"""The events of a stream as chunks of a chat completion."""

from __future__ import annotations

from typing import Any, Final

import orjson

from .completion import error_body
from .usage import counted, finish_reason

_DONE: Final = b"data: [DONE]\n\n"


class Chunks:
    """One answer's. `include_usage`: every chunk has `usage`, and one with the figures comes last.

    Raises KeyError and TypeError for what is no event of the API.
    """

    def __init__(self, created: int, *, include_usage: bool, functions: bool) -> None:
        self._created = created
        self._include_usage = include_usage
        self._functions = functions
        self._before = self._behind = b""
        self._usage: dict[str, Any] = {}
        # The open block, if it is a call: whether its arguments have begun, and what it has if none come.
        self._calls = 0
        self._call: dict[str, Any] | None = None
        self._begun = False

    def take(self, event: dict[str, Any]) -> bytes:
        """The frames of what `event` says; none for what OpenAI has no words for."""
        match event["type"]:
            case "content_block_delta":
                return self._delta(event["delta"])
            case "content_block_start":
                return self._open(event["content_block"])
            case "content_block_stop":
                return self._close()
            case "message_start":
                return self._start(event["message"])
            case "message_delta":
                return self._end(event)
            case "message_stop":
                return self._last()
            case "error":
                return b"data: " + orjson.dumps(error_body(event)) + b"\n\n"
            case _:
                return b""

    def _start(self, message: dict[str, Any]) -> bytes:
        self._usage.update(message["usage"])
        # What all chunks share is written once.
        self._before = b'data: {"id":' + orjson.dumps(message["id"]) + b',"choices":'
        self._behind = b',"created":%d,"model":%b,"object":"chat.completion.chunk"' % (
            self._created,
            orjson.dumps(message["model"]),
        )
        return self._chunk({"content": "", "role": "assistant"})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choices = orjson.dumps([{"delta": delta, "finish_reason": finish, "index": 0}])
        usage = b',"usage":null' if self._include_usage else b""
        return b"".join((self._before, choices, self._behind, usage, b"}\n\n"))

    def _delta(self, delta: dict[str, Any]) -> bytes:
        kind = delta["type"]
        if kind == "text_delta":
            return self._chunk({"content": delta["text"]})
        if kind == "input_json_delta" and delta["partial_json"] and self._call is not None:
            self._begun = True
            return self._function({"arguments": delta["partial_json"]})
        return b""

    def _open(self, block: dict[str, Any]) -> bytes:
        self._call = None
        kind = block["type"]
        if kind == "text" and block["text"]:
            return self._chunk({"content": block["text"]})
        if kind != "tool_use":
            return b""
        self._call, self._begun = block, False
        self._calls += 1
        return self._function({"arguments": "", "name": block["name"]}, block["id"])

    def _function(self, function: dict[str, Any], call_id: str | None = None) -> bytes:
        if self._functions:
            return self._chunk({"function_call": function}) if self._calls == 1 else b""
        call: dict[str, Any] = {"index": self._calls - 1, "function": function}
        if call_id is not None:
            call |= {"id": call_id, "type": "function"}
        return self._chunk({"tool_calls": [call]})

    def _close(self) -> bytes:
        call, self._call = self._call, None
        if call is None or self._begun:
            return b""
        # OpenAI's calls always have arguments, if only an empty object.
        return self._function({"arguments": orjson.dumps(call["input"]).decode()})

    def _end(self, event: dict[str, Any]) -> bytes:
        self._usage.update({name: value for name, value in event["usage"].items() if value is not None})
        return self._chunk({}, finish_reason(event["delta"]["stop_reason"], functions=self._functions))

    def _last(self) -> bytes:
        if not self._include_usage:
            return _DONE
        usage = b',"usage":' + orjson.dumps(counted(self._usage))
        return b"".join((self._before, b"[]", self._behind, usage, b"}\n\n", _DONE))
