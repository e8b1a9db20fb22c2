"""Which requests come from the Console's own page, and whether a cookie of theirs counts.

A browser sends cookies along whoever made it ask. So the Host must be a name of ours, or an address (a name that was
made to lead here, DNS rebinding, is neither), the Origin must be that of the Host, and Sec-Fetch-Site must not say that
somebody else's page asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from understudy.http.exchange import Exchange
from understudy.wire.errors import PermissionDeniedError

_OWN_SITES: Final = {b"same-origin", b"none"}
_PORTS: Final = {"http": 80, "https": 443}


class Origins:
    """`hosts`: the host names of ours, with or without a port. `public_url`: where clients reach the server, if that is
    known."""

    def __init__(self, hosts: Iterable[str], public_url: str | None) -> None:
        self._public = None if public_url is None else urlsplit(public_url)
        self._hosts = {_name(host) for host in hosts} | {"localhost"}
        if self._public is not None:
            self._hosts.add(self._public.hostname or "")
        # Of an address that is no name, and of no Host at all.
        self._hosts.discard("")

    def check(self, exchange: Exchange) -> None:
        """403 for a request that is not our own page's, as far as a browser tells."""
        host = self.check_host(exchange)
        if exchange.headers.get(b"sec-fetch-site", b"none").strip().lower() not in _OWN_SITES:
            raise PermissionDeniedError("Requests from other sites are refused here.")
        origin = exchange.header(b"origin")
        if origin is not None and not self._is_own_origin(origin, host):
            raise PermissionDeniedError("Requests from other origins are refused here.")

    def check_host(self, exchange: Exchange) -> str:
        """The Host, for what other sites may lead a browser to. 403 for a name that is not ours."""
        host = exchange.header(b"host") or ""
        if not self._is_ours(_name(host)):
            raise PermissionDeniedError(
                "The Console is not served under this host name. Name it in the setting console.hosts, or set "
                "server.public_url."
            )
        return host

    def is_secure(self, exchange: Exchange) -> bool:
        """Whether the browser speaks TLS, if only with the proxy before us."""
        if exchange.scope.get("scheme") == "https":
            return True
        public = self._public
        return (
            public is not None
            and public.scheme == "https"
            and _name(exchange.header(b"host") or "") in self._hosts - {"localhost"}
        )

    def address(self, exchange: Exchange) -> str:
        """Where the browser reaches us, without a slash at its end. Only for requests that were checked."""
        if self._public is not None:
            return self._public.geturl().rstrip("/")
        return f"{exchange.scope.get('scheme', 'http')}://{exchange.header(b'host')}"

    def _is_ours(self, name: str) -> bool:
        if name in self._hosts or name.endswith(".localhost"):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True

    def _is_own_origin(self, origin: str, host: str) -> bool:
        try:
            given = urlsplit(origin)
            place = (given.hostname, given.port or _PORTS[given.scheme])
            public = self._public
            if public is not None and public.hostname in (given.hostname, _name(host)):
                return given.scheme == public.scheme and place == _place(public.geturl())
            # Behind a proxy the scheme is not known here, and with it the port that goes without saying.
            return place == _place(f"{given.scheme}://{host}")
        except (ValueError, KeyError):
            return False


def _place(url: str) -> tuple[str | None, int]:
    parsed = urlsplit(url)
    return parsed.hostname, parsed.port or _PORTS[parsed.scheme]


def _name(host: str) -> str:
    """A Host without its port, in lower case; "" for what is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""
