"""Somebody else's web site, served from this machine: under another port of the same host, and under another host."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from loopback import Asked, LoopbackServer, Said

BLANK = "<!doctype html><title>Another site</title><p>Welcome!</p>"


@dataclass
class Attacker:
    """`asked`: paths that browsers asked of it, each with the Referer that was sent."""

    port: int
    pages: dict[str, str]
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def same_site(self) -> str:
        """Another origin of the same site: browsers send it even cookies that are SameSite=Strict."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_site(self) -> str:
        return f"http://localhost:{self.port}"


@contextmanager
def attacker_site() -> Generator[Attacker]:
    """Any path is a page; what stands in `pages` is that path's."""

    def answer(asked: Asked) -> Said:
        made.asked.append((asked.path, asked.headers.get("referer", "")))
        content = made.pages.get(asked.path.partition("?")[0], BLANK).encode()
        return Said(200, content, {"content-type": "text/html; charset=utf-8"})

    server = LoopbackServer(answer)
    made = Attacker(server.port, {})
    try:
        yield made
    finally:
        server.close()
