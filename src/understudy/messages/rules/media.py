"""Images: how many, how large as text and in pixels, and whether they are what they are said to be."""

from __future__ import annotations

from typing import Any, Final

from understudy.documents.images import ImageHeader, read_image_header
from understudy.documents.resizing import shown_size
from understudy.engines.catalog import Model
from understudy.tokens.costs import costs_of

from .found import Found

_MOST_PIXELS: Final = 8000
# Of a side, once a request has more images than that.
_MANY_IMAGES: Final = 20
_MOST_PIXELS_OF_MANY: Final = 2000
_MEGABYTE: Final = 1024 * 1024

COULD_NOT_PROCESS: Final = "Could not process image"
OVERSIZED: Final = "transformations"


def check_image(
    found: Found, path: str, source: dict[str, Any], model: Model, transformations: dict[str, Any] | None = None
) -> None:
    """An image of a request. Only the first bytes of one given as base64 are looked at."""
    found.images += 1
    if source["type"] != "base64":
        return
    data = source["data"]
    header = read_image_header(data) if len(data) <= model.max_image_bytes else None
    fault = image_fault(data, header, source["media_type"], transformations, model)
    if fault is None:
        if found.wide_image is None and header is not None and is_wide(header):
            found.wide_image = path
        return
    place, text = fault
    if place == OVERSIZED:
        # Recorded without the kind of the block (vision-coordinates.md).
        found.wrong_block(f"{path.removesuffix('.image')}: {text}")
    else:
        found.wrong_block(f"{path}.{place}: {text}" if place else text)


def image_fault(
    data: str,
    header: ImageHeader | None,
    media_type: str | None,
    transformations: dict[str, Any] | None,
    model: Model,
) -> tuple[str, str] | None:
    """What is wrong with an image given as base64: the field in its block that the error names, and the text.

    The field is "" where the service names no place. `media_type` is None where nobody said one.
    """
    limit = model.max_image_bytes
    if len(data) > limit:
        # The service counts base64 bytes: every size in an observed error is a multiple of four.
        return (
            "source.base64.data",
            f"image exceeds {limit // _MEGABYTE} MB maximum: {len(data)} bytes > {limit} bytes",
        )
    if header is None:
        return "", COULD_NOT_PROCESS
    if media_type is not None and header.media_type != media_type:
        return (
            "source.base64",
            f"The image was specified using the {media_type} media type, but the image appears to be a "
            f"{header.media_type} image",
        )
    if max(header.width, header.height) > _MOST_PIXELS:
        return (
            "source.base64.data",
            f"At least one of the image dimensions exceed max allowed size: {_MOST_PIXELS} pixels",
        )
    if transformations is not None and transformations.get("oversized_image") == "error":
        text = _oversized(header, model)
        return None if text is None else (OVERSIZED, text)
    return None


def _oversized(header: ImageHeader, model: Model) -> str | None:
    """Why an image that must not be made smaller is refused (vision-coordinates.md, with the first text)."""
    if not header.width or not header.height:
        # Documented is only that such an image is refused, and for what [guess at the words].
        return "the image's source dimensions could not be determined"
    costs = costs_of(model.id)
    width, height = shown_size(header.width, header.height, edge=costs.image_edge, tokens=costs.image_tokens)
    if (width, height) == (header.width, header.height):
        return None
    return (
        f"image dimensions {header.width}x{header.height} exceed the maximum image size of a model named on this "
        f"request and would be downsized to {width}x{height}; scale the image to at most {width}x{height} or set the "
        'image\'s oversized_image setting to "downsize"'
    )


def is_wide(header: ImageHeader) -> bool:
    """Whether an image is too large for a request with many."""
    return max(header.width, header.height) > _MOST_PIXELS_OF_MANY


def wide_fault(images: int) -> str | None:
    """Why a wide image is refused beside so many others."""
    if images <= _MANY_IMAGES:
        return None
    return (
        f"At least one of the image dimensions exceed max allowed size for many-image requests: {_MOST_PIXELS_OF_MANY} "
        "pixels"
    )


def pages_fault(pages: int, images: int, model: Model) -> str | None:
    """Pages and images of a request are bounded together, in the words that bound images alone."""
    if pages + images > model.max_images:
        return f"Too much media: {pages} document pages + {images} images > {model.max_images}"
    return None


def media_fault(found: Found, model: Model) -> str | None:
    """What only the whole request tells. Pages of documents are counted later, when they are read."""
    fault = pages_fault(0, found.images, model)
    if fault is None and found.wide_image is not None:
        fault = wide_fault(found.images)
        if fault is not None:
            return f"{found.wide_image}.source.base64.data: {fault}"
    return fault


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
