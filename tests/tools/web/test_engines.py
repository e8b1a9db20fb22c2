"""What a server of the OpenAI kind sees of web search, web fetch and tool search."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engines.openai_compatible.turns import engine
from fake_openai import FakeOpenAI, Reply, call, calls, chunk, fake_openai, said, stream
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.messages.fold import Fold

from .api import BM25, FETCH, SEARCH, WEATHER, Block, types_of, web_api


def calling(name: str, **given: Any) -> Reply:
    return stream(calls(call(0, "call_0", name, json.dumps(given))), chunk(finish_reason="tool_calls"))


@pytest_asyncio.fixture
async def upstream() -> AsyncGenerator[FakeOpenAI]:
    async with fake_openai(said("done")) as fake:
        yield fake


async def ask(directory: Path, fake: FakeOpenAI, tools: list[Block], *, streamed: bool = False) -> Block:
    up = engine(fake.url, DIALECTS["vllm"])
    try:
        async with web_api(directory, engine=up) as api:
            if not streamed:
                return await api.ask("go https://ruby.example.org/releases", tools=tools)
            fold = Fold()
            fold.add_all(await api.stream("go https://ruby.example.org/releases", tools=tools))
            return fold.message
    finally:
        await up.close()


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_was_found_is_told_in_words(tmp_path: Path, upstream: FakeOpenAI, *, streamed: bool) -> None:
    upstream.reply(calling("web_search", query="tea"), said("70 degrees."))
    message = await ask(tmp_path, upstream, [SEARCH], streamed=streamed)
    assert types_of(message) == ["server_tool_use", "web_search_tool_result", "text"]
    assert [tool["function"]["name"] for tool in upstream.bodies[0]["tools"]] == ["web_search"]
    told = upstream.bodies[1]["messages"][-1]
    assert (told["role"], told["tool_call_id"]) == ("tool", message["content"][0]["id"])
    assert told["content"] == (
        '<search_result title="Green tea" url="https://tea.example.org/green">\nGreen tea is steeped at 70 degrees.\n'
        "</search_result>"
    )


async def test_the_age_of_a_page_is_told(tmp_path: Path, upstream: FakeOpenAI) -> None:
    upstream.reply(calling("web_search", query="ruby"), said("done"))
    await ask(tmp_path, upstream, [SEARCH])
    assert 'age="April 2, 2026"' in upstream.bodies[1]["messages"][-1]["content"]


async def test_nothing_found_and_errors_are_told(tmp_path: Path, upstream: FakeOpenAI) -> None:
    upstream.reply(calling("web_search", query="zebra"), calling("web_search", query=""), said("done"))
    await ask(tmp_path, upstream, [SEARCH])
    told = [message["content"] for message in upstream.bodies[2]["messages"] if message["role"] == "tool"]
    assert told == ["Nothing was found.", "Error: invalid_tool_input"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_page_is_told(tmp_path: Path, upstream: FakeOpenAI, *, streamed: bool) -> None:
    upstream.reply(calling("web_fetch", url="https://ruby.example.org/releases"), said("4.0"))
    message = await ask(tmp_path, upstream, [FETCH], streamed=streamed)
    assert message["content"][1]["content"]["type"] == "web_fetch_result"
    told = upstream.bodies[1]["messages"][-1]["content"]
    assert told.startswith('<web_page url="https://ruby.example.org/releases">\n\n<document title="Ruby releases">')


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_that_was_found_is_offered_at_once(
    tmp_path: Path, upstream: FakeOpenAI, *, streamed: bool
) -> None:
    upstream.reply(calling("tool_search_tool_bm25", query="weather"), calling("get_weather", location="Rome"))
    message = await ask(tmp_path, upstream, [BM25, WEATHER], streamed=streamed)
    assert types_of(message) == ["server_tool_use", "tool_search_tool_result", "tool_use"]
    offered = [[tool["function"]["name"] for tool in body["tools"]] for body in upstream.bodies]
    assert offered == [["tool_search_tool_bm25"], ["tool_search_tool_bm25", "get_weather"]]
    assert upstream.bodies[1]["messages"][-1]["content"] == "The tool get_weather may be used now."
    assert message["stop_reason"] == "tool_use"


async def test_a_search_that_finds_no_tool_says_so(tmp_path: Path, upstream: FakeOpenAI) -> None:
    upstream.reply(calling("tool_search_tool_bm25", query="zebra"), said("There is none."))
    await ask(tmp_path, upstream, [BM25, WEATHER])
    assert upstream.bodies[1]["messages"][-1]["content"] == "No tool was found."
