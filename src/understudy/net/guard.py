"""The guard: which URLs may be fetched, and which addresses may be connected to.

A URL is judged as the client will use it: parsed once, by the library that connects. Names are resolved once, here; the
client connects to the very addresses that were judged. Every redirect is a new URL.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

from understudy.net.addresses import Address, Network, is_public, parse_network

if TYPE_CHECKING:
    from yarl import URL

Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves a host name for a port to addresses. Raises OSError."""

_LONGEST_URL: Final = 4096
_PORTS: Final = frozenset({80, 443})
_WRONG_PORT: Final = "its port is neither 80 nor 443"
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
# A name whose last label is a number is an address in some notation to those who resolve it (WHATWG URL, 3.5).
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_WITH_USER: Final = re.compile(r"(?:[A-Za-z0-9+.-]*:)?//[^/?#]*@")
_MOST_LOOKUPS: Final = 8


class UrlRefusedError(Exception):
    """A URL that must not be fetched. The text says why; it is for logs, and never tells a name's addresses."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was judged, but for the addresses of its name. `host` is in lower case and ASCII."""

    url: URL
    host: str
    port: int
    address: Address | None


class Guard:
    """`allow`: host names, addresses and CIDR blocks that are trusted: they may be private, use any port, and http.

    `lookup` resolves names; the system's resolver if None. Raises ValueError for an entry of `allow` that is none of
    the three.
    """

    def __init__(self, allow: Sequence[str] = (), lookup: Lookup | None = None) -> None:
        self._names: set[str] = set()
        self._networks: list[Network] = []
        self._lookup = lookup or _system_lookup
        for entry in allow:
            network = parse_network(entry.strip("[]"))
            name = entry.lower().removesuffix(".")
            if network is not None:
                self._networks.append(network)
            elif _NAME.fullmatch(name) and not _NUMBER.fullmatch(name):
                self._names.add(name)
            else:
                raise ValueError(f"{entry!r} is no host name, address or CIDR block")

    def judge(self, text: str, base: URL | None = None) -> Target:
        """The target of a URL, which may be relative to `base`. Raises UrlRefusedError."""
        from yarl import URL

        # What a parser may drop or turn around is refused before one sees it.
        if len(text) > _LONGEST_URL or any(character <= " " or character in "\\\x7f" for character in text):
            raise UrlRefusedError("it is too long or holds characters that no URL has")
        try:
            url = URL(text) if base is None else base.join(URL(text))
            host, port = url.raw_host, url.port
        except (ValueError, TypeError) as error:
            raise UrlRefusedError("it is not a URL") from error
        if url.scheme not in {"http", "https"}:
            raise UrlRefusedError("its scheme is neither http nor https")
        # An empty name is dropped by the parser.
        if url.raw_user is not None or url.raw_password is not None or _WITH_USER.match(text):
            raise UrlRefusedError("it holds a user's name")
        if not host or port is None:
            raise UrlRefusedError("it names no host")
        host = host.lower().removesuffix(".")
        address = _literal(host)
        url = url.with_fragment(None)
        target = Target(url if address is None else url.with_host(str(address)), host, port, address)
        if address is not None:
            self._judge_address(target, address)
        elif port not in _PORTS and not self._networks and not self.trusts(target):
            raise UrlRefusedError(_WRONG_PORT)
        return target

    async def addresses(self, target: Target) -> list[Address]:
        """The addresses to connect to, all of them judged. Raises UrlRefusedError; OSError for a name without any."""
        if target.address is not None:
            return [target.address]
        found = [ip_address(text) for text in await self._lookup(target.host, target.port)]
        if not found:
            raise OSError("no address")
        # One that is private among others is a trick, or a mistake that is better seen.
        for address in found:
            self._judge_address(target, address)
        return found

    def trusts(self, target: Target, address: Address | None = None) -> bool:
        """Whether the operator vouched for the name, or for the address behind it."""
        address = address or target.address
        if target.host in self._names:
            return True
        return address is not None and any(address in network for network in self._networks)

    def _judge_address(self, target: Target, address: Address) -> None:
        if self.trusts(target, address):
            return
        if not is_public(address):
            raise UrlRefusedError("its host is not on the public internet")
        if target.port not in _PORTS:
            raise UrlRefusedError(_WRONG_PORT)


def _literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name. Raises UrlRefusedError for what is neither."""
    try:
        address = ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host) or len(host) > 253 or _NUMBER.fullmatch(host):
            raise UrlRefusedError("its host is neither a name nor an address in its usual form") from None
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise UrlRefusedError("its address has a zone")
    return address


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    # Their own: a resolver that hangs must hold up nobody else.
    return ThreadPoolExecutor(_MOST_LOOKUPS, thread_name_prefix="lookup")


async def _system_lookup(host: str, port: int) -> Sequence[str]:
    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    return await asyncio.get_running_loop().run_in_executor(_threads(), look_up)


def canonical(address: str) -> Address:
    """The address in a socket's name."""
    found = ip_address(address.partition("%")[0])
    # Some systems show an IPv4 peer of a socket for both this way.
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return IPv4Address(found.ipv4_mapped)
    return found
