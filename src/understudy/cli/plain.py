"""Running an application that is not the server itself: the recorder and the replayer."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Any

import uvicorn

from understudy.settings import SettingsError


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                # uvicorn would raise them once more at the end; by then the server has done what they ask.
                self._captured_signals.clear()


def run_plain(app: Any, host: str, port: int, ready: Callable[[str], str]) -> None:
    """Serve `app` until SIGTERM or SIGINT. `ready` makes of the address what is printed once it can be reached.

    Raises SettingsError when the address cannot be listened on.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Choose another with --port, or --port 0."
        ) from None
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{bound.getsockname()[1]}"
    config = uvicorn.Config(
        app, ws="none", lifespan="on", log_config=None, access_log=False, proxy_headers=False, server_header=False
    )
    with bound:
        _Server(config, lambda: print(ready(url), flush=True)).run([bound])
