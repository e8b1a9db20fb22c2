"""What the client fetches, and what it gives up. Servers and sockets are real; 127.0.0.2 plays the public internet."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import time
import tracemalloc
import zlib

import pytest

from net.sites import Resolver, Site, redirects, response, says, site
from understudy.net.client import Fetched, Fetcher, FetchError, FetchTooLargeError
from understudy.net.guard import Guard, UrlRefusedError

MIB = 1024 * 1024
# Only this one address is allowed; 127.0.0.1 stands for what must not be reached.
OUTSIDE = "127.0.0.2"


def fetcher(resolver: Resolver | None = None) -> Fetcher:
    return Fetcher(Guard([OUTSIDE], resolver))


async def fetch(url: str, *, most: int = MIB, seconds: float = 5.0, resolver: Resolver | None = None) -> Fetched:
    return await fetcher(resolver).fetch(url, most_bytes=most, timeout=seconds)


async def test_a_body_is_fetched_with_its_type_and_final_url() -> None:
    async with site(says(b"%PDF-", "Content-Type: Application/PDF; charset=x"), OUTSIDE) as outside:
        found = await fetch(f"{outside.url}/a?b=c#d")
    assert found == Fetched(b"%PDF-", "application/pdf", f"{outside.url}/a?b=c")
    (head,) = outside.requests
    assert head.startswith("GET /a?b=c HTTP/1.1\r\n")
    assert "\r\nuser-agent: understudy/" in head.lower()
    assert "cookie" not in head.lower()
    assert "authorization" not in head.lower()


async def test_abuse_44_what_is_not_public_is_not_even_connected_to() -> None:
    async with site(says(b"secret")) as inside:
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "localhost"):
            with pytest.raises(UrlRefusedError):
                await fetch(f"http://{host}:{inside.port}/")
    assert inside.requests == []


async def test_abuse_45_a_name_that_changes_its_address_is_connected_where_it_was_judged() -> None:
    resolver = Resolver(rebinding_test=[[OUTSIDE], ["127.0.0.1"]])
    async with site(says(b"public"), OUTSIDE) as outside, site(says(b"secret"), port=outside.port) as inside:
        found = await fetch(f"http://rebinding.test:{outside.port}/", resolver=resolver)
        assert found.body == b"public"
        assert resolver.asked == ["rebinding.test"]
        # The next fetch asks again, and is refused.
        with pytest.raises(UrlRefusedError):
            await fetch(f"http://rebinding.test:{outside.port}/", resolver=resolver)
    assert inside.requests == []


async def test_abuse_45_a_name_that_changes_its_address_between_redirects_is_judged_again() -> None:
    resolver = Resolver(rebinding_test=[[OUTSIDE], ["127.0.0.1"]])
    async with site(redirects("/again"), OUTSIDE) as outside, site(says(b"secret"), port=outside.port) as inside:
        with pytest.raises(UrlRefusedError):
            await fetch(f"http://rebinding.test:{outside.port}/", resolver=resolver)
    assert len(outside.requests) == 1
    assert inside.requests == []


async def test_abuse_45_the_socket_itself_is_held_to_what_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a client that resolved for itself, against its orders, could not connect elsewhere."""
    import aiohttp

    monkeypatch.setattr("understudy.net.client._pinned", lambda _: aiohttp.ThreadedResolver())
    async with site(says(b"secret")) as inside:
        resolver = Resolver(localhost=[[OUTSIDE]])
        with pytest.raises(UrlRefusedError):
            await fetch(f"http://localhost:{inside.port}/", resolver=resolver)
    assert inside.requests == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_are_followed(status: str) -> None:
    async with site(says(b"here"), OUTSIDE) as last, site(redirects(f"{last.url}/x", status), OUTSIDE) as first:
        found = await fetch(first.url)
    assert (found.body, found.final_url) == (b"here", f"{last.url}/x")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://2130706433:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://localhost:{port}/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://127.0.0.2/",
        "http://u:p@127.0.0.2/",
    ],
)
async def test_abuse_45_a_redirect_to_what_is_refused_is_refused(location: str) -> None:
    async with site(says(b"secret")) as inside:
        async with site(redirects(location.format(port=inside.port)), OUTSIDE) as outside:
            with pytest.raises(UrlRefusedError):
                await fetch(outside.url)
        assert len(outside.requests) == 1
    assert inside.requests == []


async def test_redirects_come_to_an_end() -> None:
    async with site(redirects("/on"), OUTSIDE) as outside:
        with pytest.raises(FetchError, match="too often"):
            await fetch(outside.url)
        assert len(outside.requests) == 6
    async with site(says(b"", status="302 Found"), OUTSIDE) as nowhere:
        with pytest.raises(FetchError):
            await fetch(nowhere.url)


def test_abuse_45_no_redirect_leads_from_https_to_http() -> None:
    one = fetcher()
    target = one.guard.judge("https://1.1.1.1/")
    assert one._next(target, ["/there"]).url.scheme == "https"
    with pytest.raises(UrlRefusedError):
        one._next(target, ["http://1.1.1.1/there"])


