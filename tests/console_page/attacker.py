"""Somebody else's web site, served from this machine: under another port of the same host, and under another host."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers.get("referer", "")))
            content = made.pages.get(self.path.partition("?")[0], BLANK).encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Attacker(server.server_address[1], {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
