"""Running an application that is not the server itself: the recorder and the replayer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from understudy.http.serving import AnnouncingServer, serving_config
from understudy.settings import SettingsError


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
    with bound:
        AnnouncingServer(serving_config(app), lambda: print(ready(url), flush=True)).run([bound])
