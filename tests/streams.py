"""Reading streams in tests, and the automaton that every stream any test sees must pass (invariant 1)."""

from __future__ import annotations

import json
import re
from typing import Any

Event = dict[str, Any]

_DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "mcp_tool_use": {"input_json_delta"},
    "compaction": {"compaction_delta"},
}
_CUT = {"max_tokens", "model_context_window_exceeded", "refusal"}


def parse_sse(body: bytes | str) -> list[Event]:
    """The events of a stream. Fails on any byte that the real service would not send."""
    text = body.decode("utf-8") if isinstance(body, bytes) else body
    assert "\r" not in text
    assert text.endswith("\n\n"), repr(text[-80:])
    events: list[Event] = []
    for frame in text[:-2].split("\n\n"):
        match = re.fullmatch(r"event: ([a-z_]+)\ndata: ([^\n]*)", frame)
        assert match, repr(frame)
        event = json.loads(match[2])
        assert event["type"] == match[1]
        if event["type"] == "ping":
            assert match[2] == '{"type": "ping"}'
        events.append(event)
    return events


def check_stream(events: list[Event]) -> None:
    """The stream automaton. Raises AssertionError for a stream that breaks the grammar."""
    assert events, "an empty stream"
    if events[0]["type"] == "error":
        assert len(events) == 1
        return
    assert events[0]["type"] == "message_start"
    start = events[0]["message"]
    if start["stop_reason"] is not None:
        _check_whole(start, events[1:])
        return
    assert start["content"] == []
    assert start["stop_reason"] is None
    assert start["usage"]["input_tokens"] + start["usage"]["cache_read_input_tokens"] > 0
    open_block: Event | None = None
    partial: list[str] = []
    blocks: list[Event] = []
    last_output = 0
    delta_event: Event | None = None
    ended = False
    errored = False
    for event in events[1:]:
        assert not ended, f"{event['type']} after message_stop"
        assert not errored, f"{event['type']} after error"
        match event["type"]:
            case "ping":
                pass
            case "content_block_start":
                assert open_block is None, "a block is open already"
                assert delta_event is None
                assert event["index"] == len(blocks)
                open_block = dict(event["content_block"])
                partial = []
                blocks.append(open_block)
            case "content_block_delta":
                assert open_block is not None
                assert event["index"] == len(blocks) - 1
                delta = event["delta"]
                assert delta["type"] in _DELTAS[open_block["type"]]
                if delta["type"] == "text_delta":
                    assert delta["text"], "an empty text_delta"
                    open_block["text"] += delta["text"]
                elif delta["type"] == "input_json_delta":
                    partial.append(delta["partial_json"])
            case "content_block_stop":
                assert open_block is not None
                assert event["index"] == len(blocks) - 1
                if open_block["type"] == "text":
                    assert open_block["text"], "an empty text block"
                open_block["partial"] = "".join(partial)
                open_block = None
            case "message_delta":
                assert open_block is None
                assert delta_event is None, "two message_delta"
                delta_event = event
                assert event["usage"]["output_tokens"] >= last_output
                last_output = event["usage"]["output_tokens"]
            case "message_stop":
                assert delta_event is not None
                ended = True
            case "error":
                errored = True
            case other:
                raise AssertionError(f"unknown event {other}")
    assert ended != errored, "neither ended nor broken off"
    if not ended:
        return
    assert delta_event is not None
    reason = delta_event["delta"]["stop_reason"]
    assert reason is not None
    assert (delta_event["delta"]["stop_sequence"] is not None) == (reason == "stop_sequence")
    if reason not in _CUT:
        for block in blocks:
            if block["type"] in {"tool_use", "server_tool_use"} and block["partial"]:
                json.loads(block["partial"])
        # What a model has called before it declined is nobody's to run.
        last = max((place for place, block in enumerate(blocks) if block["type"] == "fallback"), default=-1)
        assert (reason == "tool_use") == any(block["type"] == "tool_use" for block in blocks[last + 1 :])


def _check_whole(message: Event, rest: list[Event]) -> None:
    """An answer that no model was asked for: what code has called, in one event (recorded)."""
    assert [event["type"] for event in rest] == ["message_stop"]
    assert message["stop_reason"] == "tool_use"
    assert list(message["usage"]) == ["input_tokens", "output_tokens", "server_tool_use"]
    assert any(block["type"] == "tool_use" for block in message["content"])
    assert all(block["caller"]["type"] != "direct" for block in message["content"])


_ID = re.compile(r"\b(msg|toolu|srvtoolu|req|container|file)_[0-9A-Za-z]{10,}\b")


def without_ids(value: Any) -> Any:
    """`value` with every id replaced by its prefix, so that two runs can be compared."""
    return json.loads(_ID.sub(r"\1_ID", json.dumps(value)))


def without_signatures(value: Any) -> Any:
    """`value` with every signature of thinking replaced: each installation signs with a key of its own."""
    return json.loads(re.sub(r'"signature": "[^"]+"', '"signature": "S"', json.dumps(value)))
