"""Whole turns with web search, web fetch and tool search, on the simulator and on scripted answers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from understudy.engines.engine import Citation
from understudy.engines.materials import Materials, WebResult
from understudy.engines.scenarios.model import Answer
from understudy.messages.citations import Citations
from understudy.messages.fold import Fold
from understudy.tools.web.sealed import INDEX

from .api import (
    BM25,
    FETCH,
    REGEX,
    SEALED,
    SEARCH,
    WEATHER,
    Block,
    WebApi,
    call,
    citations_of,
    types_of,
    web_api,
)

ORGANIZATION = "6f0c9a52-6d1c-4f5e-9d43-0d9a8f3b7c11"
RUBY = "Search the web: what is the latest stable Ruby version? Cite your source."


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncGenerator[WebApi]:
    async with web_api(tmp_path) as made:
        yield made


def folded(events: list[Block]) -> Block:
    fold = Fold()
    fold.add_all(events)
    return fold.message


class TestWebSearch:
    @pytest.mark.parametrize("streamed", [False, True])
    @pytest.mark.parametrize("kind", ["web_search_20250305", "web_search_20260209", "web_search_20260318"])
    async def test_the_simulator_searches_and_cites(self, api: WebApi, kind: str, *, streamed: bool) -> None:
        tools = [{**SEARCH, "type": kind}]
        message = folded(await api.stream(RUBY, tools=tools)) if streamed else await api.ask(RUBY, tools=tools)
        assert types_of(message) == ["server_tool_use", "web_search_tool_result", "text", "text"]
        use, result, _, text = message["content"]
        assert list(use) == ["type", "id", "name", "input"]
        assert use["input"] == {"query": "what is the latest stable Ruby version"}
        assert list(result) == ["type", "tool_use_id", "content", "caller"]
        assert result["caller"] == {"type": "direct"}
        assert list(result["content"][0]) == ["type", "title", "url", "encrypted_content", "page_age"]
        assert result["content"][0]["page_age"] == "April 2, 2026"
        (citation,) = text["citations"]
        assert list(text) == ["citations", "type", "text"]
        assert list(citation) == ["type", "cited_text", "url", "title", "encrypted_index"]
        assert citation["type"] == "web_search_result_location"
        assert citation["cited_text"].strip() == text["text"] == "Ruby 4.0 is the latest stable Ruby version."
        assert citation["url"] == "https://ruby.example.org/releases"
        assert SEALED.open(INDEX, ORGANIZATION, citation["encrypted_index"]) is not None
        assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
        assert api.messages.records.kept[-1].web_search_requests == 1

    async def test_what_was_found_counts_as_input(self, api: WebApi) -> None:
        with_results = await api.ask(RUBY, tools=[SEARCH])
        nothing = await api.ask("Search the web for zzzzz", tools=[SEARCH])
        assert with_results["usage"]["input_tokens"] > nothing["usage"]["input_tokens"] + 100

    def test_a_long_quotation_is_cut(self) -> None:
        result = WebResult("https://a.org/", "A", "w" * 400, lambda start, end: f"{start} {end}")
        citation = Citations(Materials(web_results=(result,)))(Citation("web_result", 0, 0, 100, 300))
        assert citation["cited_text"] == "w" * 150 + "..."
        assert citation["encrypted_index"] == "100 300"

    async def test_the_conversation_goes_on_with_what_was_found(self, api: WebApi) -> None:
        first = await api.ask(RUBY, tools=[SEARCH])
        history: list[Block] = [
            {"role": "user", "content": RUBY},
            {"role": "assistant", "content": first["content"]},
            {"role": "user", "content": "When was it released?"},
        ]
        again = await api.ask("", tools=[SEARCH], messages=history)
        assert again["stop_reason"] == "end_turn"
        # Also where the tool is not there any more.
        assert (await api.ask("", tools=[], messages=history))["stop_reason"] == "end_turn"
        history[1]["content"][1]["content"][0]["encrypted_content"] = "EqgB" + "A" * 400
        assert (await api.refusal("", tools=[SEARCH], messages=history)).startswith(
            "messages.1.content.1.content.0.encrypted_content: "
        )

    async def test_a_count_counts_what_was_found(self, api: WebApi) -> None:
        first = await api.ask(RUBY, tools=[SEARCH])
        history = [{"role": "user", "content": RUBY}, {"role": "assistant", "content": first["content"]}]
        history.append({"role": "user", "content": "And?"})
        body = {"model": "claude-sonnet-4-5", "messages": history, "tools": [SEARCH]}
        answer = await api.messages.post(body, "/v1/messages/count_tokens")
        assert answer.json()["input_tokens"] > first["usage"]["input_tokens"] / 2

    async def test_searches_end_with_max_uses(self, api: WebApi) -> None:
        api.script(call("web_search", query="Ruby"), call("web_search", query="tea"), Answer(text="Done."))
        message = await api.ask("go", tools=[{**SEARCH, "max_uses": 1}])
        assert message["content"][3]["content"] == {
            "type": "web_search_tool_result_error",
            "error_code": "max_uses_exceeded",
        }
        assert message["usage"]["server_tool_use"]["web_search_requests"] == 1

    async def test_the_forced_tool_searches(self, api: WebApi) -> None:
        message = await api.ask("green tea", tools=[SEARCH], tool_choice={"type": "tool", "name": "web_search"})
        assert message["content"][0]["input"] == {"query": "green tea"}
        assert "70 degrees" in message["content"][-1]["text"]

    @pytest.mark.parametrize("asked", ["hello", "Reply with exactly: ok", "Don't search the web, what is news?"])
    async def test_what_needs_no_search_is_answered(self, api: WebApi, asked: str) -> None:
        assert types_of(await api.ask(asked, tools=[SEARCH])) == ["text"]

    async def test_domains_are_kept(self, api: WebApi) -> None:
        message = await api.ask(RUBY, tools=[{**SEARCH, "blocked_domains": ["example.org"]}])
        assert message["content"][1]["content"] == []
        assert (await api.refusal(RUBY, tools=[{**SEARCH, "allowed_domains": ["*.a"]}])).startswith("tools.0.")


class TestWebFetch:
    URL = "https://ruby.example.org/releases"

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_the_simulator_fetches_and_cites(self, api: WebApi, *, streamed: bool) -> None:
        asked = f"What does {self.URL} say about the latest version?"
        message = folded(await api.stream(asked, tools=[FETCH])) if streamed else await api.ask(asked, tools=[FETCH])
        assert types_of(message)[:2] == ["server_tool_use", "web_fetch_tool_result"]
        result = message["content"][1]
        assert list(result) == ["type", "tool_use_id", "content", "caller"]
        assert list(result["content"]) == ["type", "url", "retrieved_at", "content"]
        assert list(result["content"]["content"]) == ["type", "source", "title", "citations"]
        citations = citations_of(message)
        assert citations[0]["type"] == "char_location"
        assert (citations[0]["document_index"], citations[0]["document_title"]) == (0, "Ruby releases")
        assert message["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 1}

    async def test_without_citations_it_tells_what_the_page_says(self, api: WebApi) -> None:
        message = await api.ask(f"Read {self.URL}", tools=[{"type": "web_fetch_20260318", "name": "web_fetch"}])
        assert "citations" not in message["content"][1]["content"]["content"]
        assert message["content"][-1]["text"].startswith("**Ruby releases** says:\n\nRuby 4.0")

    async def test_a_result_of_the_same_turn_may_be_fetched(self, api: WebApi) -> None:
        message = await api.ask("Search for the Ruby version and read the first result.", tools=[SEARCH, FETCH])
        assert types_of(message)[:4] == [
            "server_tool_use", "web_search_tool_result", "server_tool_use", "web_fetch_tool_result",
        ]  # fmt: skip
        assert message["content"][3]["content"]["type"] == "web_fetch_result"
        assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 1}

    async def test_a_document_of_the_request_keeps_its_number(self, api: WebApi) -> None:
        document = {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "Nothing of that."},
            "citations": {"enabled": True},
        }
        content = [document, {"type": "text", "text": f"What is the latest version by {self.URL}?"}]
        message = await api.ask(content, tools=[FETCH])
        assert {citation["document_index"] for citation in citations_of(message)} == {1}

    async def test_pages_of_earlier_turns_may_be_cited(self, api: WebApi) -> None:
        asked = f"What does {self.URL} say about the latest version?"
        first = await api.ask(asked, tools=[FETCH])
        history = [{"role": "user", "content": asked}, {"role": "assistant", "content": first["content"]}]
        history.append({"role": "user", "content": "When was it released, by that page?"})
        again = await api.ask("", tools=[FETCH], messages=history)
        assert citations_of(again)[0]["document_index"] == 0


class TestToolSearch:
    HIDDEN: list[Block] = [  # noqa: RUF012
        WEATHER,
        {"name": "send_mail", "description": "Sends a mail", "defer_loading": True, "input_schema": {"type": "object"}},
    ]

    @pytest.mark.parametrize("streamed", [False, True])
    @pytest.mark.parametrize(("tool", "given"), [(REGEX, "pattern"), (BM25, "query")])
    async def test_a_hidden_tool_is_found_and_called(
        self, api: WebApi, tool: Block, given: str, *, streamed: bool
    ) -> None:
        asked, tools = "What is the weather in San Francisco, CA?", [tool, *self.HIDDEN]
        message = folded(await api.stream(asked, tools=tools)) if streamed else await api.ask(asked, tools=tools)
        assert types_of(message) == ["server_tool_use", "tool_search_tool_result", "tool_use"]
        assert message["content"][0]["input"] == {given: "weather"}
        assert message["content"][1]["content"] == {
            "type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "get_weather"}],
        }
        assert message["content"][2]["input"] == {"location": "San Francisco"}
        assert message["stop_reason"] == "tool_use"

    async def test_what_needs_no_hidden_tool_is_answered(self, api: WebApi) -> None:
        assert types_of(await api.ask("hello", tools=[BM25, *self.HIDDEN])) == ["text"]

    async def test_after_the_tools_result_it_answers(self, api: WebApi) -> None:
        asked, tools = "What is the weather in San Francisco, CA?", [BM25, *self.HIDDEN]
        first = await api.ask(asked, tools=tools)
        result = {"type": "tool_result", "tool_use_id": first["content"][-1]["id"], "content": "Sunny, 18 degrees"}
        history = [{"role": "user", "content": asked}, {"role": "assistant", "content": first["content"]}]
        history.append({"role": "user", "content": [result]})
        again = await api.ask("", tools=tools, messages=history)
        assert types_of(again) == ["text"]
        assert "Sunny" in again["content"][0]["text"]

    async def test_the_definitions_that_were_found_count(self, api: WebApi) -> None:
        for query in ("weather", "zebra"):
            api.script(call("tool_search_tool_bm25", query=query), Answer(text="Found."))
        found = await api.ask("go", tools=[BM25, *self.HIDDEN])
        nothing = await api.ask("go", tools=[BM25, *self.HIDDEN])
        assert found["usage"]["input_tokens"] > nothing["usage"]["input_tokens"] + 20

    async def test_a_clients_own_search_is_used(self, api: WebApi) -> None:
        finder = {
            "name": "ToolSearch",
            "description": "Finds tools that are not listed.",
            "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        }
        asked, tools = "What is the weather in San Francisco, CA?", [finder, *self.HIDDEN]
        first = await api.ask(asked, tools=tools)
        (use,) = [block for block in first["content"] if block["type"] == "tool_use"]
        assert (use["name"], use["input"]) == ("ToolSearch", {"query": "weather"})
        reference = {"type": "tool_reference", "tool_name": "get_weather"}
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": [reference]}
        history = [{"role": "user", "content": asked}, {"role": "assistant", "content": first["content"]}]
        history.append({"role": "user", "content": [result]})
        again = await api.ask("", tools=tools, messages=history)
        assert [block["name"] for block in again["content"] if block["type"] == "tool_use"] == ["get_weather"]


async def test_every_pair_of_tools_goes_together(api: WebApi) -> None:
    for one, other in itertools.combinations([SEARCH, FETCH, BM25], 2):
        tools: list[Any] = [one, other]
        if BM25 in tools:
            tools.append(WEATHER)
        message = await api.ask("hello", tools=tools)
        assert types_of(message) == ["text"]
