"""The whole server in a thread of this process, with an event loop, a port and a data directory of its own."""

from __future__ import annotations

import asyncio
import gc
import socket
import tempfile
import threading
from pathlib import Path
from typing import ClassVar

import uvicorn

from understudy.app import create_app, open_foundations
from understudy.engines.scenarios.store import Scenarios
from understudy.http.protocol import BoundedHttpProtocol
from understudy.http.record import RequestLog
from understudy.http.serving import AnnouncingServer, serving_config
from understudy.settings import HttpSettings, Settings, load_settings

# Seconds for what takes a second or two on a machine with nothing else to do.
_TIMEOUT = 60.0


class ThreadedServer:
    """Listens on a free loopback port from `start` to `stop`. `scenarios` may be changed from any thread."""

    def __init__(self) -> None:
        self.scenarios = Scenarios()
        self.base_url = ""
        self.api_key = ""
        self.admin_key = ""
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Returns once connections are accepted. Raises what kept the server from starting."""
        self._directory = tempfile.TemporaryDirectory(prefix="understudy-")
        # The application sets the collector up for a process of its own, which this one is not.
        thresholds = gc.get_threshold()
        self._thread = threading.Thread(target=self._run, name="understudy", daemon=True)
        self._thread.start()
        ready = self._ready.wait(_TIMEOUT)
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        if self._failure is not None:
            raise RuntimeError("The server did not start.") from self._failure
        if not ready:
            raise TimeoutError(f"The server did not start within {_TIMEOUT:.0f} seconds.")

    def stop(self) -> None:
        """Returns once the port is closed. Open answers are cut."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_TIMEOUT)
        if self._directory is not None:
            self._directory.cleanup()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        assert self._directory is not None
        settings = _settings(Path(self._directory.name))
        foundations = await open_foundations(settings)
        try:
            self.api_key = (await foundations.organizations.create_key("tests", "api")).secret
            self.admin_key = (await foundations.organizations.create_key("tests", "admin")).secret
        finally:
            await foundations.db.dispose()
        app = create_app(settings, self.scenarios)

        class Protocol(BoundedHttpProtocol):
            # The class's own stay for whoever else serves in this process.
            bounds: ClassVar[HttpSettings] = settings.http
            request_log: ClassVar[RequestLog | None] = app.request_log

        config = serving_config(app, http=Protocol, timeout_graceful_shutdown=1)
        # asyncio sends small writes at once only on sockets that name their protocol.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
            bound.bind(("127.0.0.1", 0))
            bound.listen(2048)
            self.base_url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            server = AnnouncingServer(config, self._ready.set)
            self._server = server
            await server.serve([bound])
        if not server.started:
            raise RuntimeError("The application's start failed.")


def _settings(data_dir: Path) -> Settings:
    """Whatever the environment says about a server: this one is the tests' own."""
    flags = {
        "storage": {"data_dir": data_dir},
        "usage": {"request_log": False},
        "logging": {"requests": False, "level": "warning"},
    }
    return load_settings(None, flags, environment={})
