"""Health, readiness and metrics, and the probe that Claude Code sends before it works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from understudy.usage.metrics import Metrics


def control_routes(metrics: Metrics, ready: Callable[[], Awaitable[str | None]]) -> list[BaseRoute]:
    """The routes. `ready` says what is missing, or None."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        missing = await ready()
        if missing is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": missing}, status_code=503)

    async def render_metrics(_: Request) -> Response:
        body, content_type = metrics.render()
        return Response(body, media_type=None, headers={"content-type": content_type})

    async def hello(_: Request) -> Response:
        return JSONResponse({"message": "hello"})

    return [
        Route("/livez", livez, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", render_metrics, methods=["GET"]),
        Route("/api/hello", hello, methods=["GET"]),
    ]
