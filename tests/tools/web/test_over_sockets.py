"""The official SDK against servers with web search, web fetch and tool search: the simulator, an upstream of the OpenAI
kind, and a model of this machine."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anthropic
import pytest

from clients.installs import run
from fake_openai import call, calls, chunk, fake_openai, said, stream
from servers import RunningServer, ServerStarter, clean_environment, start_server
from tests.gguf.models import scripted_model

from .api import BM25, FETCH, REGEX, SEARCH, WEATHER, write_pages

MODEL = "claude-sonnet-5-5"
URL = "https://ruby.example.org/releases"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pages(tmp_path_factory.mktemp("documents"))


@pytest.fixture(scope="module")
def searching(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    env = {"UNDERSTUDY_WEB_SEARCH_DOCUMENTS": str(documents)}
    running = start_server(tmp_path_factory.mktemp("searching"), env=env)
    yield running
    assert running.stop() == 0


def client(server: RunningServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)


def answer(server: RunningServer, content: str, tools: Any, *, streamed: bool, **more: Any) -> Any:
    wanted: Any = {
        "model": MODEL,
        "max_tokens": 2_000,
        "tools": tools,
        "messages": [{"role": "user", "content": content}],
    }
    if not streamed:
        return client(server).messages.create(**{**wanted, **more})
    with client(server).messages.stream(**{**wanted, **more}) as events:
        return events.get_final_message()


def types_of(message: Any) -> list[str]:
    return [block.type for block in message.content if block.type != "thinking"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_search_is_made_and_cited(searching: RunningServer, *, streamed: bool) -> None:
    message = answer(searching, "Search the web: what is the latest Ruby version?", [SEARCH], streamed=streamed)
    assert types_of(message) == ["server_tool_use", "web_search_tool_result", "text", "text"]
    (citation,) = message.content[-1].citations
    assert (citation.type, citation.url) == ("web_search_result_location", URL)
    assert message.usage.server_tool_use.web_search_requests == 1
    again = client(searching).messages.create(
        model=MODEL,
        max_tokens=500,
        tools=[SEARCH],  # pyright: ignore[reportArgumentType]
        messages=[
            {"role": "user", "content": "Search the web: what is the latest Ruby version?"},
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": "Thanks."},
        ],
    )
    assert again.stop_reason == "end_turn"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_page_is_fetched_and_cited(searching: RunningServer, *, streamed: bool) -> None:
    message = answer(searching, f"What does {URL} say of the latest version?", [FETCH], streamed=streamed)
    result = message.content[[block.type for block in message.content].index("web_fetch_tool_result")]
    assert result.content.content.title == "Ruby releases"
    assert message.content[-1].citations[0].type == "char_location"
    assert message.usage.server_tool_use.web_fetch_requests == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("tool", [REGEX, BM25])
def test_a_hidden_tool_is_found(searching: RunningServer, tool: Any, *, streamed: bool) -> None:
    message = answer(searching, "What is the weather in Rome?", [tool, WEATHER], streamed=streamed)
    assert types_of(message) == ["server_tool_use", "tool_search_tool_result", "tool_use"]
    assert message.content[-1].input == {"location": "Rome"}


@pytest.mark.parametrize(
    ("tool", "setting"), [(SEARCH, "`web_search.provider`"), (FETCH, "`net.url_sources`")], ids=["search", "fetch"]
)
def test_what_is_not_set_up_is_refused_with_the_setting(server: RunningServer, tool: Any, setting: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        answer(server, "hello", [WEATHER | {"defer_loading": False}, tool], streamed=False)
    assert "tools.1: " in str(refused.value)
    assert setting in str(refused.value)
    counted = client(server).messages.count_tokens(
        model=MODEL, tools=[tool], messages=[{"role": "user", "content": "hello"}]
    )
    assert counted.input_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_upstream_of_the_openai_kind(
    serve: ServerStarter, documents: Path, tmp_path: Path, *, streamed: bool
) -> None:
    searches = stream(calls(call(0, "c", "web_search", '{"query":"tea"}')), chunk(finish_reason="tool_calls"))
    async with fake_openai(searches, said("70 degrees.")) as upstream:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[engines.up]\nkind = "openai"\nbase_url = "{upstream.url}"\n\n[[models.map]]\nname = "{MODEL}"\n'
            f'targets = [{{ engine = "up", model = "m" }}]\n\n[web_search]\ndocuments = {json.dumps(str(documents))}\n',
            "utf-8",
        )
        running = await asyncio.to_thread(serve, "--config", str(config))
        message = await asyncio.to_thread(answer, running, "How hot for tea?", [SEARCH], streamed=streamed)
    assert types_of(message) == ["server_tool_use", "web_search_tool_result", "text"]
    assert message.content[-1].text == "70 degrees."


CALLS = {
    "web_search": ('<tool_call>\n{"query":"green tea"}\n</tool_call>', [SEARCH], "web_search_tool_result"),
    "web_fetch": (f'<tool_call>\n{{"url":"{URL}"}}\n</tool_call>', [FETCH], "web_fetch_tool_result"),
    "tool_search": ('<tool_call>\n{"query":"weather"}\n</tool_call>', [BM25, WEATHER], "tool_search_tool_result"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_a_model_of_this_machine(serve: ServerStarter, documents: Path, name: str) -> None:
    sentence, tools, result = CALLS[name]
    model = scripted_model(sentence, after_tool_result="It is said there.")
    env = {"UNDERSTUDY_LLAMACPP_CONTEXT": "4096", "UNDERSTUDY_WEB_SEARCH_DOCUMENTS": str(documents)}
    running = serve("--model", str(model), env=env)
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    for streamed in (False, True):
        message = answer(
            running, f"go {URL}", tools, streamed=streamed, model="claude-haiku-4-5", tool_choice=choice, max_tokens=100
        )
        assert types_of(message) == ["server_tool_use", result, "text"]
        assert not hasattr(message.content[1].content, "error_code")
        assert message.content[-1].text == "It is said there."


@pytest.mark.parametrize("page", ["web-search-and-fetch.md", "tool-search.md"])
def test_the_examples_of_the_documentation_run(searching: RunningServer, tmp_path: Path, page: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        block = block.replace("http://127.0.0.1:8484", searching.url).replace("sk-understudy-api-…", searching.api_key)
        (tmp_path / "example.py").write_text(block, "utf-8")
        run([sys.executable, "example.py"], env=clean_environment(), cwd=tmp_path, timeout=60)
