"""Media of whole requests: read, numbered, fetched and refused."""

from __future__ import annotations

import asyncio
import os
import struct
import zlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

import pictures
from documents import pdf_files
from documents.test_reader import longest_stall
from messages.judging import NEW, OLD, assistant, result, text, use, user
from net.sites import Site, redirects, says, site
from understudy.documents.reader import PdfReader
from understudy.engines.catalog import Catalog, Model
from understudy.engines.materials import Document, Image, SearchResult
from understudy.messages.materials import Gathered, gather
from understudy.messages.rules.found import Found
from understudy.messages.rules.media import check_image
from understudy.net.client import Fetcher
from understudy.net.guard import Guard
from understudy.wire.errors import ApiError, InvalidRequestError, NotFoundError, RequestTooLargeError

MIB = 1024 * 1024
HOST = "127.0.0.2"
CATALOG = Catalog([])
PNG = pictures.png(40, 30)
PDF = pdf_files.words("the first page", "the second page")

Block = dict[str, Any]


def model(name: str = NEW) -> Model:
    found = CATALOG.find(name)
    assert found is not None
    return found


def image(data: bytes | str = PNG, media_type: str = "image/png") -> Block:
    encoded = data if isinstance(data, str) else pictures.base64_of(data)
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}}


def document(data: bytes | str, **more: Any) -> Block:
    source: Block = {"type": "base64", "media_type": "application/pdf"}
    source["data"] = data if isinstance(data, str) else pictures.base64_of(data)
    return {"type": "document", "source": source, **more}


def plain(data: str, **more: Any) -> Block:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": data}, **more}


def custom(*content: Block, **more: Any) -> Block:
    return {"type": "document", "source": {"type": "content", "content": list(content)}, **more}


def search_result(title: str, *texts: str) -> Block:
    return {
        "type": "search_result",
        "source": f"https://{title}.example",
        "title": title,
        "content": [text(one) for one in texts],
        "citations": {"enabled": True},
    }


def linked(kind: str, url: str, **more: Any) -> Block:
    return {"type": kind, "source": {"type": "url", "url": url}, **more}


@pytest_asyncio.fixture
async def pdfs() -> AsyncGenerator[PdfReader, None]:
    reader = PdfReader()
    yield reader
    await reader.close()


def local() -> Fetcher:
    return Fetcher(Guard([HOST]))


async def taken(*messages: Block, model_name: str = NEW, **options: Any) -> Gathered:
    options = {"pdfs": None, "fetcher": None, **options}
    return await gather({"messages": list(messages)}, model(model_name), **options)


