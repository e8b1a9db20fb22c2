"""Images, documents and search results, and where their bytes come from."""

from typing import Annotated, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from understudy.wire.schema import Limits

from .common import CacheControl, CitationsConfigParam, TextBlockParam


class Base64ImageSourceParam(TypedDict):
    data: str
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    type: Literal["base64"]


class URLImageSourceParam(TypedDict):
    type: Literal["url"]
    url: str


class FileImageSourceParam(TypedDict):
    file_id: str
    type: Literal["file"]


class ImageTransformationsParam(TypedDict):
    oversized_image: NotRequired[Literal["downsize", "error"]]


class ImageBlockParam(TypedDict):
    source: Base64ImageSourceParam | URLImageSourceParam | FileImageSourceParam
    type: Literal["image"]
    cache_control: NotRequired[CacheControl | None]
    transformations: NotRequired[ImageTransformationsParam | None]


class Base64PDFSourceParam(TypedDict):
    data: str
    media_type: Literal["application/pdf"]
    type: Literal["base64"]


class PlainTextSourceParam(TypedDict):
    data: str
    media_type: Literal["text/plain"]
    type: Literal["text"]


class ContentBlockSourceParam(TypedDict):
    content: str | list[TextBlockParam | ImageBlockParam]
    type: Literal["content"]


class URLPDFSourceParam(TypedDict):
    type: Literal["url"]
    url: str


class FileDocumentSourceParam(TypedDict):
    file_id: str
    type: Literal["file"]


DocumentSourceParam: TypeAlias = (
    Base64PDFSourceParam | PlainTextSourceParam | ContentBlockSourceParam | URLPDFSourceParam | FileDocumentSourceParam
)


class DocumentBlockParam(TypedDict):
    source: DocumentSourceParam
    type: Literal["document"]
    cache_control: NotRequired[CacheControl | None]
    citations: NotRequired[CitationsConfigParam | None]
    context: NotRequired[Annotated[str, Limits(min_length=1)] | None]
    title: NotRequired[Annotated[str, Limits(min_length=1, max_length=500)] | None]


class SearchResultBlockParam(TypedDict):
    content: list[TextBlockParam]
    source: str
    title: str
    type: Literal["search_result"]
    cache_control: NotRequired[CacheControl | None]
    citations: NotRequired[CitationsConfigParam]
