"""The pages of PDFs as images, for models that see: which documents of a request are drawn, and how much of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias, cast

from understudy.engines.engine import EngineTurn
from understudy.engines.materials import Document, Materials

from .dialects import Dialect

_Block: TypeAlias = dict[str, Any]

PageImages: TypeAlias = Mapping[int, tuple[str, ...]]
"""By the `index` of a document: base64 of a PNG for each of its first pages, "" for one that is not shown."""

NO_IMAGES: Final[PageImages] = {}

_MOST_CHARACTERS: Final = 32 * 1024 * 1024
"""Of the images of a request: as many as the API takes in one."""


async def page_images(turn: EngineTurn, dialect: Dialect) -> PageImages:
    """The pages that are shown: in the order of the prompt as many as there may be. Raises what drawing raises.

    What was fetched from the web stands in the model's own message, where no image may be.
    """
    left = dialect.page_images if dialect.vision else 0
    if not left or not any(document.draw for document in turn.materials.documents):
        return NO_IMAGES
    room = _MOST_CHARACTERS
    documents = matched(turn.request, turn.materials)
    found: dict[int, tuple[str, ...]] = {}
    for block in _all_documents(turn.request, fetched=False):
        document = documents.get(id(block))
        if document is None or document.draw is None:
            continue
        shown: list[str] = []
        for image in (await document.draw())[:left]:
            room -= len(image)
            if room < 0:
                # None behind it is shown either, so that what is left out is the end.
                return {**found, document.index: tuple(shown)}
            shown.append(image)
        left -= len(shown)
        found[document.index] = tuple(shown)
        if not left:
            break
    return found


def materials_of(request: _Block, turn: EngineTurn) -> Materials:
    """What `turn` has of the documents of `request`, which holds some of the very blocks of the turn's."""
    if not turn.materials.documents:
        return turn.materials
    documents = matched(turn.request, turn.materials)
    kept = [documents.get(id(block)) for block in _all_documents(request, fetched=True)]
    return replace(turn.materials, documents=tuple(document for document in kept if document is not None))


def matched(request: _Block, materials: Materials) -> dict[int, Document]:
    """Which document was read for which block, by the block's `id`.

    Editing the context may have taken the oldest blocks out since the documents were read, so they are matched from
    the end.
    """
    found: dict[int, Document] = {}
    documents = list(materials.documents)
    for block in reversed(list(_all_documents(request, fetched=True))):
        while documents:
            document = documents.pop()
            if _kind(block) == document.kind and block.get("title") == document.title:
                found[id(block)] = document
                break
    return found


def _kind(block: _Block) -> str:
    kind = block["source"]["type"]
    return kind if kind in {"text", "content"} else "pdf"


def _all_documents(request: _Block, *, fetched: bool) -> Iterator[_Block]:
    for message in request["messages"]:
        yield from _documents_in(message.get("content"), fetched=fetched)


def _documents_in(content: Any, *, fetched: bool) -> Iterator[_Block]:
    if not isinstance(content, list):
        return
    for block in cast("list[_Block]", content):
        if block["type"] == "document":
            yield block
        elif block["type"] == "tool_result":
            yield from _documents_in(block.get("content"), fetched=fetched)
        elif fetched and block["type"] == "web_fetch_tool_result" and block["content"]["type"] == "web_fetch_result":
            yield block["content"]["content"]
