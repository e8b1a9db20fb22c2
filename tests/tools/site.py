"""A site on this machine whose pages a test makes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """`pages` by their paths; `asked` lists the paths that came."""

    def __init__(self) -> None:
        self.pages: dict[str, Handler] = {}
        self.asked: list[str] = []
        self.url = ""

    def page(
        self, path: str, body: str | bytes, content_type: str = "text/html", status: int = 200, **headers: str
    ) -> str:
        """Make a page that is always the same. Returns its URL."""

        async def answer(_: web.Request) -> web.Response:
            raw = body.encode() if isinstance(body, str) else body
            return web.Response(status=status, body=raw, headers={"content-type": content_type, **headers})

        self.pages[path] = answer
        return self.url + path

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        found = self.pages.get(request.path)
        return web.Response(status=404) if found is None else await found(request)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[str]:
    """A server that answers everything so, at the URL that is given."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running_site() -> AsyncGenerator[Site]:
    site = Site()
    async with serving(site.answer) as site.url:
        yield site
