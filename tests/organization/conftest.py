"""One server for all tests of the organization: what they make has names of its own."""

from __future__ import annotations

from collections.abc import Generator

import anthropic
import httpx
import pytest

from servers import start_server

from .acting import Organization


@pytest.fixture(scope="session")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Generator[Organization]:
    running = start_server(tmp_path_factory.mktemp("organization"), env={"UNDERSTUDY_NET_ALLOW": "127.0.0.1"})
    admin = anthropic.Anthropic(api_key=running.admin_key, base_url=running.url, max_retries=0)
    with httpx.Client(base_url=running.url, trust_env=False, timeout=30) as client:
        yield Organization(running, admin, client)
    assert running.stop() == 0, running.printed()
    # No secret that passed here was ever printed.
    assert "sk-understudy-" not in running.printed(last=10_000_000).replace(running.api_key, "").replace(
        running.admin_key, ""
    )
