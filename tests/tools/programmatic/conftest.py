"""A server that runs code in real containers, and has documents to search and fetch."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from bubblewrap import have_bubblewrap
from servers import RunningServer, start_server
from tests.tools.web.api import PAGES, write_pages

# What a recorded exchange fetches.
RECORDED = {"url": "https://ai.pydantic.dev", "title": "Pydantic AI", "text": "Pydantic AI - Pydantic AI\n\nAn agent."}


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    have_bubblewrap()
    pages = write_pages(tmp_path_factory.mktemp("pages"), [*PAGES, RECORDED])
    env = {"UNDERSTUDY_WEB_SEARCH_DOCUMENTS": str(pages), "UNDERSTUDY_CODE_EXECUTION_TIMEOUT": "10"}
    running = start_server(tmp_path_factory.mktemp("programmatic"), env=env)
    yield running
    assert running.stop() == 0
