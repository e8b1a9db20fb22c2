"""What the guard lets through."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from net.sites import Resolver
from understudy.net.addresses import is_public
from understudy.net.guard import Guard, UrlRefusedError

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.1.0.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_abuse_44_an_address_that_is_not_public_is_refused_written_and_resolved(address: str) -> None:
    written = f"[{address}]" if ":" in address else address
    with pytest.raises(UrlRefusedError):
        Guard().judge(f"http://{written}/")
    guard = Guard(lookup=Resolver(a_test=[[address]]))
    with pytest.raises(UrlRefusedError):
        await guard.addresses(guard.judge("http://a.test/"))


@pytest.mark.parametrize("address", PUBLIC)
async def test_an_address_that_is_public_is_reached_written_and_resolved(address: str) -> None:
    written = f"[{address}]" if ":" in address else address
    guard = Guard(lookup=Resolver(a_test=[[address]]))
    expected = [ipaddress.ip_address(address)]
    assert await guard.addresses(guard.judge(f"https://{written}/")) == expected
    assert await guard.addresses(guard.judge("https://a.test/")) == expected


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_abuse_44_no_address_counts_as_public_that_python_takes_for_private(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
    # However it is wrapped up.
    for prefix in (0xFFFF << 32, 0, 0x64FF9B << 96, 0x2002 << 112 | number << 80, 0x20010000 << 96):
        assert not is_public(ipaddress.IPv6Address(prefix | number))


TRICKS = [
    "http://2130706433/",
    "http://0x7f000001/",
    "http://017700000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.0x1/",
    "http://0/",
    "http://0x/",
    "http://256.256.256.256/",
    "http://1.1.1.1.1/",
    "http://127.0.0.1./",
    "http://169.254.169.254./latest",
    "http://１２７.０.０.１/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.example.com/",
    "http://example.com%2f@127.0.0.1/",
    "http://user@example.com/",
    "http://:secret@example.com/",
    "http://@example.com/",
    "http://example.com@127.0.0.1/",
    "http://1.1.1.1:80@127.0.0.1/",
    "http://127.0.0.1:80#@1.1.1.1/",
    "http://1.1.1.1\\@127.0.0.1/",
    "http://1.1.1.1\t/",
    "http://1.1.1.1/\r\nHost: localhost",
    " http://1.1.1.1/",
    "http://exa mple.com/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[::1]:80/",
    "http://[1.1.1.1]/",
    "http://[::1",
    "http://1.1.1.1:22/",
    "http://example.com:6379/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://example.com:-80/",
    "http:///etc/passwd",
    "http://",
    "http:1.1.1.1",
    "//1.1.1.1/",
    "/etc/passwd",
    "file:///etc/passwd",
    "gopher://1.1.1.1/",
    "ftp://1.1.1.1/",
    "data:text/plain,a",
    "javascript:alert(1)",
    "ws://1.1.1.1/",
    "HTTP+UNIX://%2Fvar%2Frun/",
    "",
    "http://" + "a" * 64 + ".example/",
    "http://1.1.1.1/" + "a" * 5000,
    "http://\ud800.example/",
]


@pytest.mark.parametrize("url", TRICKS)
def test_abuse_44_a_url_that_hides_where_it_leads_is_refused(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        Guard().judge(url)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_target_or_refused(text: str) -> None:
    for url in (text, "http://" + text, "https://1.1.1.1" + text):
        try:
            target = Guard().judge(url)
        except UrlRefusedError:
            continue
        assert target.url.scheme in {"http", "https"}
        assert target.host.isascii()
        assert target.address is None or is_public(target.address)
        assert target.port in {80, 443}


async def test_abuse_44_localhost_is_refused_by_what_it_resolves_to() -> None:
    for name in ("localhost", "localhost.", "LOCALHOST"):
        guard = Guard()
        with pytest.raises(UrlRefusedError):
            await guard.addresses(guard.judge(f"http://{name}/"))


async def test_abuse_45_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    guard = Guard(lookup=Resolver(a_test=[["1.1.1.1", "127.0.0.1"]]))
    with pytest.raises(UrlRefusedError):
        await guard.addresses(guard.judge("http://a.test/"))


def test_abuse_47_names_are_judged_in_ascii() -> None:
    assert Guard().judge("https://Bücher.example/").host == "xn--bcher-kva.example"
    assert Guard().judge("https://ⓔⓧⓐⓜⓟⓛⓔ.com./").host == "example.com"


async def test_what_is_allowed_may_be_private_on_any_port_and_nothing_else_is() -> None:
    resolver = Resolver(**{name: [["10.1.2.3"]] for name in ("wiki_intra", "evil_wiki_intra", "other_test")})
    by_name = Guard(["wiki.intra"], resolver)
    assert await by_name.addresses(by_name.judge("http://wiki.intra:8080/"))
    assert await by_name.addresses(by_name.judge("http://WIKI.intra./"))
    for host in ("10.1.2.3", "evil.wiki.intra", "other.test"):
        with pytest.raises(UrlRefusedError):
            await by_name.addresses(by_name.judge(f"http://{host}/"))
    by_block = Guard(["10.1.0.0/16", "fd00::/8"], resolver)
    for host in ("10.1.2.3:99", "other.test:99", "[fd00::1]:99"):
        assert await by_block.addresses(by_block.judge(f"http://{host}/"))
    for host in ("10.2.0.1", "127.0.0.1", "[fe80::1]", "1.1.1.1:99"):
        with pytest.raises(UrlRefusedError):
            by_block.judge(f"http://{host}/")


@pytest.mark.parametrize("entry", ["", "http://wiki", "10.0.0.0/99", "wiki:80", "*.intra", "1.2.3", "a b"])
def test_an_entry_that_could_be_misread_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="host name, address or CIDR"):
        Guard([entry])
