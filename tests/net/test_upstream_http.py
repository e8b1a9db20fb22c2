"""The HTTP client for upstreams, against servers that say what they should not."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
import uvloop
from hypothesis import example, given, settings
from hypothesis import strategies as st

from net.talkers import Host, Talk, Talker, talking
from understudy.net import http_connection, upstream_http
from understudy.net.upstream_http import (
    Answer,
    BrokenError,
    NotConnectedError,
    TooSlowError,
    UpstreamHttpClient,
    UpstreamHttpError,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def client_of(talk: Talk, **more: Any) -> AsyncGenerator[tuple[UpstreamHttpClient, Host], None]:
    async with talking(talk) as host:
        client = UpstreamHttpClient(host.url, **more)
        try:
            yield client, host
        finally:
            await client.close()


async def post(client: UpstreamHttpClient, body: bytes = b"{}", first_byte: float = 5.0) -> Answer:
    return await client.post("/v1/x", body, first_byte=first_byte)


async def whole(answer: Answer) -> bytes:
    answer.allow(5.0)
    found = b""
    while piece := await answer.read():
        found += piece
    return found


async def asked(client: UpstreamHttpClient) -> bytes:
    return await whole(await post(client))


async def always(talker: Talker) -> None:
    while True:
        await talker.request()
        await talker.answer(b"hello")


async def test_a_request_is_what_it_should_be_and_its_answer_is_read() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.answer(b"hello", b"X-Mixed: Yes", b"Content-Type: Text/HTML; charset=x", status=b"404 No")

    async with client_of(talk, headers={"Authorization": "Bearer k", "Accept": "text/plain"}) as (client, host):
        answer = await client.post("/v1/x?beta=true", b'{"a":1}', {"anthropic-version": "1"}, first_byte=5)
        assert (answer.status, await whole(answer), answer.ended) == (404, b"hello", True)
    assert answer.header(b"x-mixed") == "Yes" and answer.header(b"x-other") == ""
    assert answer.content_type == "text/html"
    head, _, body = host.requests[0].partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    assert line == b"POST /v1/x?beta=true HTTP/1.1" and body == b'{"a":1}'
    assert sorted(name for name, _, _ in (found.partition(b":") for found in fields)) == [
        b"accept",
        b"accept-encoding",
        b"anthropic-version",
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"user-agent",
    ]
    assert b"accept: text/plain" in fields and b"accept-encoding: identity" in fields
    assert b"host: " + host.url.removeprefix("http://").encode() in fields


async def test_a_connection_is_used_again_once_its_answer_was_read() -> None:
    async with client_of(always) as (client, host):
        for _ in range(5):
            assert await asked(client) == b"hello"
        assert host.connections == 1
        await asyncio.gather(*(asked(client) for _ in range(4)))
        assert host.connections == 4
        await asyncio.gather(*(asked(client) for _ in range(4)))
        assert host.connections == 4


async def test_chunks_come_as_they_are_sent() -> None:
    more = asyncio.Event()

    async def talk(talker: Talker) -> None:
        while True:
            await talker.request()
            await talker.say(CHUNKED + b"5;name=value\r\nfirst\r\n")
            await more.wait()
            await talker.say(b"6\r\nsecond\r\n0\r\ntrailer: x\r\n\r\n")

    async with client_of(talk) as (client, host):
        for _ in range(2):
            more.clear()
            answer = await post(client)
            assert answer.content_type == "text/event-stream"
            assert await answer.read() == b"first"
            assert not answer.ended
            more.set()
            assert await whole(answer) == b"second"
            assert answer.header(b"trailer") == ""
        assert host.connections == 1


ANSWERS = [
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\ncontent-length: 7\r\n\r\n" + CHUNKED + b"5\r\nhello"
    b"\r\n3\r\n, a\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhello, a",
]


@given(which=st.sampled_from(ANSWERS), cuts=st.lists(st.integers(0, 300), max_size=8))
@example(which=ANSWERS[0], cuts=list(range(400)))
@example(which=ANSWERS[1], cuts=list(range(400)))
@settings(max_examples=40, deadline=None)
def test_however_an_answers_bytes_are_cut_it_is_the_same(which: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(which), *(cut for cut in cuts if cut < len(which))})
    pieces = [which[start:end] for start, end in itertools.pairwise(places)]

    async def run() -> None:
        loop = asyncio.get_running_loop()
        freed: list[http_connection.Connection] = []
        connection = http_connection.Connection(loop, freed.append, freed.remove)
        connection.connection_made(_Sink())

        async def ask() -> bytes:
            answer = await connection.ask([b"x"], 5.0)
            assert answer.header(b"link") == ""
            return await whole(answer)

        task = loop.create_task(ask())
        for piece in pieces:
            # Whoever waits is woken by each of them, whether it brings something or not.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            connection.data_received(piece)
        assert await task == b"hello, a"
        assert freed == [connection]

    asyncio.run(run())


class _Sink(asyncio.Transport):
    def writelines(self, list_of_data: Any) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


async def test_a_body_of_no_told_length_ends_with_its_connection() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(b"HTTP/1.1 200 OK\r\n\r\n", b"all of ", b"it")

    async with client_of(talk) as (client, host):
        assert await asked(client) == b"all of it"
        assert await asked(client) == b"all of it"
        assert host.connections == 2


@pytest.mark.parametrize(
    "said",
    [CHUNKED + b"5\r\nhello\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello"],
    ids=["chunks", "a told length"],
)
async def test_an_answer_that_breaks_off_gives_what_came_and_then_an_error(said: bytes) -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(said)

    async with client_of(talk) as (client, host):
        answer = await post(client)
        await asyncio.sleep(0.05)
        assert await answer.read() == b"hello"
        for _ in range(2):
            with pytest.raises(BrokenError):
                await answer.read()
        assert host.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 1_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 200_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000,
    ],
    ids=["another protocol", "upgrade", "no length", "two lengths", "a long header", "many headers", "many interims"],
)
async def test_what_is_not_http_is_an_error_and_not_asked_again(said: bytes) -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(said)
        await talker.gone()

    async with client_of(talk) as (client, host):
        with pytest.raises(BrokenError):
            await post(client)
        assert len(host.requests) == 1


async def test_a_chunk_that_is_none_breaks_the_answer() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(CHUNKED + b"5\r\nhello\r\n", b"zz\r\n")
        await talker.gone()

    async with client_of(talk) as (client, _):
        with pytest.raises(BrokenError):
            await asked(client)


@pytest.mark.parametrize("line", [b"Connection: close", b"Connection: Close, x"])
async def test_a_connection_that_the_upstream_closes_is_not_used_again(line: bytes) -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.answer(b"hello", line)
        await talker.gone()

    async with client_of(talk) as (client, host):
        assert [await asked(client) for _ in range(2)] == [b"hello"] * 2
        assert host.connections == 2


@pytest.mark.parametrize("extra", [b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad"])
@pytest.mark.parametrize("late", [False, True])
async def test_what_nobody_asked_for_is_no_answer_to_the_next_request(extra: bytes, late: bool) -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        if late:
            await talker.answer(b"hello")
            await asyncio.sleep(0.02)
            await talker.say(extra)
        else:
            await talker.say(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello" + extra)
        await talker.gone()

    async with client_of(talk) as (client, host):
        assert await asked(client) == b"hello"
        await asyncio.sleep(0.06)
        assert await asked(client) == b"hello"
        assert host.connections == 2


async def test_a_kept_connection_that_closed_meanwhile_is_not_tried() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.answer(b"hello")

    async with client_of(talk) as (client, host):
        assert await asked(client) == b"hello"
        await asyncio.sleep(0.05)
        assert await asked(client) == b"hello"
        assert (host.connections, len(host.requests)) == (2, 2)


async def test_a_kept_connection_that_closes_as_it_is_used_again_is_replaced_once() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        if talker.number < 3:
            await talker.answer(b"hello")
            await talker.request()

    async with client_of(talk) as (client, host):
        await asked(client)
        assert await asked(client) == b"hello"
        assert (host.connections, len(host.requests)) == (2, 3)
        # The fresh connection is of no use either: that is not tried a third time.
        with pytest.raises(BrokenError):
            await asked(client)
        assert (host.connections, len(host.requests)) == (3, 5)


async def test_a_fresh_connection_that_closes_is_not_replaced() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()

    async with client_of(talk) as (client, host):
        with pytest.raises(BrokenError) as caught:
            await asked(client)
        assert not caught.value.answered
        assert len(host.requests) == 1


@pytest.mark.parametrize("half", [b"", b"HTTP/1.1 2"])
async def test_a_request_that_may_have_been_worked_on_is_not_sent_again(
    half: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_http, "_RACE", 0.05)

    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.answer(b"hello")
        await talker.request()
        if half:
            await talker.say(half)
        else:
            await asyncio.sleep(0.15)

    async with client_of(talk) as (client, host):
        await asked(client)
        with pytest.raises(BrokenError):
            await asked(client)
        assert len(host.requests) == 2


async def test_no_answer_in_time_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
        await talker.gone()
        gone.set()

    async with client_of(talk) as (client, host):
        began = time.monotonic()
        with pytest.raises(TooSlowError):
            await post(client, first_byte=0.1)
        assert 0.09 < time.monotonic() - began < 1.0
        async with asyncio.timeout(1.0):
            await gone.wait()
        assert len(host.requests) == 1


async def test_silence_in_an_answer_ends_it_and_only_waiting_counts() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        for _ in range(4):
            await talker.say(CHUNKED if _ == 0 else b"1\r\nx\r\n")
            await asyncio.sleep(0.06)
        await talker.gone()

    async with client_of(talk) as (client, _):
        answer = await post(client)
        for _ in range(3):
            answer.allow(0.15)
            assert await answer.read() == b"x"
            # Longer than is allowed, but nobody waits.
        await asyncio.sleep(0.3)
        answer.allow(0.1)
        began = time.monotonic()
        with pytest.raises(TooSlowError):
            await answer.read()
        assert 0.08 < time.monotonic() - began < 1.0


async def test_what_is_allowed_can_be_less_while_a_read_waits() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(CHUNKED)
        await talker.gone()

    async with client_of(talk) as (client, _):
        answer = await post(client)
        answer.allow(30.0)
        reading = asyncio.create_task(answer.read())
        await asyncio.sleep(0.02)
        answer.allow(0.05)
        with pytest.raises(TooSlowError):
            async with asyncio.timeout(2.0):
                await reading


async def test_what_is_allowed_is_for_all_reads_together() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(CHUNKED)
        while True:
            await talker.say(b"1\r\nx\r\n")
            await asyncio.sleep(0.02)

    async with client_of(talk) as (client, _):
        answer = await post(client)
        answer.allow(0.2)
        began = time.monotonic()
        with pytest.raises(TooSlowError):
            while await answer.read():
                pass
        assert time.monotonic() - began < 1.0


async def test_an_answer_that_is_closed_early_ends_at_the_upstream() -> None:
    gone = asyncio.Event()

    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(CHUNKED + b"1\r\nx\r\n")
        await talker.gone()
        gone.set()

    async with client_of(talk) as (client, host):
        answer = await post(client)
        answer.close()
        async with asyncio.timeout(0.2):
            await gone.wait()
        gone.clear()
        task = asyncio.create_task(whole(await post(client)))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert host.connections == 2


async def test_a_caller_that_is_cancelled_leaves_no_connection_behind() -> None:
    gone = asyncio.Event()

    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.gone()
        gone.set()

    async with client_of(talk) as (client, _):
        task = asyncio.create_task(post(client))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(0.5):
            await gone.wait()


async def test_an_answer_before_the_requests_end_is_given_and_its_connection_is_not_used_again() -> None:
    async def talk(talker: Talker) -> None:
        await talker.reader.readuntil(b"\r\n\r\n")
        await talker.answer(b"too large", status=b"413 Too Large")
        await asyncio.sleep(5)

    async with client_of(talk) as (client, host):
        for _ in range(2):
            answer = await post(client, b" " * 16_000_000)
            assert (answer.status, await whole(answer)) == (413, b"too large")
        assert host.connections == 2


async def test_an_upstream_that_is_not_read_is_made_to_wait() -> None:
    sent = 0

    async def talk(talker: Talker) -> None:
        nonlocal sent
        await talker.request()
        await talker.say(CHUNKED)
        for _ in range(700):
            await talker.say(b"8000\r\n" + b"x" * 32_768 + b"\r\n")
            sent += 32_768
        await talker.say(b"0\r\n\r\n")

    async with client_of(talk) as (client, _):
        answer = await post(client)
        await asyncio.sleep(0.3)
        assert sent < 15_000_000
        assert len(await whole(answer)) == 700 * 32_768


async def test_a_connection_that_is_not_used_is_closed_after_a_while() -> None:
    gone = asyncio.Event()

    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.answer(b"hello")
        await talker.gone()
        gone.set()

    async with client_of(talk, keep_alive=0.1) as (client, host):
        await asked(client)
        async with asyncio.timeout(1.0):
            await gone.wait()
        await asked(client)
        assert host.connections == 2


async def test_connections_that_ended_are_forgotten() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.answer(b"hello", b"connection: close")

    async with client_of(talk) as (client, _):
        for _ in range(5):
            await asked(client)
        await asyncio.sleep(0.02)
        assert not client._open and not client._idle


async def test_close_ends_what_is_under_way() -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(CHUNKED)
        await talker.gone()

    async with client_of(talk) as (client, _):
        answer = await post(client)
        reading = asyncio.create_task(answer.read())
        await asyncio.sleep(0.02)
        await client.close()
        with pytest.raises(BrokenError):
            async with asyncio.timeout(1.0):
                await reading


async def test_redirects_are_answers_and_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.answer(b"", b"location: http://127.0.0.1:1/", status=b"307 Elsewhere")

    async with client_of(talk) as (client, host):
        assert (await post(client)).status == 307
        assert len(host.requests) == 1


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "http://", "nonsense", "http://127.0.0.1:99999/", "http://[::1", "http://a..b/"]
)
async def test_a_url_that_cannot_be_used_is_told_when_it_is_used(url: str) -> None:
    client = UpstreamHttpClient(url, connect_timeout=2.0)
    with pytest.raises(NotConnectedError):
        await post(client)


async def test_a_place_where_nobody_listens_is_not_connected() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        client = UpstreamHttpClient(f"http://127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(NotConnectedError):
            await post(client)


async def test_one_address_that_hangs_does_not_keep_the_others_from_being_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with client_of(always, connect_timeout=1.0) as (client, host):
        port = int(host.url.rpartition(":")[2])
        with socket.socket() as full:
            # A queue that is full takes no more connections, and refuses none.
            full.bind(("127.0.0.2", port))
            full.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            try:
                for each in waiting:
                    each.setblocking(False)
                    each.connect_ex(("127.0.0.2", port))

                async def lookup(*_: Any, **__: Any) -> Any:
                    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
                    return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

                monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
                assert await asked(client) == b"hello"
            finally:
                for each in waiting:
                    each.close()


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\0b"])
async def test_a_value_with_more_than_one_line_is_not_sent(value: str) -> None:
    async with client_of(always) as (client, host):
        with pytest.raises(ValueError):
            await client.post("/", b"", {"x": value}, first_byte=1.0)
        assert host.connections == 0


async def test_a_base_url_may_have_a_path_and_a_user() -> None:
    async with talking(always) as host:
        client = UpstreamHttpClient(host.url.replace("//", "//me:p%40ss@") + "/a b/v1/")
        await asked(client)
        await client.close()
    assert host.requests[0].startswith(b"POST /a%20b/v1/v1/x HTTP/1.1\r\n")
    assert b"\r\nauthorization: Basic bWU6cEBzcw==\r\n" in host.requests[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("name", ["127.0.0.1", "other.example"])
async def test_tls_is_spoken_with_whom_the_certificate_is_for(authority: trustme.CA, name: str) -> None:
    ours, theirs = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(ours)
    authority.issue_cert(name).configure_cert(theirs)
    async with talking(always, theirs) as host:
        client = UpstreamHttpClient(host.url, tls=ours)
        if name == "127.0.0.1":
            assert [await asked(client) for _ in range(3)] == [b"hello"] * 3
            assert host.connections == 1
        else:
            with pytest.raises(NotConnectedError):
                await post(client)
        await client.close()


async def test_a_certificate_of_nobody_known_is_refused(authority: trustme.CA) -> None:
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    async with talking(always, theirs) as host:
        with pytest.raises(NotConnectedError):
            await post(UpstreamHttpClient(host.url))


async def test_a_handshake_that_hangs_ends_with_the_time_to_connect() -> None:
    async def talk(talker: Talker) -> None:
        await talker.gone()

    async with talking(talk) as host:
        began = time.monotonic()
        with pytest.raises(NotConnectedError):
            await post(UpstreamHttpClient(host.url.replace("http:", "https:"), connect_timeout=0.2))
        assert time.monotonic() - began < 2.0


def test_a_client_outlives_a_loop_and_works_on_uvloop() -> None:
    clients: list[UpstreamHttpClient] = []

    async def run(host_url: str) -> None:
        clients[:] = clients or [UpstreamHttpClient(host_url)]
        client = clients[0]
        assert [await asked(client) for _ in range(3)] == [b"hello"] * 3

    async def both() -> None:
        async with talking(always) as host:
            await run(host.url)
            assert await asyncio.to_thread(lambda: asyncio.run(run(host.url))) is None
            assert host.connections == 2
            await run(host.url)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(both())


async def test_every_error_is_of_one_family() -> None:
    assert all(issubclass(each, UpstreamHttpError) for each in (NotConnectedError, BrokenError, TooSlowError))
