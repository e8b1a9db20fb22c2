"""The pages of PDFs as images, from a real PDF to what the upstream gets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from documents import pdf_files
from documents.png_files import Picture, taken_apart
from engines.openai_compatible.turns import engine, events_of, request, turn
from fake_openai import FakeOpenAI, Reply, fake_openai, said
from pictures import base64_of
from understudy.documents.reader import PdfReader
from understudy.engines.catalog import Catalog
from understudy.engines.engine import EngineTurn
from understudy.engines.materials import Document, Materials
from understudy.engines.openai_compatible.dialects import DIALECTS, Dialect
from understudy.engines.openai_compatible.pages import page_images
from understudy.messages.materials import gather
from understudy.wire.errors import InvalidRequestError

Json = dict[str, Any]
BLIND = DIALECTS["generic"]
SEEING = replace(BLIND, vision=True)
MODEL = Catalog([]).find("claude-sonnet-4-5")

RED = pdf_files.stream(b"1 0 0 rg 0 0 612 792 re f 1 g BT /F 20 Tf 20 700 Td (first words) Tj ET")
BLUE = pdf_files.stream(b"0 0 1 rg 0 0 612 792 re f 1 g BT /F 20 Tf 20 700 Td (second words) Tj ET")
GREEN = pdf_files.stream(b"0 1 0 rg 0 0 612 792 re f")
WORDS_ON_COLOURS = pdf_files.with_pages([RED, BLUE])
COLOURS = {b"\xff\x00\x00": "red", b"\x00\x00\xff": "blue", b"\x00\xff\x00": "green"}


def pdf(data: bytes, **more: Any) -> Json:
    source = {"type": "base64", "media_type": "application/pdf", "data": base64_of(data)}
    return {"type": "document", "source": source, **more}


def user(*content: Json) -> Json:
    return {"role": "user", "content": list(content)}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


@pytest_asyncio.fixture
async def pdfs() -> AsyncGenerator[PdfReader, None]:
    reader = PdfReader(processes=1)
    yield reader
    await reader.close()


async def read(pdfs: PdfReader, *messages: Json, cleared: int = 0) -> EngineTurn:
    """A turn whose media were read, and from which so many of its first messages were then taken out."""
    assert MODEL is not None
    gathered = await gather(request(*messages), MODEL, pdfs=pdfs, fetcher=None)
    kept = gathered.request["messages"][cleared:]
    return turn({**gathered.request, "messages": kept}, materials=gathered.materials)


async def sent(asked: EngineTurn, dialect: Dialect = SEEING) -> list[Json]:
    """The messages that the upstream gets."""
    async with fake_openai(said("Fine.")) as fake:
        await events_of(engine(fake.url, dialect), asked)
    return fake.bodies[0]["messages"]


def picture(part: Json) -> Picture:
    kind, _, data = part["image_url"]["url"].partition(";base64,")
    assert kind == "data:image/png"
    return taken_apart(data)


def outline(message: Json) -> list[str]:
    """Its texts, and the colours of its images."""
    if isinstance(message["content"], str):
        return [message["content"]]
    return [
        part["text"] if part["type"] == "text" else COLOURS[picture(part).at(0.5, 0.5)] for part in message["content"]
    ]


async def test_each_page_goes_as_its_image_and_its_text_in_the_order_of_the_pages(pdfs: PdfReader) -> None:
    asked = await read(pdfs, user(text("Look:"), pdf(WORDS_ON_COLOURS, title="Report"), text("So?")))
    (message,) = await sent(asked)
    assert outline(message) == [
        "Look:",
        '<document title="Report">',
        '<page number="1">',
        "red",
        "first words\n</page>",
        '<page number="2">',
        "blue",
        "second words\n</page>",
        "</document>",
        "So?",
    ]
    shown = [picture(part) for part in message["content"] if part["type"] == "image_url"]
    assert [(one.width, one.height) for one in shown] == [(1212, 1568)] * 2


async def test_a_model_that_does_not_see_gets_text_only_and_nothing_is_drawn(
    pdfs: PdfReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdfs, "draw", None)
    (message,) = await sent(await read(pdfs, user(pdf(WORDS_ON_COLOURS))), BLIND)
    first, second = '<page number="1">\nfirst words\n</page>', '<page number="2">\nsecond words\n</page>'
    assert message["content"] == f"<document>\n\n{first}\n\n{second}\n\n</document>"


async def test_no_pages_are_shown_where_the_operator_wants_none(
    pdfs: PdfReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdfs, "draw", None)
    (message,) = await sent(await read(pdfs, user(pdf(WORDS_ON_COLOURS))), replace(SEEING, page_images=0))
    assert "first words" in message["content"]


async def test_a_scan_without_text_is_for_models_that_see(pdfs: PdfReader) -> None:
    asked = await read(pdfs, user(pdf(pdf_files.with_pages([GREEN]))))
    (message,) = await sent(asked)
    assert outline(message) == ["<document>", '<page number="1">', "green", "\n</page>", "</document>"]
    with pytest.raises(InvalidRequestError, match=r"messages\.0\.content\.0\.document: no text"):
        await sent(asked, BLIND)


async def test_pages_beyond_what_may_be_shown_go_as_text_over_all_documents(pdfs: PdfReader) -> None:
    asked = await read(pdfs, user(pdf(pdf_files.with_pages([GREEN])), pdf(WORDS_ON_COLOURS)))
    (message,) = await sent(asked, replace(SEEING, page_images=2))
    assert [part for part in outline(message) if part in COLOURS.values()] == ["green", "red"]
    assert '<page number="2">\nsecond words\n</page>' in outline(message)


async def test_images_beyond_the_bytes_of_a_request_are_not_shown(
    pdfs: PdfReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await read(pdfs, user(pdf(WORDS_ON_COLOURS), pdf(pdf_files.with_pages([RED, GREEN]))))
    (first, second), (third, fourth) = (await page_images(asked, SEEING)).values()
    assert await page_images(asked, SEEING) == {0: (first, second), 1: (third, fourth)}
    monkeypatch.setattr(
        "understudy.engines.openai_compatible.pages._MOST_CHARACTERS", len(first) + len(second) + len(third)
    )
    assert await page_images(asked, SEEING) == {0: (first, second), 1: (third,)}


async def test_images_of_a_document_in_a_result_follow_it_in_the_users_message(pdfs: PdfReader) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [pdf(WORDS_ON_COLOURS)]}
    asked = await read(pdfs, user(text("hi")), {"role": "assistant", "content": [call]}, user(result))
    *_, tool, message = await sent(asked)
    assert tool["role"] == "tool"
    assert tool["content"].index("first words") < tool["content"].index("second words")
    assert outline(message) == ["Shown by the result of toolu_1:", "red", "blue"]


async def test_what_was_fetched_from_the_web_stays_text_in_the_models_own_message(pdfs: PdfReader) -> None:
    fetched = {"type": "web_fetch_result", "url": "https://example.com/a.pdf", "content": pdf(WORDS_ON_COLOURS)}
    block = {"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content": fetched}
    asked = await read(
        pdfs, user(text("hi")), {"role": "assistant", "content": [block]}, user(pdf(pdf_files.with_pages([GREEN])))
    )
    _, answered, message = await sent(asked)
    assert "second words" in answered["content"]
    assert "green" in outline(message)


async def test_after_the_first_document_was_cleared_each_has_its_own_pages(pdfs: PdfReader) -> None:
    green = pdf_files.with_pages([GREEN])
    asked = await read(pdfs, user(pdf(WORDS_ON_COLOURS)), user(pdf(green)), cleared=1)
    (message,) = await sent(asked)
    assert [part for part in outline(message) if part in COLOURS.values()] == ["green"]


async def test_one_that_takes_too_long_to_draw_is_said_not_to_be_valid(
    pdfs: PdfReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await read(pdfs, user(pdf(WORDS_ON_COLOURS)))
    monkeypatch.setattr(pdfs, "_drawing_timeout", 0.0001)
    with pytest.raises(InvalidRequestError) as error:
        await sent(asked)
    assert error.value.message == "messages.0.content.0.pdf.source.base64.data: The PDF specified was not valid."


async def test_drawing_is_done_once_for_counting_and_answering(
    pdfs: PdfReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[bytes] = []
    draw = pdfs.draw

    async def watched(data: bytes, *, tenant: str = "") -> tuple[str, ...]:
        drawn.append(data)
        return await draw(data, tenant=tenant)

    monkeypatch.setattr(pdfs, "draw", watched)

    def answers(body: Json) -> Reply:
        return Reply([b'{"count": 33}'], content_type="application/json") if "stream" not in body else said("Fine.")

    asked = await read(pdfs, user(pdf(WORDS_ON_COLOURS)))
    async with fake_openai(script=answers) as fake:
        up = engine(fake.url, replace(DIALECTS["vllm"], vision=True))
        assert await up.count(asked) == 33
        await events_of(up, asked)
        assert_the_same_was_counted(fake)
    assert drawn == [WORDS_ON_COLOURS]


def assert_the_same_was_counted(fake: FakeOpenAI) -> None:
    counted, answered = fake.bodies
    assert counted["messages"] == answered["messages"]
    assert len([part for part in counted["messages"][0]["content"] if part["type"] == "image_url"]) == 2


async def test_a_document_that_nobody_can_draw_goes_as_text() -> None:
    materials = Materials((Document(0, None, "pdf", ("words",), False),))
    asked = turn(request(user(pdf(b""))), materials=materials)
    assert not await page_images(asked, SEEING)
