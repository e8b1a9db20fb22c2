"""What the documents, search results and images of a request hold, made readable before an engine is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Draw: TypeAlias = Callable[[], Awaitable[tuple[str, ...]]]


@dataclass(slots=True, frozen=True)
class Document:
    """A `document` block. `index` counts the request's documents from 0, in the order of the prompt.

    `parts`: of plain text one, of a PDF its pages, of custom content its blocks. `citations`: whether it may be cited.
    `context` is what the caller says about it; it is not cited.

    `draw` is of a PDF that can be drawn: called, it gives base64 of a PNG for each of its first pages, "" for one that
    could not be drawn. The work is done at the first call, so only who shows the pages to a model asks. It raises
    ApiError.
    """

    index: int
    title: str | None
    kind: Literal["text", "pdf", "content"]
    parts: tuple[str, ...]
    citations: bool
    context: str | None = None
    draw: Draw | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True, frozen=True)
class SearchResult:
    """A `search_result` block. `index` counts the request's search results from 0."""

    index: int
    source: str
    title: str
    parts: tuple[str, ...]
    citations: bool


@dataclass(slots=True, frozen=True)
class WebResult:
    """A result of a web search. They may always be cited. `place` seals where a citation begins and ends in `text`."""

    url: str
    title: str
    text: str
    place: Callable[[int, int], str] = field(compare=False, repr=False)


@dataclass(slots=True, frozen=True)
class Image:
    """An `image` block: what its header says. `size` is in bytes."""

    media_type: str
    width: int
    height: int
    size: int


@dataclass(slots=True, frozen=True)
class Materials:
    documents: tuple[Document, ...] = ()
    search_results: tuple[SearchResult, ...] = ()
    images: tuple[Image, ...] = ()
    web_results: tuple[WebResult, ...] = ()


NO_MATERIALS: Final = Materials()
