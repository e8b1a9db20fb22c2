"""The fake upstream: fixed answers of a Claude API and of an OpenAI-compatible server, as fast as Python writes them.

A whole answer has 50 tokens. A stream has 100 deltas, each in a write of its own in a turn of the loop of its own, with
no delay between them.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, cast

import httptools
import uvloop

from .ready import Place, parser, place

DELTAS: Final = 100
_TEXT: Final = " lorem" * 50
_MODEL: Final = "fake-1"
_USAGE: Final = {"input_tokens": 200, "output_tokens": 50}
_CHAT_USAGE: Final = {"prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250}

_Json = dict[str, Any]


def _claude_message(content: list[_Json], stop_reason: str | None, usage: _Json) -> _Json:
    return {
        "id": "msg_01ABCDEFGHIJKLMNOPQRSTUV",
        "type": "message",
        "role": "assistant",
        "model": _MODEL,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {**usage, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
    }


def _claude_events() -> list[bytes]:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " lorem"}}
    events: list[_Json] = [
        {"type": "message_start", "message": _claude_message([], None, {**_USAGE, "output_tokens": 1})},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *[delta] * DELTAS,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE},
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {_text(event)}\n\n".encode() for event in events]


def _chunk(choices: list[_Json], **more: Any) -> _Json:
    named = {"id": "chatcmpl-ABCDEFGHIJKLMNOP", "object": "chat.completion.chunk", "created": 1_700_000_000}
    return {**named, "model": _MODEL, "choices": choices, **more}


def _delta(delta: _Json, finish_reason: str | None = None) -> _Json:
    return _chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}])


def _chat_events() -> list[bytes]:
    chunks = [
        _delta({"role": "assistant", "content": ""}),
        *[_delta({"content": " lorem"})] * DELTAS,
        _delta({}, "stop"),
        _chunk([], usage=_CHAT_USAGE),
    ]
    return [*(f"data: {_text(chunk)}\n\n".encode() for chunk in chunks), b"data: [DONE]\n\n"]


def _chat_completion() -> _Json:
    message = {"role": "assistant", "content": _TEXT}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_chunk([choice], usage=_CHAT_USAGE), "object": "chat.completion"}


def _text(value: _Json) -> str:
    return json.dumps(value, separators=(",", ":"))


def _whole(value: _Json) -> bytes:
    body = _text(value).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _chunked(events: list[bytes]) -> list[bytes]:
    pieces = [b"%x\r\n%s\r\n" % (len(event), event) for event in events]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head + pieces[0], *pieces[1:-1], pieces[-1] + b"0\r\n\r\n"]


_CLAUDE: Final = (_whole(_claude_message([{"type": "text", "text": _TEXT}], "end_turn", _USAGE)), _claude_events())
_CHAT: Final = (_whole(_chat_completion()), _chat_events())
_WHOLE: Final = {"messages": _CLAUDE[0], "completions": _CHAT[0]}
_STREAM: Final = {"messages": _chunked(_CLAUDE[1]), "completions": _chunked(_CHAT[1])}
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Connection(asyncio.Protocol):
    """Its `on_*` methods are httptools' callbacks."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._path = ""
        self._stream = False
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url.partition(b"?")[0].rpartition(b"/")[2].decode()
        self._stream = False
        self._tail = b""

    def on_body(self, data: bytes) -> None:
        # Bodies come in pieces, and the member may be cut in two.
        data = self._tail + data
        self._stream = self._stream or b'"stream":true' in data or b'"stream": true' in data
        self._tail = data[-16:]

    def on_message_complete(self) -> None:
        assert self._transport is not None
        if self._stream:
            self._write(_STREAM.get(self._path, [_NOT_FOUND]), 0)
        else:
            self._transport.write(_WHOLE.get(self._path, _NOT_FOUND))

    def _write(self, pieces: list[bytes], at: int) -> None:
        if self._transport is None:
            return
        self._transport.write(pieces[at])
        if at + 1 < len(pieces):
            self._loop.call_soon(self._write, pieces, at + 1)


async def serve(where: Place) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, sock=where.listener, backlog=2048)
    where.announce()
    await server.serve_forever()


def main() -> None:
    with place(parser(__doc__).parse_args()) as where:
        uvloop.run(serve(where))


if __name__ == "__main__":
    main()