async def refusal(*messages: Block, model_name: str = NEW, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as error:
        await taken(*messages, model_name=model_name, **options)
    return error.value


# What is in a request


async def test_documents_results_and_images_are_numbered_in_the_order_of_the_prompt(pdfs: PdfReader) -> None:
    cited = {"citations": {"enabled": True}}
    gathered = await taken(
        user(plain("one", title="A", **cited), image(), search_result("r", "x", "y")),
        assistant(use()),
        user(
            result(
                content=[
                    document(PDF, title="B", **cited),
                    search_result("s", "z"),
                    image(pictures.jpeg(7, 5), "image/jpeg"),
                ]
            ),
            custom(text("c"), image(pictures.png(2, 2)), text("d"), **cited),
            {"type": "document", "source": {"type": "content", "content": "whole"}, **cited},
        ),
        pdfs=pdfs,
    )
    found = gathered.materials
    assert found.documents == (
        Document(0, "A", "text", ("one",), True),
        Document(1, "B", "pdf", ("the first page", "the second page"), True),
        # Places in the list stay what they are: citations name them.
        Document(2, None, "content", ("c", "", "d"), True),
        Document(3, None, "content", ("whole",), True),
    )
    assert found.search_results == (
        SearchResult(0, "https://r.example", "r", ("x", "y"), True),
        SearchResult(1, "https://s.example", "s", ("z",), True),
    )
    jpeg = pictures.jpeg(7, 5)
    small = pictures.png(2, 2)
    assert found.images == (
        Image("image/png", 40, 30, len(PNG)),
        Image("image/jpeg", 7, 5, len(jpeg)),
        Image("image/png", 2, 2, len(small)),
    )


async def test_a_request_without_urls_goes_on_as_it_came() -> None:
    request = {"messages": [user("text"), user(image())]}
    assert (await gather(request, model(), pdfs=None, fetcher=None)).request is request


async def test_six_hundred_thousand_blocks_beside_an_image_never_hold_up_the_event_loop() -> None:
    blocks = [text("a")] * 600_000
    stall = await longest_stall(asyncio.create_task(taken(user(*blocks, image(), result(content=blocks)))))
    assert stall < 0.02


async def test_what_was_fetched_by_a_tool_is_a_document_too() -> None:
    fetched = {"type": "web_fetch_result", "url": "https://a.example", "content": plain("page", title="T")}
    block = {"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content": fetched}
    gathered = await taken(user("a"), assistant(block), user(plain("mine")))
    assert [(one.index, one.parts) for one in gathered.materials.documents] == [(0, ("page",)), (1, ("mine",))]


async def test_files_are_not_found() -> None:
    error = await refusal(user({"type": "document", "source": {"type": "file", "file_id": "file_011CNha8"}}))
    assert isinstance(error, NotFoundError)
    assert error.message == "File `file_011CNha8` not found."


# Images


async def test_abuse_37_an_image_that_is_cut_off_cannot_be_processed() -> None:
    for block in (image(PNG[:-20]), image(pictures.png_header(5, 5)), image(pictures.jpeg(5, 5)[:-2], "image/jpeg")):
        assert (await refusal(user(block))).message == "Could not process image"
        answered = (user("a"), assistant(use()), user(result(content=[block])))
        assert (await refusal(*answered)).message == "Could not process image"


async def test_abuse_37_a_picture_of_thirty_thousand_pixels_is_never_unpacked() -> None:
    """Its rows would take 900 MB."""
    found = Found()
    header = pictures.png_header(30_000, 30_000)
    check_image(found, "messages.0.content.0.image", image(header)["source"], model())
    assert found.block is not None
    assert found.block.endswith("max allowed size: 8000 pixels")
    assert (await taken(user(image(pictures.png(8000, 8000))))).materials.images[0].width == 8000


@pytest.mark.parametrize(
    "data", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"BM" + bytes(60), b"\0\0\1\0" + bytes(60)]
)
async def test_abuse_37_other_formats_are_not_images(data: bytes) -> None:
    assert (await refusal(user(image(data)))).message == "Could not process image"


async def test_abuse_39_base64_is_judged_to_its_end() -> None:
    data = pictures.base64_of(PNG)
    assert (await refusal(user(image(data[:60] + "!" + data[61:])))).message == "Could not process image"
    broken_lines = "\n".join(data[place : place + 76] for place in range(0, len(data), 76))
    assert (await taken(user(image(broken_lines)))).materials.images[0].size == len(PNG)


