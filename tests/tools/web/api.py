"""The Messages API with web search, web fetch and tool search, in process: over documents that a test gives, and a site
of this machine."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asgi import InProcess
from streams import check_stream, parse_sse
from understudy.documents.html_reader import HtmlReader
from understudy.documents.reader import PdfReader
from understudy.engines.engine import Engine
from understudy.engines.scenarios.engine import ScenarioEngine
from understudy.engines.scenarios.model import Answer, Rule, ToolCall
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.net.client import Fetcher
from understudy.net.guard import Guard
from understudy.settings import SimulatorSettings
from understudy.tools.running import ServerTools
from understudy.tools.tool_search.session import ToolSearch
from understudy.tools.web.index import DocumentIndex
from understudy.tools.web.providers import DocumentSearch, SearchProvider
from understudy.tools.web.sealed import Sealed
from understudy.tools.web_fetch.fetching import Fetching
from understudy.tools.web_fetch.session import WebFetch
from understudy.tools.web_search.session import WebSearch

Block = dict[str, Any]

MODEL = "claude-sonnet-4-5"
SEARCH: Block = {"type": "web_search_20250305", "name": "web_search"}
FETCH: Block = {"type": "web_fetch_20250910", "name": "web_fetch", "citations": {"enabled": True}}
REGEX: Block = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
BM25: Block = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
WEATHER: Block = {
    "name": "get_weather",
    "description": "Get the weather of a place",
    "defer_loading": True,
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}
SEALED = Sealed([("key", b"k" * 32)])
BASE_URL = "https://documents.example/"

PAGES = [
    {
        "url": "https://ruby.example.org/releases",
        "title": "Ruby releases",
        "text": "Ruby 4.0 is the latest stable Ruby version. It was released in December. "
        + "More is said here. " * 20,
        "page_age": "April 2, 2026",
    },
    {"url": "https://tea.example.org/green", "title": "Green tea", "text": "Green tea is steeped at 70 degrees."},
]


@dataclass
class WebApi:
    """`scenarios` script the engine, which is else the simulator."""

    messages: InProcess
    scenarios: Scenarios

    async def ask(self, content: Any, *, tools: Sequence[Block], **more: Any) -> Block:
        answer = await self.messages.post(asking(content, tools, **more))
        assert answer.status == 200, answer.body
        return answer.json()

    async def stream(self, content: Any, *, tools: Sequence[Block], **more: Any) -> list[Block]:
        """The events of the answer, held against the automaton."""
        answer = await self.messages.post(asking(content, tools, **more) | {"stream": True})
        assert answer.status == 200, answer.body
        events = parse_sse(answer.body)
        check_stream(events)
        return events

    async def refusal(self, content: Any, *, tools: Sequence[Block], **more: Any) -> str:
        answer = await self.messages.post(asking(content, tools, **more))
        assert answer.status == 400, answer.body
        return answer.json()["error"]["message"]

    def script(self, *answers: Answer) -> None:
        """What the engine says, one answer a call."""
        self.scenarios.add(Rule(answer=answers))


def asking(content: Any, tools: Sequence[Block], **more: Any) -> Block:
    messages = more.pop("messages", [{"role": "user", "content": content}])
    return {"model": MODEL, "max_tokens": 4096, "messages": messages, "tools": list(tools), **more}


def call(name: str, **given: Any) -> Answer:
    return Answer(tool_calls=(ToolCall(name=name, input=given),))


def types_of(message: Block) -> list[str]:
    return [block["type"] for block in message["content"]]


def citations_of(message: Block) -> list[Block]:
    return [citation for block in message["content"] for citation in block.get("citations") or ()]


def write_pages(directory: Path, pages: Sequence[Block] = PAGES) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pages.jsonl").write_text("\n".join(map(json.dumps, pages)), "utf-8")
    return directory


@asynccontextmanager
async def web_api(
    directory: Path,
    *,
    engine: Engine | None = None,
    allow: Sequence[str] = ("127.0.0.1",),
    provider: SearchProvider | None = None,
) -> AsyncGenerator[WebApi]:
    """`allow`: private hosts that may be fetched from."""
    index = DocumentIndex(write_pages(directory / "pages"), directory / "index.db", BASE_URL)
    pdfs = PdfReader()
    fetching = Fetching(Fetcher(Guard(allow)), HtmlReader(processes=1), index, pdfs=pdfs)
    tools = ServerTools([WebSearch(provider or DocumentSearch(index), SEALED), WebFetch(fetching), ToolSearch()])
    scenarios = Scenarios(100)
    wrapped = ScenarioEngine(engine or SimulatorEngine(SimulatorSettings()), scenarios)
    try:
        yield WebApi(InProcess(wrapped, tools=tools, sealed=SEALED), scenarios)
    finally:
        await fetching.close()
        await pdfs.close()
