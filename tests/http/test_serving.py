"""What every server of ours says of itself."""

from __future__ import annotations

import socket
from contextlib import nullcontext
from typing import Any

import pytest

from understudy.http.serving import AnnouncingServer, serving_config


@pytest.mark.parametrize("fails", [True, False])
async def test_a_server_is_announced_only_once_its_application_has_started(fails: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": f"lifespan.startup.{'failed' if fails else 'complete'}"})
        if not fails:
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    announced: list[bool] = []

    def ready() -> None:
        announced.append(True)
        server.should_exit = True

    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = AnnouncingServer(serving_config(app), ready)
        with pytest.raises(SystemExit) if fails else nullcontext():
            await server.serve([bound])
    assert announced == ([] if fails else [True])
