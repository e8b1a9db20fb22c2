"""`understudy worker`: works batches off on a machine of its own, and serves nobody."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from understudy import __version__
from understudy.app import create_app, open_foundations
from understudy.cli.logs import configure_logging
from understudy.http.serving import AnnouncingServer, serving_config
from understudy.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# What may be asked of a worker: nothing but how it is.
_WATCHED: Final = frozenset({"/livez", "/readyz", "/metrics"})


class _Watched:
    """Passes on what is asked of a worker's health, and the beginning and end of its life."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] in _WATCHED):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})


async def _migrate(settings: Any) -> None:
    foundations = await open_foundations(settings)
    await foundations.db.dispose()


def _bind(port: int | None) -> list[socket.socket]:
    if port is None:
        return []
    try:
        return [socket.create_server(("127.0.0.1", port))]
    except OSError as error:
        raise SettingsError(f"Cannot listen on 127.0.0.1:{port}: {error.strerror or error}.") from None


def run_worker(config: Path | None, flags: Mapping[str, Mapping[str, Any]], *, metrics_port: int | None) -> None:
    """Work until SIGTERM or SIGINT. Raises SettingsError for what keeps it from starting."""
    settings = load_settings(config, {**flags, "batches": {**flags.get("batches", {}), "run": True}})
    configure_logging(settings.logging)
    if settings.models.engine != "simulator" or any(one.kind == "llamacpp" for one in settings.engines.values()):
        from understudy.cli.models import with_models_here

        settings = with_models_here(settings)
    listening = _bind(metrics_port)
    asyncio.run(_migrate(settings))
    app = create_app(settings)

    def tell() -> None:
        print(f"Understudy {__version__} works batches off. Stop with Ctrl+C.", flush=True)
        for one in listening:
            print(f"Metrics are at http://127.0.0.1:{one.getsockname()[1]}/metrics", flush=True)

    server = AnnouncingServer(
        serving_config(_Watched(app), timeout_graceful_shutdown=settings.server.drain_timeout), tell
    )
    try:
        server.run(listening)
    except SystemExit:
        if app.failure is not None:
            raise app.failure from None
        raise
    if not server.started:
        sys.exit(1)
