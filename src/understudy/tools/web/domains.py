"""`allowed_domains` and `blocked_domains` of the web tools.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools#domain-filtering.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit

from understudy.wire.errors import InvalidRequestError

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class Domain:
    """`host` with all hosts below it; `path` is a pattern of what its paths begin with, None for any."""

    host: str
    path: re.Pattern[str] | None = None

    def covers(self, host: str, path: str) -> bool:
        if host != self.host and not host.endswith("." + self.host):
            return False
        return self.path is None or self.path.match(path) is not None


def parse_domain(entry: str) -> Domain | None:
    """An entry such as `example.com` or `example.com/*/articles`; None for what is none.

    Hosts in other letters than ASCII are compared as they are asked for, in their ASCII form.
    """
    host, slash, path = entry.strip().partition("/")
    host = _ascii(host)
    if host is None:
        return None
    if not slash or not path.strip("/"):
        return Domain(host)
    # Up to the end of a segment: `/blog` is not `/blogger`.
    pattern = ".*".join(re.escape(unquote(piece)) for piece in path.rstrip("/").split("*"))
    return Domain(host, re.compile(f"/{pattern}" + ("" if path.endswith("*") else "(?=/|$)"), re.DOTALL))


def _ascii(host: str) -> str | None:
    host = host.rstrip(".").lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return host


@dataclass(frozen=True, slots=True)
class DomainFilter:
    """Which URLs a tool may use. `allowed` is None where all are but the blocked ones.

    `with_paths` is False for web fetch: there an entry with a path matches no URL.
    """

    allowed: tuple[Domain, ...] | None = None
    blocked: tuple[Domain, ...] = ()
    with_paths: bool = True

    def allows(self, url: str) -> bool:
        # Others may read such URLs in another way (see net/guard.py).
        if any(character <= " " or character in "\\\x7f" for character in url):
            return False
        try:
            parts = urlsplit(url)
            host = _ascii(parts.hostname or "")
        except ValueError:
            return False
        if host is None or parts.scheme not in {"http", "https"} or "@" in parts.netloc:
            return False
        path = unquote(parts.path) or "/"
        if self.allowed is not None and not self._any(self.allowed, host, path):
            return False
        return not self._any(self.blocked, host, path)

    def _any(self, among: tuple[Domain, ...], host: str, path: str) -> bool:
        return any(domain.covers(host, path) for domain in among if self.with_paths or domain.path is None)


def declared_tool(
    request: dict[str, Any], kinds: Collection[str], *, with_paths: bool
) -> tuple[dict[str, Any], DomainFilter]:
    """The web tool of a request that is of one of these types, and the URLs that it may use. Raises
    InvalidRequestError."""
    tools = cast("list[dict[str, Any]]", request["tools"])
    place, tool = next((place, tool) for place, tool in enumerate(tools) if tool.get("type") in kinds)
    try:
        return tool, domain_filter(tool.get("allowed_domains"), tool.get("blocked_domains"), with_paths=with_paths)
    except ValueError as error:
        # Text: [guess]; "invalid domain formats are rejected at request time with a 400" (server-tools.md).
        raise InvalidRequestError(f"tools.{place}.{tool['name']}: Invalid domain format: {error}") from None


def domain_filter(allowed: Sequence[str] | None, blocked: Sequence[str] | None, *, with_paths: bool) -> DomainFilter:
    """Raises ValueError with the entry that is no domain."""
    return DomainFilter(
        None if allowed is None else tuple(map(_parsed, allowed)), tuple(map(_parsed, blocked or ())), with_paths
    )


def _parsed(entry: str) -> Domain:
    domain = parse_domain(entry)
    if domain is None:
        raise ValueError(entry)
    return domain