async def test_abuse_45_cookies_are_not_kept_between_hops() -> None:
    cookies = "Set-Cookie: a=b; Path=/"
    async with (
        site(says(b"x"), OUTSIDE) as last,
        site(says(b"", cookies, f"Location: {last.url}", status="302 Found"), OUTSIDE) as first,
    ):
        await fetch(first.url)
    assert "cookie" not in last.requests[0].lower()


async def test_abuse_46_a_body_is_read_up_to_its_bound() -> None:
    async with site(says(b"x" * 1000), OUTSIDE) as outside:
        assert len((await fetch(outside.url, most=1000)).body) == 1000
        with pytest.raises(FetchTooLargeError):
            await fetch(outside.url, most=999)
    async with site(says(b"x" * 1000, length=False), OUTSIDE) as outside:
        assert len((await fetch(outside.url, most=1000)).body) == 1000
        with pytest.raises(FetchTooLargeError):
            await fetch(outside.url, most=999)


async def test_abuse_46_a_body_without_end_is_given_up() -> None:
    async def endless(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", length=False))
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with site(endless, OUTSIDE) as outside:
        with pytest.raises(FetchTooLargeError):
            await fetch(outside.url, most=5 * MIB)
        await left(outside)


async def left(outside: Site) -> None:
    async with asyncio.timeout(2):
        while not outside.hung_up:
            await asyncio.sleep(0.01)


async def test_abuse_46_a_slow_drip_ends_with_the_time() -> None:
    async def drip(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: " if path == "/head" else response(b"", length=False))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with site(drip, OUTSIDE) as outside:
        for path in ("/body", "/head"):
            begun = time.monotonic()
            with pytest.raises(FetchError, match="too long"):
                await fetch(outside.url + path, seconds=0.3)
            assert time.monotonic() - begun < 1
        await left(outside)


async def test_abuse_46_redirects_share_one_time() -> None:
    async def slow(path: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(response(b"", "Location: /on", status="302 Found"))

    async with site(slow, OUTSIDE) as outside:
        with pytest.raises(FetchError, match="too long"):
            await fetch(outside.url, seconds=0.4)
        assert len(outside.requests) <= 3


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_comes_compressed_against_the_request_is_read(coding: str) -> None:
    body = b"words " * 50_000
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    async with site(says(packed, f"Content-Encoding: {coding}"), OUTSIDE) as outside:
        assert (await fetch(outside.url)).body == body
    assert "accept-encoding: identity" in outside.requests[0].lower()


async def test_abuse_46_a_bomb_is_given_up_at_the_bound_and_not_unpacked() -> None:
    packed = gzip.compress(b"\0" * 200 * MIB, 9)
    async with site(says(packed, "Content-Encoding: gzip"), OUTSIDE) as outside:
        tracemalloc.start()
        try:
            with pytest.raises(FetchTooLargeError):
                await fetch(outside.url, most=4 * MIB)
            assert tracemalloc.get_traced_memory()[1] < 16 * MIB
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x1f\x8b broken", "Content-Encoding: gzip"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-9], "Content-Encoding: gzip"),
        (b"x", "Content-Encoding: br"),
        (b"x", "Content-Encoding: gzip, gzip"),
        (b"x", "Content-Length: nonsense"),
    ],
)
async def test_what_cannot_be_decoded_is_an_error(body: bytes, headers: str) -> None:
    async with site(says(body, headers, length="Length" not in headers), OUTSIDE) as outside:
        with pytest.raises(FetchError):
            await fetch(outside.url)


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial", "304 Not Modified", "404 Not Found", "500 Oops"])
async def test_only_a_200_is_what_was_asked_for(status: str) -> None:
    async with site(says(b"", status=status), OUTSIDE) as outside:
        with pytest.raises(FetchError):
            await fetch(outside.url)


async def test_who_does_not_answer_is_an_error() -> None:
    async with site(says(b"")) as gone:
        port = gone.port
    for url in (f"http://{OUTSIDE}:{port}/", "http://unknown.test/"):
        with pytest.raises(FetchError):
            await fetch(url, resolver=Resolver())

    async def hang_up(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    async with site(hang_up, OUTSIDE) as outside:
        with pytest.raises(FetchError):
            await fetch(outside.url)


async def test_headers_without_bound_are_an_error() -> None:
    async with site(says(b"x", "X-Long: " + "a" * 100_000), OUTSIDE) as outside:
        with pytest.raises(FetchError):
            await fetch(outside.url)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(says(b"proxied")) as proxy, site(says(b"direct"), OUTSIDE) as outside:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await fetch(outside.url)).body == b"direct"
    assert proxy.requests == []


def test_importing_it_does_not_import_the_http_library() -> None:
    code = (
        "import sys, understudy.net.client, understudy.messages.materials, understudy.documents.reader;"
        "print([name for name in ('aiohttp', 'yarl', 'pypdfium2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
