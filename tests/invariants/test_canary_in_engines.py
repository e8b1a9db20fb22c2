"""Invariant 5, behind the prompt: what engines are given, and what the simulator looks at when it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import pytest

from asgi import InProcess
from documents import pdf_files
from engines.subjects import Watched
from every_block import IMAGE
from invariants.canaries import CANARY, MODEL, prompted
from messages.judging import assistant, message, result, text, use, user
from pictures import base64_of
from understudy.documents.reader import PdfReader
from understudy.engines.materials import Materials
from understudy.engines.simulator.conversation import Conversation, converse
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.engines.simulator.reading import read
from understudy.messages.materials import gather
from understudy.settings import SimulatorSettings

Block: TypeAlias = dict[str, Any]
Texts: TypeAlias = Callable[[Conversation, Materials], list[str]]


def document(source: Block, **more: Any) -> Block:
    return {"type": "document", "source": source, **more}


def search_result(words: str = "found", title: str = "a title", source: str = "a source") -> Block:
    return {"type": "search_result", "source": source, "title": title, "content": [text(words)]}


PLAIN: Final = document({"type": "text", "media_type": "text/plain", "data": CANARY})
WRITTEN: Final = document({"type": "content", "content": CANARY})
PARTS: Final = document({"type": "content", "content": [{"type": "image", "source": IMAGE}, text(CANARY)]})
FETCHED: Final = {
    "type": "web_fetch_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": {"type": "web_fetch_result", "url": "https://example.com/", "content": PLAIN},
}


def shown(conversation: Conversation, materials: Materials) -> list[str]:
    """Texts of documents and search results."""
    return conversation.reading.shown


def asked(conversation: Conversation, materials: Materials) -> list[str]:
    return [conversation.asked]


def results(conversation: Conversation, materials: Materials) -> list[str]:
    """Texts of the tool results of the turn at hand."""
    return conversation.reading.tool_results


def made(conversation: Conversation, materials: Materials) -> list[str]:
    """Results of the calls that were made for what is asked."""
    return [call.result for call in conversation.calls]


def earlier(conversation: Conversation, materials: Materials) -> list[str]:
    return [said for _, said in conversation.earlier()]


def context(conversation: Conversation, materials: Materials) -> list[str]:
    return conversation.context()


def system(conversation: Conversation, materials: Materials) -> list[str]:
    return [conversation.system()]


def titles(conversation: Conversation, materials: Materials) -> list[str]:
    """What an answer's citations say of their sources."""
    documents = [document.title or "" for document in materials.documents]
    return documents + [part for found in materials.search_results for part in (found.title, found.source)]


def answered(content: Any) -> list[Block]:
    """A conversation whose last message brings the result of a call."""
    return [user("go on"), assistant(use()), user(result(content=content))]


def asking(*blocks: Block) -> list[Block]:
    return [user(*blocks, text("what is this?"))]


# What a client gives, where the simulator finds it, and the conversation that holds it.
FOUND: Final[dict[str, tuple[Texts, list[Block]]]] = {
    "a plain document": (shown, asking(PLAIN)),
    "a written document": (shown, asking(WRITTEN)),
    "a document of parts": (shown, asking(PARTS)),
    "the title of a document": (titles, asking({**PLAIN, "title": CANARY})),
    "a search result": (shown, asking(search_result(CANARY))),
    "the title of a search result": (titles, asking(search_result(title=CANARY))),
    "the source of a search result": (titles, asking(search_result(source=CANARY))),
    "a document in a tool result": (shown, answered([PLAIN])),
    "a document of parts in a tool result": (shown, answered([PARTS])),
    "a search result in a tool result": (shown, answered([search_result(CANARY)])),
    "a page that was fetched": (shown, [user("go on"), assistant(FETCHED), user("what is this?")]),
    "a document of an earlier turn": (shown, [*asking(PLAIN), assistant("a page"), user("and?")]),
    "a tool result as a string": (results, answered(CANARY)),
    "a tool result as blocks": (results, answered([{"type": "image", "source": IMAGE}, text(CANARY)])),
    "a tool result as the result of its call": (made, answered([text("one"), text(CANARY)])),
    "the result of an earlier call": (
        made,
        [*answered(CANARY), assistant(use("toolu_2")), user(result("toolu_2"))],
    ),
    "a tool result of an earlier turn": (context, [*answered(CANARY), assistant("done"), user("and?")]),
    "what is asked": (asked, [user(CANARY)]),
    "what is asked beside a result": (asked, [user("go"), assistant(use()), user(result(), text(CANARY))]),
    "what was said before": (earlier, [user("hi"), assistant(CANARY), user("and?")]),
    "a system message on the way": (earlier, [user("hi"), message("system", CANARY), assistant("yes"), user("and?")]),
}


class TestTheSimulatorReads:
    async def texts(self, texts: Texts, request: Block) -> list[str]:
        gathered = await gather(request, MODEL, pdfs=None, fetcher=None)
        reading = read(gathered.request, gathered.materials)
        return texts(converse(gathered.request, reading), gathered.materials)

    @pytest.mark.parametrize("name", FOUND)
    async def test_what_a_client_shows_is_found_where_it_belongs(self, name: str) -> None:
        texts, messages = FOUND[name]
        request: Block = {"model": MODEL.id, "messages": messages}
        assert prompted(request)
        assert any(CANARY in found for found in await self.texts(texts, request))

    @pytest.mark.parametrize("given", [CANARY, [text("one"), text(CANARY)]], ids=["string", "blocks"])
    async def test_the_system_prompt(self, given: Any) -> None:
        request: Block = {"model": MODEL.id, "system": given, "messages": [user("hi")]}
        assert any(CANARY in found for found in await self.texts(system, request))

    @pytest.mark.parametrize("name", [name for name, (texts, _) in FOUND.items() if texts is not titles])
    async def test_it_is_among_the_texts_that_values_are_taken_from(self, name: str) -> None:
        _, messages = FOUND[name]
        context = await self.texts(lambda conversation, _: conversation.context(), {"messages": messages})
        assert any(CANARY in found for found in context)

    async def test_the_pages_of_a_pdf(self) -> None:
        data = base64_of(pdf_files.words("first", CANARY))
        page = document({"type": "base64", "media_type": "application/pdf", "data": data})
        reader = PdfReader()
        try:
            for messages in (asking(page), answered([page])):
                gathered = await gather({"messages": messages}, MODEL, pdfs=reader, fetcher=None)
                assert CANARY in read(gathered.request, gathered.materials).shown
        finally:
            await reader.close()


@pytest.mark.parametrize("name", [name for name in FOUND if name != "a page that was fetched"])
async def test_an_engine_is_given_the_request_as_it_was_sent(name: str) -> None:
    watched = Watched(SimulatorEngine(SimulatorSettings()))
    request: Block = {
        "model": MODEL.id,
        "max_tokens": 16,
        "system": [text(f"be {CANARY}")],
        "tools": [{"name": "f", "description": CANARY, "input_schema": {"type": "object", "title": CANARY}}],
        "tool_choice": {"type": "none"},
        "messages": FOUND[name][1],
    }
    answer = await InProcess(watched).post(request)
    assert answer.status == 200, answer.body
    (turn,) = watched.turns
    assert turn.request == request