def noisy_png(size: int) -> bytes:
    """A PNG of `size` bytes that does not compress, in chunks as real ones have them."""
    body = pictures.png(16, 16)
    chunks: list[bytes] = []
    for _ in range(size // 8192):
        data = b"IDAT" + os.urandom(8192)
        chunks.append(struct.pack(">I", 8192) + data + struct.pack(">I", zlib.crc32(data)))
    return body[:33] + b"".join(chunks) + body[33:]


async def test_abuse_39_twenty_megabytes_of_images_never_hold_up_the_event_loop() -> None:
    blocks = [image(noisy_png(3 * MIB // 2)) for _ in range(10)]
    assert sum(len(block["source"]["data"]) for block in blocks) > 20_000_000
    gathering = asyncio.create_task(taken(user(*blocks)))
    stall = await longest_stall(gathering)
    assert len((await gathering).materials.images) == 10
    assert stall < 0.02


# PDFs


@pytest.mark.parametrize("name", ["read", "scanned"])
async def test_what_is_no_pdf_is_refused_where_it_stands(pdfs: PdfReader, name: str) -> None:
    options: dict[str, Any] = {"pdfs": pdfs if name == "read" else None}
    for data in (b"<!DOCTYPE html>", PNG):
        error = await refusal(user(text("a"), document(data)), **options)
        assert error.message == "messages.0.content.1.pdf.source.base64.data: The PDF specified was not valid."
    error = await refusal(user("a"), assistant(use()), user(result(content=[document(b"MZ")])), **options)
    assert error.message == (
        "messages.2.content.0.tool_result.content.0.pdf.source.base64.data: The PDF specified was not valid."
    )


async def test_abuse_38_broken_and_protected_pdfs_are_refused_in_the_words_of_the_service(pdfs: PdfReader) -> None:
    place = "messages.0.content.0.pdf.source.base64.data: "
    assert (await refusal(user(document(b"%PDF-1.7 broken")), pdfs=pdfs)).message == (
        place + "The PDF specified was not valid."
    )
    assert (await refusal(user(document(pdf_files.with_password())), pdfs=pdfs)).message == (
        place + "The PDF specified is password protected."
    )
    assert (await refusal(user(document("JVBERi0xLjc!")), pdfs=pdfs)).message == (
        place + "The PDF specified was not valid."
    )


async def test_abuse_38_a_pdf_that_is_a_bomb_is_refused_as_not_valid() -> None:
    reader = PdfReader(memory=128 * MIB)
    try:
        error = await refusal(user(document(pdf_files.bomb(300 * MIB))), pdfs=reader)
        assert isinstance(error, InvalidRequestError)
    finally:
        await reader.close()


@pytest.mark.parametrize(("name", "limit"), [(OLD, 100), (NEW, 600)])
@pytest.mark.parametrize("read", [True, False])
async def test_abuse_38_pages_are_bounded_over_all_documents(
    pdfs: PdfReader, name: str, limit: int, *, read: bool
) -> None:
    options: dict[str, Any] = {"pdfs": pdfs if read else None, "model_name": name}
    half = document(pictures.pdf(limit // 2))
    assert len((await taken(user(half, half), **options)).materials.documents) == 2
    assert (await refusal(user(half, half, document(PDF)), **options)).message == (
        f"messages.0.content.2.pdf.source.base64.data: A maximum of {limit} PDF pages may be provided."
    )
    assert (await refusal(user(document(pictures.pdf(limit + 1))), **options)).message == (
        f"messages.0.content.0.pdf.source.base64.data: A maximum of {limit} PDF pages may be provided."
    )


async def test_pages_and_images_are_bounded_together() -> None:
    blocks = [document(pictures.pdf(60)), *[image()] * 40]
    assert await taken(user(*blocks), model_name=OLD)
    assert (await refusal(user(*blocks, image()), model_name=OLD)).message == (
        "Too much media: 60 document pages + 41 images > 100"
    )


async def test_without_the_library_pdfs_are_counted_but_cannot_be_cited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.documents.reader.find_spec", lambda _: None)
    without = PdfReader()
    gathered = await taken(user(document(PDF)), pdfs=without)
    assert gathered.materials.documents == (Document(0, None, "pdf", (), False),)
    error = await refusal(user(document(PDF, citations={"enabled": True})), pdfs=without)
    assert error.status == 400
    assert "understudy[documents]" in error.message
    assert without.pids() == []


# URLs


async def test_urls_are_not_fetched_unless_the_setting_says_so() -> None:
    error = await refusal(user(text("a"), linked("image", "https://example.com/a.png")))
    assert error.status == 400
    assert error.message.startswith("messages.0.content.1.image.source.url: ")
    assert "net.url_sources" in error.message


async def test_what_is_behind_a_url_stands_in_a_copy_of_the_request_as_base64(pdfs: PdfReader) -> None:
    async with site(says(PNG), HOST) as picture, site(says(PDF), HOST) as paper:
        request: Block = {
            "messages": [
                user(
                    linked("image", picture.url), linked("document", paper.url, title="P", citations={"enabled": True})
                ),
                assistant(use()),
                user(result(content=[linked("image", picture.url)]), custom(linked("image", picture.url))),
            ],
            "max_tokens": 5,
        }
        gathered = await gather(request, model(), pdfs=pdfs, fetcher=local())
        assert len(picture.requests) == 1
    first, _, last = gathered.request["messages"]
    source = {"type": "base64", "media_type": "image/png", "data": pictures.base64_of(PNG)}
    assert first["content"][0] == {"type": "image", "source": source}
    assert last["content"][0]["content"] == [{"type": "image", "source": source}]
    assert last["content"][1]["source"]["content"] == [{"type": "image", "source": source}]
    assert gathered.request["max_tokens"] == 5
    assert request["messages"][0]["content"][0]["source"]["type"] == "url"
    assert gathered.materials.documents[0] == Document(0, "P", "pdf", ("the first page", "the second page"), True)
    assert [one.width for one in gathered.materials.images] == [40, 40, 40]


UNREACHABLE = {
    "http://127.0.0.1/a.png": "Only HTTPS URLs are supported.",
    "http://example.com/a.png": "Only HTTPS URLs are supported.",
    "https://127.0.0.1/a.png": "Unable to download the file. Please verify the URL and try again.",
    "https://169.254.169.254/latest/meta-data": "Unable to download the file. Please verify the URL and try again.",
    "https://unknown.invalid/": "Unable to download the file. Please verify the URL and try again.",
    "ftp://example.com/": "Unable to download the file. Please verify the URL and try again.",
    "": "Unable to download the file. Please verify the URL and try again.",
}


@pytest.mark.parametrize("url", UNREACHABLE)
async def test_abuse_44_what_cannot_or_must_not_be_fetched_is_refused_in_the_words_of_the_service(url: str) -> None:
    error = await refusal(user(linked("image", url)), fetcher=local())
    assert isinstance(error, InvalidRequestError)
    if url.startswith("http://127"):
        # The guard spoke first: nobody learns from the words what there is.
        assert error.message in UNREACHABLE.values()
    else:
        assert error.message == UNREACHABLE[url]


async def test_abuse_45_a_redirect_inside_is_told_like_any_failure() -> None:
    async with site(says(PNG)) as inside, site(redirects(inside.url), HOST) as outside:
        error = await refusal(user(linked("image", outside.url)), fetcher=local())
    assert error.message == "Unable to download the file. Please verify the URL and try again."
    assert inside.requests == []


async def fetched_refusal(block: Block, here: Site, **more: Any) -> str:
    return (await refusal(user(linked(block["type"], here.url, **more)), fetcher=local())).message


async def test_what_was_fetched_is_judged_without_a_place() -> None:
    async with site(says(b"<html>"), HOST) as page:
        assert await fetched_refusal(image(), page) == "Could not process image"
        assert await fetched_refusal(document(b""), page) == "The PDF specified was not valid."
    async with site(says(pictures.png_header(9000, 1)), HOST) as wide:
        assert await fetched_refusal(image(), wide) == (
            "At least one of the image dimensions exceed max allowed size: 8000 pixels"
        )
    async with site(says(pictures.png(1920, 1080)), HOST) as screen:
        block = linked("image", screen.url, transformations={"oversized_image": "error"})
        assert (await refusal(user(block), fetcher=local(), model_name=OLD)).message.startswith(
            "image dimensions 1920x1080 exceed"
        )
        assert await taken(user(block), fetcher=local(), model_name=NEW)
    async with site(says(pictures.png(2001, 1)), HOST) as wide:
        blocks = [*[image()] * 20, linked("image", wide.url)]
        assert (await refusal(user(*blocks), fetcher=local())).message == (
            "At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels"
        )


async def test_abuse_46_what_is_too_large_is_not_taken() -> None:
    async with site(says(bytes(4 * MIB)), HOST) as large:
        error = await refusal(user(linked("image", large.url)), fetcher=local(), model_name=OLD)
        assert error.message == "image exceeds 5 MB maximum"
    async with site(says(b"", "Content-Length: 99999999", length=False), HOST) as larger:
        error = await refusal(user(linked("document", larger.url)), fetcher=local())
        assert isinstance(error, RequestTooLargeError)


async def test_counting_fetches_and_reads_nothing_but_judges_what_is_embedded() -> None:
    messages = user(linked("image", "https://example.com/a.png"), document(PDF, citations={"enabled": True}))
    gathered = await taken(messages, counting=True, pdfs=None)
    assert gathered.request["messages"][0] is messages
    error = await refusal(user(image(PNG[:-20])), counting=True)
    assert error.message == "Could not process image"


# The rule about images that must not be made smaller


def oversized(width: int, height: int, name: str, setting: str | None = "error") -> str | None:
    found = Found()
    transformations = None if setting is None else {"oversized_image": setting}
    block = image(pictures.png_header(width, height))
    check_image(found, "messages.0.content.0.image", block["source"], model(name), transformations)
    return found.block


def test_an_image_that_would_be_made_smaller_is_refused_if_it_must_not_be() -> None:
    assert oversized(1920, 1080, OLD) == (
        "messages.0.content.0: image dimensions 1920x1080 exceed the maximum image size of a model named on this "
        "request and would be downsized to 1456x819; scale the image to at most 1456x819 or set the image's "
        'oversized_image setting to "downsize"'
    )
    assert oversized(1920, 1080, NEW) is None
    assert oversized(1456, 819, OLD) is None
    assert oversized(1920, 1080, OLD, "downsize") is None
    assert oversized(1920, 1080, OLD, None) is None
    refused = oversized(0, 0, NEW)
    assert refused is not None
    assert refused.startswith("messages.0.content.0: ")
    hard = oversized(8001, 1, NEW)
    assert hard is not None
    assert hard.endswith("max allowed size: 8000 pixels")
