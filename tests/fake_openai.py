"""A fake of an OpenAI-compatible server on a real socket: it says what the test wrote down, byte by byte if need be."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

DONE = b"data: [DONE]\n\n"


def chunk(delta: Json | None = None, finish_reason: str | None = None, usage: Json | None = None, **more: Any) -> Json:
    """A chunk as servers write it. Without a delta and a reason it bears usage alone."""
    choices: list[Json] = []
    if delta is not None or finish_reason is not None:
        choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish_reason, "logprobs": None}]
    made: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    if usage is not None:
        made["usage"] = usage
    return made | more


def usage(prompt: Any, completion: Any, cached: Any = None) -> Json:
    made: Json = {"prompt_tokens": prompt, "completion_tokens": completion}
    if cached is not None:
        made["prompt_tokens_details"] = {"cached_tokens": cached}
    return made


def call(index: int | None, id_: str | None = None, name: str | None = None, arguments: Any = None) -> Json:
    """A piece of a call; what is None is not there."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    made: Json = {"index": index, "id": id_, "type": "function", "function": function}
    return {key: value for key, value in made.items() if value is not None}


def calls(*pieces: Json) -> Json:
    return chunk({"tool_calls": list(pieces)})


def texts(*pieces: str) -> list[Json]:
    return [chunk({"content": piece}) for piece in pieces]


def sse(chunks: Iterable[Json | bytes], done: bool = True, escaped: bool = True) -> bytes:
    body = b"".join(
        piece if isinstance(piece, bytes) else b"data: " + json.dumps(piece, ensure_ascii=escaped).encode() + b"\n\n"
        for piece in chunks
    )
    return body + DONE if done else body


@dataclass
class Reply:
    """`pieces` are written one by one, each on the wire before the next; a number waits so many seconds, None for ever.

    `cut`: the connection breaks where the pieces end.
    """

    pieces: Sequence[bytes | float | None] = ()
    status: int = 200
    content_type: str = "text/event-stream"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    cut: bool = False
    close: bool = False


def stream(*chunks: Json | bytes, done: bool = True, cut: bool = False) -> Reply:
    return Reply([sse(chunks, done)], cut=cut)


def said(*pieces: str, reason: str = "stop", prompt: int = 11, completion: int = 7) -> Reply:
    """A usual answer of text."""
    return stream(*texts(*pieces), chunk(finish_reason=reason), chunk(usage=usage(prompt, completion)))


def refused(status: int, body: Any, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply([content], status, "application/json", named)


Script: TypeAlias = Callable[[Json], Reply]


@dataclass
class FakeOpenAI:
    """`replies` are given in turn, the last one again and again; or `script` makes one of each body."""

    replies: list[Reply] = field(default_factory=list[Reply])
    script: Script | None = None
    url: str = ""
    bodies: list[Json] = field(default_factory=list[Json])
    paths: list[str] = field(default_factory=list[str])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    connections: int = 0
    # Set when a client has gone before its answer was whole, and when it was (seconds of the loop's clock).
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    gone_at: float = 0.0
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def reply(self, *replies: Reply) -> None:
        self.replies = list(replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(reader, writer):
                    pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.paths.append(head[0].split(" ")[1])
        self.headers.append(headers)
        body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))))
        self.bodies.append(body)
        if self.script is not None:
            reply = self.script(body)
        else:
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        lines = [f"HTTP/1.1 {reply.status} Said", f"content-type: {reply.content_type}", "transfer-encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        watch = asyncio.ensure_future(self._watch(reader))
        try:
            for piece in reply.pieces:
                if isinstance(piece, bytes):
                    writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    await writer.drain()
                else:
                    done, _ = await asyncio.wait([watch], timeout=piece)
                    if done:
                        return False
            if reply.cut:
                return False
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        return not reply.close

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        """Ends when the client goes. A client that stays says nothing before its answer is whole."""
        while not reader.at_eof():
            await asyncio.sleep(0.002)
        self.gone_at = asyncio.get_running_loop().time()
        self.gone.set()


@asynccontextmanager
async def fake_openai(*replies: Reply, script: Script | None = None) -> AsyncGenerator[FakeOpenAI]:
    fake = FakeOpenAI(list(replies), script)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield fake
    finally:
        server.close()
        for task in list(fake.tasks):
            task.cancel()
        await asyncio.gather(*fake.tasks, return_exceptions=True)
