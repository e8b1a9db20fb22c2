"""An upstream's citation as the place in the request that it names."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

from understudy.engines.engine import Citation
from understudy.engines.materials import Materials

_Fields: TypeAlias = dict[str, Any]


def place_of(citation: _Fields, materials: Materials) -> Citation | None:
    """The place that `citation` speaks of, None where `materials` have no such one.

    A citation over several pages or blocks becomes one of the first of them: an engine's names one part.
    """
    match citation.get("type"):
        case "char_location":
            return _within(citation, materials, 0, citation.get("start_char_index"), citation.get("end_char_index"))
        case "page_location":
            page = citation.get("start_page_number")
            return _on_page(citation, materials, page - 1) if isinstance(page, int) else None
        case "content_block_location":
            part = citation.get("start_block_index")
            return _within(citation, materials, part, 0, 0)
        case "search_result_location":
            source, part = citation.get("search_result_index"), citation.get("start_block_index")
            results = materials.search_results
            if not _is_place(source, len(results)) or not _is_place(part, len(results[source].parts)):
                return None
            return Citation("search_result", source, part, 0, 0)
        case _:
            return None


def _within(citation: _Fields, materials: Materials, part: Any, start: Any, end: Any) -> Citation | None:
    source, documents = citation.get("document_index"), materials.documents
    if not _is_place(source, len(documents)) or not _is_place(part, len(documents[source].parts)):
        return None
    length = len(documents[source].parts[part])
    if not _is_place(start, length + 1) or not _is_place(end, length + 1) or start > end:
        return None
    return Citation("document", source, part, start, end)


def _on_page(citation: _Fields, materials: Materials, page: int) -> Citation | None:
    """The upstream names the page alone, and reads its text by other means than we do."""
    source, cited = citation.get("document_index"), citation.get("cited_text")
    documents = materials.documents
    if not isinstance(cited, str) or not _is_place(source, len(documents)):
        return None
    parts = documents[source].parts
    if not _is_place(page, len(parts)):
        return None
    start = parts[page].find(cited.strip())
    return None if start < 0 else Citation("document", source, page, start, start + len(cited.strip()))


def _is_place(value: object, length: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < length
