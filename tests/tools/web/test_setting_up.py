"""The web tools as the settings have them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from limits.limiters import Bench
from understudy.app.web_tools import WebTools
from understudy.documents.reader import PdfReader
from understudy.limits.groups import Groups
from understudy.limits.snapshot import Snapshot
from understudy.net.client import Fetcher
from understudy.net.guard import Guard
from understudy.settings import Settings, SettingsError
from understudy.tools.protocol import Asked, ServerTool, ToolCall, ToolSession
from understudy.tools.web.providers import Brave, DocumentSearch, SearXNG, Tavily
from understudy.tools.web_search.session import WebSearch
from understudy.wire.errors import InvalidRequestError

from .api import FETCH, SEALED, SEARCH, write_pages


def made(tmp_path: Path, *, bench: Bench | None = None, **rooms: Any) -> WebTools:
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path / "data"}, **rooms})
    return WebTools(settings, SEALED, Fetcher(Guard([])), (bench or Bench()).limiter, PdfReader())


def tool_for(tools: WebTools, kind: str) -> ServerTool:
    return next(tool for tool in tools.tools if tool.serves(kind))


def asked(tool: dict[str, Any], *, counting: bool = False) -> Asked:
    request = {"messages": [{"role": "user", "content": "x"}], "tools": [tool]}
    return Asked("org", "wrkspc_a", request, counting=counting)


async def opened(tools: WebTools, tool: dict[str, Any]) -> ToolSession:
    session = await tool_for(tools, tool["type"]).session(asked(tool))
    assert session is not None
    return session


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"provider": "documents"}, "web_search.documents"),
        ({"provider": "searxng"}, "web_search.url"),
        ({"provider": "brave"}, "web_search.key"),
        ({"provider": "tavily", "url": "https://a.org/"}, "web_search.key"),
        ({"documents": "/nowhere/at/all"}, "there is no directory"),
    ],
)
def test_a_provider_that_cannot_work_is_refused_at_the_start(tmp_path: Path, given: Any, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        made(tmp_path, web_search=given)


@pytest.mark.parametrize(
    ("given", "provider"),
    [
        ({"provider": "searxng", "url": "http://127.0.0.1:8888"}, SearXNG),
        ({"provider": "brave", "key": "k"}, Brave),
        ({"provider": "tavily", "key": "k", "url": "https://a.org/"}, Tavily),
        ({"documents": "pages"}, DocumentSearch),
    ],
)
async def test_the_provider_is_the_one_that_is_set(tmp_path: Path, given: Any, provider: type) -> None:
    if "documents" in given:
        given = {"documents": write_pages(tmp_path / "pages")}
    tools = made(tmp_path, web_search=given)
    session = await opened(tools, SEARCH)
    assert session.answers("web_search")
    (lazy,) = [tool for tool in tools.tools if tool.serves("web_search_20250305")]
    search: Any = vars(lazy)["_made"]
    assert isinstance(search, WebSearch)
    assert isinstance(search.provider, provider)
    await tools.close()


@pytest.mark.parametrize(("tool", "setting"), [(SEARCH, "web_search.provider"), (FETCH, "net.url_sources")])
async def test_what_is_not_set_up_is_refused_but_counted(tmp_path: Path, tool: Any, setting: str) -> None:
    lazy = tool_for(made(tmp_path), tool["type"])
    with pytest.raises(InvalidRequestError, match=rf"^tools\.0: .*`{setting}`"):
        await lazy.session(asked(tool))
    counted = await lazy.session(asked(tool, counting=True))
    assert counted is not None
    assert list(counted.functions) == []


async def test_fetching_is_on_with_url_sources_or_with_documents(tmp_path: Path) -> None:
    given: list[dict[str, Any]] = [
        {"net": {"url_sources": True}},
        {"web_search": {"documents": write_pages(tmp_path / "pages")}},
    ]
    for rooms in given:
        tools = made(tmp_path, **rooms)
        assert (await opened(tools, FETCH)).functions
        await tools.close()


async def test_searches_draw_on_their_own_limit(tmp_path: Path) -> None:
    group = Groups().of_type("web_search")
    bench = Bench(Snapshot(workspace_limits={"wrkspc_a": {group.id: {"tool_uses_per_second": 2}}}))
    tools = made(tmp_path, bench=bench, web_search={"documents": write_pages(tmp_path / "pages")})
    session = await opened(tools, SEARCH)
    found = [(await session.run(ToolCall("s", "web_search", {"query": "tea"}))).content for _ in range(3)]
    assert [isinstance(content, list) for content in found] == [True, True, False]
    assert found[2] == {"type": "web_search_tool_result_error", "error_code": "too_many_requests"}
    bench.clock.wait(0.5)
    assert isinstance((await session.run(ToolCall("s", "web_search", {"query": "tea"}))).content, list)
    await tools.close()


def test_nothing_is_imported_before_a_request_names_a_tool() -> None:
    import subprocess

    program = (
        "import sys, understudy.app; "
        "print([name for name in sys.modules if name.startswith(('understudy.tools.web_', 'understudy.tools.tool_s', "
        "'understudy.tools.web.index', 'understudy.tools.web.providers', 'trafilatura', 'ddgs'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
