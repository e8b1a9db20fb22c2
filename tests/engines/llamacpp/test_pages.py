"""The pages of PDFs before a model that sees: what is counted is what is read."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from documents import pdf_files
from engines.llamacpp.llama_turns import events_of, llama, prompt_usage, tiny, turn, user
from pictures import base64_of
from tests.gguf.models import model_file
from understudy.documents.reader import PdfReader
from understudy.engines.catalog import Catalog
from understudy.engines.engine import EngineTurn
from understudy.engines.llamacpp.prompts import Prompt, common_tokens
from understudy.messages.materials import gather

PDF = pdf_files.words("first words", "second words", "third words")
OTHER = pdf_files.words("other words", "more of them " * 30)
MODEL = Catalog([]).find("claude-sonnet-4-5")
SAID = {"role": "assistant", "content": "Fine."}


def pdf(data: bytes) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "application/pdf", "data": base64_of(data)}
    return {"type": "document", "source": source}


@pytest_asyncio.fixture
async def pdfs() -> AsyncGenerator[PdfReader, None]:
    reader = PdfReader(processes=1)
    yield reader
    await reader.close()


async def read(pdfs: PdfReader, *messages: dict[str, Any], max_tokens: int = 2) -> EngineTurn:
    assert MODEL is not None
    made = turn(*messages, max_tokens=max_tokens)
    made.materials = (await gather(made.request, MODEL, pdfs=pdfs, fetcher=None)).materials
    return made


@pytest.mark.slow
async def test_page_images_are_counted_as_they_are_read(pdfs: PdfReader) -> None:
    asked = await read(pdfs, user([pdf(PDF), {"type": "text", "text": "What is it?"}]))
    async with llama(tiny(), mmproj=model_file("mmproj")) as engine:
        counted = await engine.count(asked)
        usage = prompt_usage(await events_of(engine, asked))
        assert usage.input_tokens == counted
        # And by llama.cpp's own word of what it read.
        template = await engine._learned()  # pyright: ignore[reportPrivateUsage]
        rendered = await engine._prompts.render(asked, template)  # pyright: ignore[reportPrivateUsage]
        body = {"prompt": rendered.prompt.with_parts([]), "n_predict": 1}
        connection = engine._server.connection  # pyright: ignore[reportPrivateUsage]
        assert (await connection.post("/completion", body, 60.0))["tokens_evaluated"] == counted
    async with llama(tiny()) as engine:
        text_only = await engine.count(asked)
        assert prompt_usage(await events_of(engine, asked)).input_tokens == text_only
    # The projector makes 64 tokens of each image, whatever its size; line feeds around them are joined otherwise.
    assert abs(counted - text_only - 3 * 64) < 9


@pytest.mark.slow
async def test_pages_that_were_read_are_not_read_again(pdfs: PdfReader) -> None:
    first, second = user([pdf(PDF)]), user([pdf(OTHER)])
    short = await read(pdfs, first)
    long = await read(pdfs, first, SAID, second)
    prefixes = [{"messages": [first]}, {"messages": [first, SAID, second]}]
    async with llama(tiny(), mmproj=model_file("mmproj"), n_parallel=2) as engine:
        offsets = await engine.offsets(long, prefixes)
        assert await engine.count(short) - 16 <= offsets[0] < offsets[1] <= await engine.count(long)
        await events_of(engine, short)
        # Of two slots it goes to the one that knows the pages, and llama.cpp reuses what was said to be alike.
        reused = prompt_usage(await events_of(engine, long)).reused
        assert reused is not None
        assert offsets[0] - 16 <= reused <= offsets[0] + 16


@pytest.mark.slow
async def test_a_breakpoint_between_two_documents_stands_behind_the_first(pdfs: PdfReader) -> None:
    first, second = user([pdf(PDF)]), user([pdf(OTHER)])
    async with llama(tiny()) as engine:
        alone = await engine.count(await read(pdfs, first))
        offsets = await engine.offsets(await read(pdfs, first, SAID, second), [{"messages": [first]}])
        assert alone - 16 <= offsets[0] <= alone


# Of prompts with images

PARTS = st.lists(st.tuples(st.lists(st.integers(0, 1), max_size=3), st.sampled_from("ab")), max_size=3)
LENGTHS = {"a": 5, "b": 7}


def prompt(parts: Sequence[tuple[list[int], str]], last: list[int]) -> Prompt:
    """Texts, each with an image behind it, and a text."""
    pieces = [array("i", ids).tobytes() for ids in (*[ids for ids, _ in parts], last)]
    images = tuple(image for _, image in parts)
    of_images = sum(LENGTHS[image] for image in images)
    tokens = sum(map(len, pieces)) // 4 + of_images
    if not images:
        return Prompt(tokens, pieces[0], "")
    return Prompt(tokens, b"", f"{pieces}", images, pieces=tuple(pieces), image_tokens=of_images)


def tokens_of(parts: Sequence[tuple[list[int], str]], last: list[int]) -> list[int | str]:
    return [token for ids, image in parts for token in (*ids, *[image] * LENGTHS[image])] + last


@settings(max_examples=300, deadline=None)
@given(PARTS, st.integers(0, 3), PARTS, st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_prompts_with_images_are_never_said_to_be_more_alike_than_they_are(
    parts: list[tuple[list[int], str]],
    kept: int,
    others: list[tuple[list[int], str]],
    last: list[int],
    other_last: list[int],
) -> None:
    other = [*parts[:kept], *others]
    one, two = tokens_of(parts, last), tokens_of(other, other_last)
    alike = 0
    while alike < min(len(one), len(two)) and one[alike] == two[alike]:
        alike += 1
    found = common_tokens(prompt(parts, last), prompt(other, other_last))
    # An image is alike as a whole or not at all.
    assert found <= alike
    # One that goes on where the other ended.
    if other[: len(parts)] == parts and not last:
        assert found == len(one)


def test_prompts_whose_texts_between_images_are_not_known_are_alike_or_not() -> None:
    one, other = Prompt(9, b"", "a", ("x",)), Prompt(9, b"", "b", ("x",))
    assert common_tokens(one, one) == 9
    assert common_tokens(one, other) == 0
