"""Where a cited text stands in what the request gave, written as the API's citations.

Fields and their order: recorded 2026; offsets count characters (code points), ends are exclusive, pages begin at 1
(citations.md).
"""

from __future__ import annotations

from typing import Any, Final

from understudy.engines.engine import Citation
from understudy.engines.materials import Document, Materials, SearchResult, WebResult

# Characters of a web page's text that are quoted; what is longer is cut, and three points say so (recorded).
_QUOTED: Final = 150


class Citations:
    """Turns an engine's citation of `materials` into the location that belongs to its kind of source."""

    __slots__ = ("_materials",)

    def __init__(self, materials: Materials) -> None:
        self._materials = materials

    def __call__(self, citation: Citation) -> dict[str, Any]:
        if citation.kind == "document":
            return _in_document(self._materials.documents[citation.source], citation)
        if citation.kind == "web_result":
            return _in_web_result(self._materials.web_results[citation.source], citation)
        return _in_search_result(self._materials.search_results[citation.source], citation)


def _in_document(document: Document, citation: Citation) -> dict[str, Any]:
    part = document.parts[citation.part]
    base = {"document_index": document.index, "document_title": document.title}
    if document.kind == "text":
        return {
            "type": "char_location",
            "cited_text": part[citation.start : citation.end],
            **base,
            "start_char_index": citation.start,
            "end_char_index": citation.end,
        }
    if document.kind == "pdf":
        return {
            "type": "page_location",
            "cited_text": part[citation.start : citation.end],
            **base,
            "start_page_number": citation.part + 1,
            "end_page_number": citation.part + 2,
        }
    # Blocks that the caller cut are not cut any further (citations.md).
    return {
        "type": "content_block_location",
        "cited_text": part,
        **base,
        "start_block_index": citation.part,
        "end_block_index": citation.part + 1,
    }


def _in_search_result(result: SearchResult, citation: Citation) -> dict[str, Any]:
    return {
        "type": "search_result_location",
        "cited_text": result.parts[citation.part],
        "source": result.source,
        "title": result.title,
        "search_result_index": result.index,
        "start_block_index": citation.part,
        "end_block_index": citation.part + 1,
    }


def _in_web_result(result: WebResult, citation: Citation) -> dict[str, Any]:
    text = result.text[citation.start : citation.end]
    return {
        "type": "web_search_result_location",
        "cited_text": text if len(text) <= _QUOTED else text[:_QUOTED] + "...",
        "url": result.url,
        "title": result.title,
        "encrypted_index": result.place(citation.start, citation.end),
    }
