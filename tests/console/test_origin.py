from __future__ import annotations

import pytest

from understudy.console import cookies
from understudy.console.origin import Origins
from understudy.http.exchange import Exchange
from understudy.wire.errors import PermissionDeniedError

PUBLIC = "https://console.example.com"


async def _nothing(*_: object) -> None:
    raise AssertionError


def request(host: str, scheme: str = "http", **headers: str) -> Exchange:
    pairs = [(b"host", host.encode())]
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "scheme": scheme, "headers": pairs}
    return Exchange(scope, _nothing, _nothing)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("exchange", "secure"),
    [
        (request("127.0.0.1:8484"), False),
        (request("127.0.0.1:8484", "https"), True),
        # The proxy ends TLS, and passes on the name.
        (request("console.example.com"), True),
        (request("Console.Example.com:443"), True),
        # Past the proxy, on the machine itself: a browser would drop a secure cookie.
        (request("localhost:8484"), False),
    ],
)
def test_abuse_12_under_tls_the_cookie_is_secure_and_this_hosts_alone(exchange: Exchange, secure: bool) -> None:
    origins = Origins(["0.0.0.0"], PUBLIC)
    assert origins.is_secure(exchange) is secure
    name = cookies.session_name(secure=secure)
    _, field = cookies.set_cookie(name, "v", seconds=5, secure=secure, same_site="Strict")
    text = field.decode()
    assert text.startswith("__Host-understudy_session=" if secure else "understudy_session=")
    assert text.endswith("; Secure") is secure


@pytest.mark.parametrize(
    ("exchange", "ours"),
    [
        (request("console.example.com", origin=PUBLIC), True),
        (request("console.example.com:443", origin=PUBLIC), True),
        # A proxy that names itself instead.
        (request("127.0.0.1:8484", origin=PUBLIC), True),
        (request("console.example.com", origin="http://console.example.com"), False),
        (request("console.example.com", origin="https://console.example.com:8443"), False),
        (request("console.example.com", origin="https://console.example.com.evil.example"), False),
        (request("127.0.0.1:8484", origin="http://127.0.0.1:8484"), True),
        (request("127.0.0.1:8484", origin="http://localhost:8484"), False),
        (request("127.0.0.1:8484", origin="http://127.0.0.1:3000"), False),
        (request("127.0.0.1:8484", origin="file://"), False),
        (request("127.0.0.1:8484", origin="http://["), False),
        (request("[::1]:8484", origin="http://[::1]:8484"), True),
        (request("dev.localhost:8484", origin="http://dev.localhost:8484"), True),
        (request("other.example.com", origin="https://other.example.com"), True),
        (request("another.example.com", origin="https://another.example.com"), False),
        (request("", origin="http://"), False),
        (request("127.0.0.1", sec_fetch_site="none"), True),
        (request("127.0.0.1", sec_fetch_site="same-site"), False),
    ],
)
def test_abuse_62_only_requests_of_our_own_page_pass(exchange: Exchange, ours: bool) -> None:
    origins = Origins(["::", "other.example.com"], PUBLIC)
    if ours:
        origins.check(exchange)
    else:
        with pytest.raises(PermissionDeniedError):
            origins.check(exchange)
