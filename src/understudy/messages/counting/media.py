"""What pictures and documents cost, by their first bytes and their number of pages."""

from __future__ import annotations

from typing import Any, Final

from understudy.documents.images import read_image_header
from understudy.documents.resizing import patches, shown_size
from understudy.tokens.costs import TokenCosts

# A page is a picture at the standard resolution for every model, and its text beside it: 1,592 and 1,600 were measured
# for a page without text, some 2,100 and 2,350 for a full one; "1,500 to 3,000 tokens a page" (pdf-support.md).
_PAGE_PICTURE: Final = 1_592
_PAGE_TEXT: Final = 300
# What is somewhere else and was not fetched: guesses, near the middle of what was recorded.
_UNSEEN_IMAGE: Final = 400
_UNSEEN_PAGES: Final = 1


def image_tokens(source: dict[str, Any], costs: TokenCosts) -> int:
    """Tokens of a picture. One that is somewhere else, or that has no readable size, counts as one of middling size."""
    header = read_image_header(source["data"]) if source["type"] == "base64" else None
    if header is None or not header.width or not header.height:
        return _UNSEEN_IMAGE
    width, height = shown_size(header.width, header.height, edge=costs.image_edge, tokens=costs.image_tokens)
    return patches(width, height)


def pdf_tokens(pages: int | None) -> int:
    """Tokens of a PDF by what `scan_pages` found; of one that is somewhere else for None."""
    if pages is None:
        pages = _UNSEEN_PAGES
    return max(pages, 1) * (_PAGE_PICTURE + _PAGE_TEXT)
