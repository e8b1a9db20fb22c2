"""Asks Understudy and its worker in one way: a connection each, what comes is only kept, and read once all is over."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httptools

from benchmarks.servers import BenchmarkError

PATIENCE = 120.0
"""Seconds that one request may take."""

_CLAUDE_TEXT = b'"text_delta"'
_WORKER_TEXT = b'"content":'


@dataclass(frozen=True)
class Place:
    """Who is asked: a TCP address or the path of a Unix socket, a route, the headers, and what marks a text event."""

    address: tuple[str, int] | Path
    path: str
    headers: dict[str, str]
    marks: bytes


@dataclass(frozen=True)
class Answer:
    """Times in seconds. `first` is up to the first text of a stream. Tokens are what the server says."""

    first: float
    seconds: float
    prompt: int
    tokens: int


@dataclass(frozen=True)
class Answers:
    """Those that were asked for at once; `seconds` from the first byte sent to the last one that came."""

    each: list[Answer]
    seconds: float

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.each)

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def understudy(host: str, port: int, headers: dict[str, str]) -> Place:
    return Place((host, port), "/v1/messages", headers, _CLAUDE_TEXT)


def worker(socket: Path, api_key: str) -> Place:
    headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}
    return Place(socket, "/completion", headers, _WORKER_TEXT)


def ask(place: Place, bodies: Sequence[dict[str, Any]]) -> Answers:
    """All of `bodies` at once. Raises BenchmarkError for what is no 200, breaks off, or takes too long."""
    return asyncio.run(_ask(place, [json.dumps(body).encode() for body in bodies]))


async def _ask(place: Place, bodies: Sequence[bytes]) -> Answers:
    clients = [await _connect(place) for _ in bodies]
    try:
        began = time.perf_counter()
        for client, body in zip(clients, bodies, strict=True):
            client.send(body)
        async with asyncio.timeout(PATIENCE):
            for client in clients:
                await client.ended
        ended = max(client.last for client in clients)
        return Answers([client.answer() for client in clients], ended - began)
    except TimeoutError:
        raise BenchmarkError(f"{place.path} did not answer within {PATIENCE:.0f} s") from None
    finally:
        for client in clients:
            client.close()


async def _connect(place: Place) -> _Client:
    loop = asyncio.get_running_loop()
    if isinstance(place.address, Path):
        _, client = await loop.create_unix_connection(lambda: _Client(place), str(place.address))
    else:
        _, client = await loop.create_connection(lambda: _Client(place), *place.address)
    return client


class _Client(asyncio.Protocol):
    """One exchange. Its `on_*` methods are httptools' callbacks."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._sent = 0.0
        self._first = 0.0
        self.last = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, body: bytes) -> None:
        assert self._transport is not None
        head = f"POST {self._place.path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self._place.headers.items())
        self._sent = time.perf_counter()
        self._transport.write(head.encode() + b"\r\n" + body)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def answer(self) -> Answer:
        body = b"".join(self._pieces)
        if self._parser.get_status_code() != 200 or b"event: error\n" in body:
            raise BenchmarkError(f"{self._place.path} answered {self._parser.get_status_code()}: {body[-500:]!r}")
        prompt, tokens = counted(body)
        return Answer((self._first or self.last) - self._sent, self.last - self._sent, prompt, tokens)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(BenchmarkError(f"{self._place.path} broke its answer off"))

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        if not self._first and self._place.marks in data:
            self._first = time.perf_counter()

    def on_message_complete(self) -> None:
        self.last = time.perf_counter()
        if not self.ended.done():
            self.ended.set_result(None)


def counted(body: bytes) -> tuple[int, int]:
    """Tokens of the prompt and of the answer, from whole answers of the Messages API and from streams of both."""
    prompt = tokens = -1
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith((b"data: {", b"{"))]
    # The first events and the last ones say it.
    for line in {*lines[:3], *lines[-3:]}:
        event: dict[str, Any] = json.loads(line)
        usage = event.get("usage") or event.get("message", {}).get("usage")
        if event.get("stop") is True:
            prompt, tokens = event["tokens_evaluated"], event["tokens_predicted"]
        elif usage and event.get("type") != "message_start":
            cached = usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
            prompt, tokens = usage["input_tokens"] + cached, usage["output_tokens"]
    if tokens < 0:
        raise BenchmarkError(f"an answer says nothing of its tokens: {body[-500:]!r}")
    return prompt, tokens
