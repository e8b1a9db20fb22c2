"""uvicorn as every server of ours uses it: what is common to their settings, and word of when they can be reached."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Any

from uvicorn.config import Config
from uvicorn.server import Server


def serving_config(app: Any, **more: Any) -> Config:
    return Config(
        app,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **more,
    )


class AnnouncingServer(Server):
    """Calls `on_ready` once connections are accepted. Where the application cannot start, uvicorn exits before that."""

    def __init__(self, config: Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                # uvicorn would raise them once more at the end; by then the server has done what they ask.
                self._captured_signals.clear()
