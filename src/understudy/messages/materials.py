"""What a request's documents, search results and images hold: fetched, checked to their end, and read.

Rules (`messages/rules`) judge what the first bytes tell, at once. What takes time is here, in short stretches or in
other processes, and only for requests that hold such blocks. Texts of errors as the service's, by the same sources.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from understudy.documents.base64_bytes import Base64Bytes, decoded
from understudy.documents.images import read_image_header
from understudy.documents.pdf import scan_pages
from understudy.documents.reader import PdfError, PdfPasswordProtectedError, PdfReader, PdfText
from understudy.documents.whole import scan_image
from understudy.engines.catalog import Model
from understudy.engines.materials import Document, Image, Materials, SearchResult
from understudy.messages.files import Files, fill_files
from understudy.messages.page_images import PageImages
from understudy.messages.rules.media import COULD_NOT_PROCESS, pages_fault
from understudy.messages.sources import Medium, fetch_sources, media_of
from understudy.net.client import Fetcher
from understudy.tokens.pace import Pace
from understudy.wire.errors import InvalidRequestError, NotFoundError

# Observed, each behind the place of the document's data.
_NOT_VALID: Final = "The PDF specified was not valid."
_PROTECTED: Final = "The PDF specified is password protected."

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Gathered:
    """`request` is the one that was given, or a copy in which what was fetched, or stored, stands inline."""

    request: dict[str, Any]
    materials: Materials


async def gather(
    request: dict[str, Any],
    model: Model,
    *,
    pdfs: PdfReader | None,
    fetcher: Fetcher | None,
    files: Files | None = None,
    tenant: str = "",
    counting: bool = False,
) -> Gathered:
    """Read the media of a request that keeps the rules.

    Without `pdfs`, or where it has no library, the pages of PDFs are counted and have no text. Without `fetcher`
    sources of type url are refused, and without `files` no file is known. `tenant` is the workspace: what was read for
    one is not remembered for another. `counting`: nothing is fetched, as documented of count_tokens; what is embedded
    is judged all the same. Raises InvalidRequestError, NotFoundError, RequestTooLargeError, OverloadedError.
    """
    pace = Pace()
    try:
        media = await media_of(request, pace)
        for medium in media:
            source = medium.source
            if source is not None and source["type"] == "file" and files is None and not counting:
                raise NotFoundError(f"File `{source['file_id']}` not found.")
        if files is not None and any(medium.by_file for medium in media):
            # Others may be at their long work while this one waits for the disk.
            pace.end()
            request = await fill_files(request, media, model, files, tenant)
            media = await _again(media, request, pace)
        if not counting and any(medium.by_url for medium in media):
            # Others may be at their long work while this one waits for the network.
            pace.end()
            request = await fetch_sources(request, media, model, fetcher)
            media = await _again(media, request, pace)
        gathering = _Gathering(model, pdfs, pace, tenant, counting=counting)
        for medium in media:
            await gathering.take(medium)
        return Gathered(request, gathering.materials())
    finally:
        pace.end()


async def _again(media: list[Medium], request: dict[str, Any], pace: Pace) -> list[Medium]:
    """The same media in the copy that `request` is. By URL no place is named (vision-coordinates.md), nor is it for
    files [guess], so what was put in keeps its mark."""
    copies = await media_of(request, pace)
    return [
        Medium(copy.kind, copy.block, "" if medium.by_url or medium.by_file else medium.path)
        for medium, copy in zip(media, copies, strict=True)
    ]


class _Gathering:
    __slots__ = ("_counting", "_documents", "_images", "_model", "_pace", "_pages", "_pdfs", "_results", "_tenant")

    def __init__(self, model: Model, pdfs: PdfReader | None, pace: Pace, tenant: str, *, counting: bool) -> None:
        self._model = model
        self._counting = counting
        self._pdfs = pdfs if pdfs is not None and pdfs.available else None
        self._documents: list[Document] = []
        self._results: list[SearchResult] = []
        self._images: list[Image | None] = []
        self._pages = 0
        self._pace = pace
        self._tenant = tenant

    def materials(self) -> Materials:
        fault = pages_fault(self._pages, len(self._images), self._model)
        if fault is not None:
            raise InvalidRequestError(fault)
        images = tuple(image for image in self._images if image is not None)
        return Materials(tuple(self._documents), tuple(self._results), images)

    async def take(self, medium: Medium) -> None:
        match medium.kind:
            case "image":
                self._images.append(await self._image(medium))
            case "document":
                self._documents.append(await self._document(medium))
            case "search_result":
                block = medium.block
                parts = _texts(block["content"])
                self._results.append(
                    SearchResult(len(self._results), block["source"], block["title"], parts, _cited(block))
                )
        if self._pace.due():
            await self._pace.pause()

    async def _image(self, medium: Medium) -> Image | None:
        source = medium.block["source"]
        if source["type"] != "base64":
            return None
        data: str = source["data"]
        header = read_image_header(data)
        if header is None or not await self._paced(scan_image(data, header)):
            # By its cause nothing else was observed for an image that cannot be decoded.
            raise InvalidRequestError(COULD_NOT_PROCESS)
        return Image(header.media_type, header.width, header.height, Base64Bytes(data).size)

    async def _document(self, medium: Medium) -> Document:
        block, source = medium.block, medium.block["source"]
        index, title, context = len(self._documents), block.get("title"), block.get("context")
        citations = _cited(block)
        match source["type"]:
            case "text":
                return Document(index, title, "text", (source["data"],), citations, context)
            case "content":
                content = source["content"]
                parts = (content,) if isinstance(content, str) else _texts(content)
                return Document(index, title, "content", parts, citations, context)
            case "base64":
                pages = await self._pdf(medium, citations=citations)
                return Document(index, title, "pdf", pages, citations, context, self._drawing(medium))
            case _:
                return Document(index, title, "pdf", (), citations, context)

    async def _pdf(self, medium: Medium, *, citations: bool) -> tuple[str, ...]:
        """The texts of its pages, none where they are not read. Counts the pages."""
        place = _pdf_place(medium)
        data: str = medium.block["source"]["data"]
        if self._pdfs is None:
            pages = await self._paced(scan_pages(data))
            text = None if pages is None else PdfText(pages, ())
        else:
            text = await self._read(self._pdfs, data, place)
        if text is None:
            raise InvalidRequestError(place + _NOT_VALID)
        self._pages += text.page_count
        if self._pages > self._model.max_pdf_pages:
            raise InvalidRequestError(f"{place}A maximum of {self._model.max_pdf_pages} PDF pages may be provided.")
        if citations and self._pdfs is None and not self._counting:
            raise InvalidRequestError(
                f"{medium.path or 'document'}.citations: This server cannot read the text of PDFs, which citations "
                "need. Its extra `documents` is not installed: pip install 'understudy[documents]'"
            )
        return text.pages

    def _drawing(self, medium: Medium) -> PageImages | None:
        if self._pdfs is None:
            return None
        data: str = medium.block["source"]["data"]
        return PageImages(self._pdfs, data, self._tenant, _pdf_place(medium) + _NOT_VALID)

    async def _read(self, pdfs: PdfReader, data: str, place: str) -> PdfText | None:
        content = await self._paced(decoded(data))
        # What is no PDF at all need not be handed to another process.
        if content is None or b"%PDF-" not in content[:1024]:
            return None
        # Others may be at their long work while this one waits for a process.
        self._pace.end()
        try:
            return await pdfs.read(content, tenant=self._tenant)
        except PdfPasswordProtectedError:
            raise InvalidRequestError(place + _PROTECTED) from None
        except PdfError:
            # Also for one that took too much time or memory [guess: nobody saw what the service says then].
            return None

    async def _paced(self, work: Generator[None, None, _Answer]) -> _Answer:
        while True:
            try:
                next(work)
            except StopIteration as end:
                return cast("_Answer", end.value)
            if self._pace.due():
                await self._pace.pause()


def _pdf_place(medium: Medium) -> str:
    # Observed for base64: `messages.1.content.22.pdf.source.base64.data: …`.
    return f"{medium.path.removesuffix('document')}pdf.source.base64.data: " if medium.path else ""


def _cited(block: dict[str, Any]) -> bool:
    citations = block.get("citations")
    return bool(citations and citations.get("enabled"))


def _texts(content: list[dict[str, Any]]) -> tuple[str, ...]:
    """One text for each block, so that places in the list stay what they are; "" for an image."""
    return tuple(block["text"] if block["type"] == "text" else "" for block in content)
