"""Images: how many, how large as text and in pixels, and whether they are what they are said to be."""

from __future__ import annotations

from typing import Any, Final

from understudy.documents.images import read_image_header
from understudy.engines.catalog import Model

from .found import Found

_MOST_PIXELS: Final = 8000
# Of a side, once a request has more images than that.
_MANY_IMAGES: Final = 20
_MOST_PIXELS_OF_MANY: Final = 2000
_MEGABYTE: Final = 1024 * 1024


def check_image(found: Found, path: str, source: dict[str, Any], model: Model) -> None:
    """An image of a request. Only the first bytes of one given as base64 are looked at."""
    found.images += 1
    if source["type"] != "base64":
        return
    data, limit = source["data"], model.max_image_bytes
    if len(data) > limit:
        # The service counts base64 bytes: every size in an observed error is a multiple of four.
        found.wrong_block(
            f"{path}.source.base64.data: image exceeds {limit // _MEGABYTE} MB maximum: {len(data)} bytes > {limit} "
            "bytes"
        )
        return
    header = read_image_header(data)
    if header is None:
        found.wrong_block("Could not process image")
    elif header.media_type != source["media_type"]:
        found.wrong_block(
            f"{path}.source.base64: The image was specified using the {source['media_type']} media type, but the image "
            f"appears to be a {header.media_type} image"
        )
    elif header.width > _MOST_PIXELS or header.height > _MOST_PIXELS:
        found.wrong_block(
            f"{path}.source.base64.data: At least one of the image dimensions exceed max allowed size: {_MOST_PIXELS} "
            "pixels"
        )
    elif found.wide_image is None and max(header.width, header.height) > _MOST_PIXELS_OF_MANY:
        found.wide_image = path


def media_fault(found: Found, model: Model) -> str | None:
    """What only the whole request tells. Pages of documents count too where they are counted, which is not here yet."""
    if found.images > model.max_images:
        return f"Too much media: 0 document pages + {found.images} images > {model.max_images}"
    if found.wide_image is not None and found.images > _MANY_IMAGES:
        return (
            f"{found.wide_image}.source.base64.data: At least one of the image dimensions exceed max allowed size for "
            f"many-image requests: {_MOST_PIXELS_OF_MANY} pixels"
        )
    return None


def citations_fault(found: Found, output_format: object) -> str | None:
    """Citations are on for all or for none, and not beside an output format. Documented; the texts are guesses."""
    cited, citable = found.documents_with_citations, found.documents
    if cited and cited != citable:
        return "messages: Citations must be enabled on all or none of the `document` blocks in a request."
    if found.results_with_citations and found.results_with_citations != found.results:
        return "messages: Citations must be enabled on all or none of the `search_result` blocks in a request."
    if output_format is not None and (cited or found.results_with_citations):
        return "output_config.format: Structured outputs are not supported when citations are enabled."
    return None
