"""The connection to a llama.cpp server, against servers that send exactly what a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.llamacpp.connection import Connection
from understudy.engines.llamacpp.failures import LlamaError, LlamaGoneError, LlamaTimeoutError

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(**fields: Any) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"


def whole(body: bytes, status: str = "200 OK", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status.encode(), len(body), more, body)


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head, await reader.readexactly(length)


class Server:
    """Answers each request with the next of `answers`; the last answers all that follow."""

    def __init__(self, *answers: Answer | bytes) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[bytes, bytes]] = []
        self.sockets = 0
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sockets += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                self.requests.append(await request_of(reader))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(reader, writer)
        self.ended.set()
        writer.close()


@asynccontextmanager
async def talking(*answers: Answer | bytes, **more: Any) -> AsyncGenerator[tuple[Server, Connection]]:
    server = Server(*answers)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "s"
        listening = await asyncio.start_unix_server(server.serve, str(path))
        connection = Connection(path, "secret", **more)
        try:
            yield server, connection
        finally:
            await connection.close()
            listening.close()


async def read(connection: Connection, first: float = 5.0, idle: float = 5.0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with aclosing(connection.stream("/completion", {"stream": True}, first=first, idle=idle)) as lists:
        async for events in lists:
            assert events
            found += events
    return found


async def test_a_request_says_what_http_wants_and_its_key() -> None:
    async with talking(whole(b'{"a":1}')) as (server, connection):
        assert await connection.post("/tokenize", {"content": "é"}, 5.0) == {"a": 1}
        assert await connection.get("/props") == {"a": 1}
    (posted, body), (got, nothing) = server.requests
    assert posted.startswith(b"POST /tokenize HTTP/1.1\r\n") and got.startswith(b"GET /props HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer secret\r\n" in posted and b"\r\nHost: localhost\r\n" in posted
    assert orjson.loads(body) == {"content": "é"}
    assert nothing == b""
    assert server.sockets == 1


async def test_an_http_address_may_have_a_path_of_its_own() -> None:
    server = Server(whole(b"{}"))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    connection = Connection(f"http://127.0.0.1:{port}/llama/", None)
    assert await connection.get("/health") == {}
    await connection.close()
    listening.close()
    assert server.requests[0][0].startswith(b"GET /llama/health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port)
    assert b"Authorization" not in server.requests[0][0]


@pytest.mark.parametrize("address", ["ftp://x", "localhost:80", "http://", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Connection(address, None)


def test_a_key_cannot_bring_headers_of_its_own() -> None:
    with pytest.raises(ValueError, match="printable"):
        Connection("http://x", "a\r\nX: y")


def test_however_the_bytes_are_cut_the_events_are_the_same() -> None:
    texts = ["", "a", "日本語 \u2028 \n\n data: [DONE]", "x" * 3000]
    body = b": ping\n\n" + b"".join(event(content=text) for text in texts) + b"data: [DONE]\n\n"

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        chunks: list[int] = data.draw(st.lists(st.integers(1, len(body)), max_size=12))
        places = sorted({*chunks, len(body)})
        wire = OK + b"".join(chunk(body[a:b]) for a, b in zip([0, *places], places, strict=False)) + END
        cuts = sorted({*data.draw(st.lists(st.integers(1, len(wire) - 1), max_size=12)), len(wire)})

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for a, b in zip([0, *cuts], cuts, strict=False):
                writer.write(wire[a:b])
                await asyncio.sleep(0)

        async def go() -> None:
            async with talking(answer) as (_, connection):
                assert await read(connection) == [{"content": text} for text in texts]

        asyncio.run(go())

    check()


async def test_events_that_arrive_together_come_together() -> None:
    async with talking(OK + chunk(event(n=1) + event(n=2)) + chunk(event(n=3)) + END) as (_, connection):
        assert [events async for events in connection.stream("/completion", {}, first=5, idle=5)] == [
            [{"n": 1}, {"n": 2}, {"n": 3}]
        ]


async def test_the_socket_of_a_stream_is_not_used_again() -> None:
    async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + chunk(event(n=1) + b"data: [DONE]\n\n"))
        await asyncio.sleep(0.02)
        writer.write(END)

    async with talking(late, whole(b"{}")) as (server, connection):
        assert await read(connection) == [{"n": 1}]
        await asyncio.sleep(0.1)
        assert await connection.get("/props") == {}
        assert server.sockets == 2


async def test_requests_at_once_have_sockets_of_their_own() -> None:
    async with talking(whole(b"{}")) as (server, connection):
        await asyncio.gather(*(connection.get("/props") for _ in range(20)))
        assert server.sockets == 20
        for _ in range(20):
            await connection.get("/props")
        assert server.sockets == 20


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_a_stream_that_is_given_up_closes_its_socket_at_once(how: str) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + chunk(event(n=1)))
        await asyncio.sleep(60)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(endless(reader, writer))
        await reader.read()
        task.cancel()
        writer.close()

    async with talking(answer) as (server, connection):
        lists = connection.stream("/completion", {}, first=5, idle=5)
        assert await anext(lists) == [{"n": 1}]
        began = time.monotonic()
        if how == "aclose":
            await lists.aclose()
        else:
            waiting = asyncio.ensure_future(anext(lists))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await asyncio.wait_for(server.ended.wait(), 2.0)
        assert time.monotonic() - began < 0.5


async def test_a_request_that_is_cancelled_before_its_answer_closes_its_socket() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with talking(silent) as (server, connection):
        task = asyncio.create_task(connection.post("/completion", {}, 30.0))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait_for(server.ended.wait(), 2.0)


async def test_what_the_server_says_is_wrong_is_raised_with_all_that_it_says() -> None:
    said = {"code": 400, "message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 4}
    body = orjson.dumps({"error": said})
    async with talking(whole(body, "400 Bad Request")) as (server, connection):
        for asking in (connection.post("/completion", {}, 5.0), read(connection)):
            with pytest.raises(LlamaError) as raised:
                await asking
            error = raised.value
            assert (error.status, error.type, error.message) == (400, "exceed_context_size_error", "too long")
            assert error.details == {"n_prompt_tokens": 9, "n_ctx": 4}
        assert server.sockets == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"<html>Bad gateway", "<html>Bad gateway"), (b"", ""), (b'{"error":"no"}', "no"), (b"[1]", "[1]")],
)
async def test_an_error_of_something_in_between_is_one_too(body: bytes, message: str) -> None:
    async with talking(whole(body, "502 Bad Gateway")) as (_, connection):
        with pytest.raises(LlamaError) as raised:
            await connection.get("/props")
        assert (raised.value.status, raised.value.type, raised.value.message) == (502, "", message)


async def test_an_error_inside_a_stream_is_raised_after_what_came_before() -> None:
    error = {"code": 500, "message": "broken", "type": "server_error"}
    async with talking(OK + chunk(event(n=1) + event(error=error)) + END) as (_, connection):
        lists = connection.stream("/completion", {}, first=5, idle=5)
        assert await anext(lists) == [{"n": 1}]
        with pytest.raises(LlamaError) as raised:
            await anext(lists)
        assert (raised.value.status, raised.value.type, raised.value.message) == (500, "server_error", "broken")


WIRE = OK + chunk(event(n=1)) + chunk(event(n=2)) + END


@pytest.mark.parametrize("at", [*range(0, len(WIRE), 7), len(WIRE) - 1])
async def test_a_connection_that_breaks_at_any_place_is_gone(at: int) -> None:
    async def broken(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WIRE[:at])
        await writer.drain()
        writer.close()

    async with talking(broken) as (_, connection):
        with pytest.raises(LlamaGoneError):
            await read(connection)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000,
        OK + b"zz\r\n",
        OK + chunk(b"data: {\n\n") + END,
        OK + chunk(b"data: 7\n\n") + END,
        whole(b"no json"),
        whole(b"[]"),
    ],
)
async def test_an_answer_that_is_none_of_a_llama_server_is_gone(answer: bytes) -> None:
    async with talking(answer) as (_, connection):
        with pytest.raises(LlamaGoneError):
            if answer.startswith(OK):
                await read(connection)
            else:
                await connection.get("/props")


async def test_nobody_there_is_gone(tmp_path: Path) -> None:
    for address in (tmp_path / "none", "http://127.0.0.1:1"):
        connection = Connection(address, None)
        with pytest.raises(LlamaGoneError):
            await connection.get("/health")


async def test_a_kept_socket_that_was_closed_meanwhile_costs_no_request() -> None:
    async def once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"{}"))
        await writer.drain()

    async def closing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with talking(once, closing, whole(b'{"second":true}')) as (server, connection):
        assert await connection.get("/props") == {}
        # This request reaches the kept socket, which ends without a byte.
        assert await connection.get("/props") == {"second": True}
        assert server.sockets == 2


async def test_an_answer_that_closes_its_connection_is_whole() -> None:
    async with talking(whole(b"{}", more=b"Connection: close\r\n")) as (server, connection):
        await connection.get("/props")
        await connection.get("/props")
        assert server.sockets == 2


async def test_each_wait_has_its_own_bound() -> None:
    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(OK + chunk(event(n=1)))
        await asyncio.sleep(0.15)
        writer.write(chunk(event(n=2)) + END)

    for first, idle in ((0.05, 5.0), (5.0, 0.05)):
        async with talking(slow) as (_, connection):
            with pytest.raises(LlamaTimeoutError):
                await read(connection, first, idle)
    async with talking(slow) as (_, connection):
        assert len(await read(connection, 2.0, 2.0)) == 2
        with pytest.raises(LlamaTimeoutError):
            await connection.post("/completion", {}, 0.05)


async def test_time_that_the_reader_takes_does_not_count() -> None:
    async with talking(OK + chunk(event(n=1)) + chunk(event(n=2)) + END) as (_, connection):
        async for _events in connection.stream("/completion", {}, first=1.0, idle=0.1):
            await asyncio.sleep(0.2)


async def test_a_reader_who_does_not_come_stops_the_server_and_holds_little() -> None:
    sent = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(OK)
        data = chunk(event(text="x" * 60_000))
        for _round in range(500):
            writer.write(data)
            await writer.drain()
            sent += len(data)
        writer.write(END)

    async with talking(flood) as (_, connection):
        lists = connection.stream("/completion", {}, first=5, idle=5)
        found = len(await anext(lists))
        await asyncio.sleep(0.2)
        assert sent < 6_000_000
        async for events in lists:
            found += len(events)
        assert found == 500


async def test_closing_ends_what_is_under_way_and_all_that_follows() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with talking(silent) as (_, connection):
        task = asyncio.create_task(connection.post("/completion", {}, 30.0))
        await asyncio.sleep(0.05)
        await connection.close()
        with pytest.raises(LlamaGoneError):
            await task
        with pytest.raises(LlamaGoneError):
            await connection.get("/props")


async def test_a_request_waits_until_the_server_is_ready() -> None:
    ready = asyncio.Event()

    async def until_ready() -> None:
        await ready.wait()

    async with talking(whole(b"{}"), ready=until_ready) as (server, connection):
        task = asyncio.create_task(connection.get("/props"))
        await asyncio.sleep(0.05)
        assert not server.requests
        ready.set()
        assert await task == {}


async def test_an_event_costs_little() -> None:
    count = 4000
    data = chunk(event(index=0, content=" word", tokens=[123], stop=False, id_slot=0, tokens_predicted=7))
    ended = 0.0

    async def tokens(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal ended
        writer.write(OK)
        for _round in range(count):
            writer.write(data)
            # One event in a packet, as a model gives them.
            await asyncio.sleep(0)
        writer.write(END)

    async with talking(tokens) as (_, connection):
        began = time.process_time()
        assert len(await read(connection)) == count
        # Of this, what sends takes about half.
        assert (time.process_time() - began) / count < 200e-6
