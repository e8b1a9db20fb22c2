"""The media of a request in the order of its prompt, and sources of type url made into base64."""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from understudy.documents.images import read_image_header
from understudy.engines.catalog import Model
from understudy.messages.rules.media import COULD_NOT_PROCESS, image_fault, is_wide, wide_fault
from understudy.net.client import Fetcher, FetchError, FetchTooLargeError
from understudy.net.guard import UrlRefusedError
from understudy.tokens.pace import Pace
from understudy.wire.callers import calling_cell
from understudy.wire.errors import ApiError, InvalidRequestError, RequestTooLargeError

_Block: TypeAlias = dict[str, Any]

# Both observed, without a place.
_NO_DOWNLOAD: Final = "Unable to download the file. Please verify the URL and try again."
_HTTPS_ONLY: Final = "Only HTTPS URLs are supported."

# Seconds for one URL, and for all of a request. URLs fetched at once for one request.
_TIMEOUT: Final = 20.0
_TIMEOUT_OF_ALL: Final = 60.0
_AT_ONCE: Final = 8
# Bytes: of a document 32 MB as base64 (pdf-support.md), and of all that one request may have fetched [guess].
DOCUMENT_BYTES: Final = 24 * 1024 * 1024
BYTES_OF_ALL: Final = 64 * 1024 * 1024
# Bytes encoded between two looks at the clock; a multiple of three.
_PIECE: Final = 192 * 1024
# Blocks, or messages, looked at between two looks at the clock.
_MANY: Final = 1024


@dataclass(frozen=True, slots=True)
class Medium:
    """A block that holds something to be read. `path` is how errors name it; "" where they name no place."""

    kind: Literal["image", "document", "search_result"]
    block: _Block
    path: str

    @property
    def source(self) -> _Block | None:
        """Where its bytes come from; None for a search result, whose `source` is a text."""
        return None if self.kind == "search_result" else self.block["source"]

    @property
    def by_url(self) -> bool:
        source = self.source
        return source is not None and source["type"] == "url"

    @property
    def by_file(self) -> bool:
        source = self.source
        return source is not None and source["type"] == "file"


async def media_of(request: _Block, pace: Pace) -> list[Medium]:
    """All documents, search results and images, in the order of the prompt.

    Documents are numbered "from the list of all document content blocks in the request (spanning across all messages)",
    search results "across all messages and tool results" (citations.md, search-results.md). Documents in tool results,
    and in what was fetched from the web, are document blocks too [guess: no recording shows how they are numbered].
    """
    found: list[Medium] = []
    for index, message in enumerate(cast("list[_Block]", request["messages"])):
        content = message.get("content")
        if isinstance(content, list):
            for medium in _media_in(cast("list[_Block]", content), f"messages.{index}.content"):
                if medium is not None:
                    found.append(medium)
                elif pace.due():
                    await pace.pause()
        if index % _MANY == _MANY - 1 and pace.due():
            await pace.pause()
    return found


def _media_in(content: list[_Block], path: str) -> Iterator[Medium | None]:
    """None now and then, where there are so many other blocks that it takes time."""
    for place, block in enumerate(content):
        if place % _MANY == _MANY - 1:
            yield None
        kind = block["type"]
        match kind:
            case "image" | "search_result":
                yield Medium(kind, block, f"{path}.{place}.{kind}")
            case "document":
                yield Medium(kind, block, f"{path}.{place}.{kind}")
                inner = block["source"].get("content")
                if isinstance(inner, list):
                    parts = cast("list[_Block]", inner)
                    yield from _media_in(parts, f"{path}.{place}.document.source.content.content")
            case "tool_result":
                inner = block.get("content")
                if isinstance(inner, list):
                    yield from _media_in(cast("list[_Block]", inner), f"{path}.{place}.tool_result.content")
            case "web_fetch_tool_result" if calling_cell(block) is None:
                result: _Block = block["content"]
                if result["type"] == "web_fetch_result":
                    yield Medium("document", result["content"], f"{path}.{place}.{kind}.content.content.document")
            case _:
                pass


async def fetch_sources(request: _Block, media: list[Medium], model: Model, fetcher: Fetcher | None) -> _Block:
    """A copy of `request` in which no source of an image or document is of type url any more.

    Raises InvalidRequestError for the first in the order of the prompt that cannot be had, and for images that break a
    rule; RequestTooLargeError when there is too much of it.
    """
    wanted = [medium for medium in media if medium.by_url]
    if fetcher is None:
        raise InvalidRequestError(
            f"{wanted[0].path}.source.url: This server does not fetch URLs. Send the content as base64, or turn on the "
            "server's setting `net.url_sources`."
        )
    fetching = _Fetching(fetcher, model)
    # One document or image is fetched once, however often it is named.
    keys = list(dict.fromkeys((medium.kind, _url(medium)) for medium in wanted))
    try:
        async with asyncio.timeout(_TIMEOUT_OF_ALL):
            outcomes = await asyncio.gather(*(fetching.fetch(kind, url) for kind, url in keys))
    except TimeoutError:
        raise InvalidRequestError(_NO_DOWNLOAD) from None
    by_key = dict(zip(keys, outcomes, strict=True))
    images = sum(medium.kind == "image" for medium in media)
    replaced: dict[int, _Block] = {}
    for medium in wanted:
        outcome = by_key[medium.kind, _url(medium)]
        if isinstance(outcome, ApiError):
            raise outcome
        replaced[id(medium.source)] = as_base64(medium, outcome, images, model)
    return with_sources(request, replaced)


def _url(medium: Medium) -> str:
    assert medium.source is not None
    return medium.source["url"]


class _Fetching:
    def __init__(self, fetcher: Fetcher, model: Model) -> None:
        self._fetcher = fetcher
        self._image_bytes = model.max_image_bytes // 4 * 3
        self._left = BYTES_OF_ALL
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, kind: str, url: str) -> str | ApiError:
        """The content as base64, or why there is none."""
        try:
            target = self._fetcher.guard.judge(url)
            if target.url.scheme != "https" and not self._fetcher.guard.trusts(target):
                return InvalidRequestError(_HTTPS_ONLY)
            most = self._image_bytes if kind == "image" else DOCUMENT_BYTES
            async with self._slots:
                fetched = await self._fetcher.fetch(url, most_bytes=most, timeout=_TIMEOUT)
        except FetchTooLargeError:
            if kind == "document":
                return RequestTooLargeError()
            # Its size was not read to the end, so it cannot be told [guess].
            return InvalidRequestError(f"image exceeds {self._image_bytes * 4 // 3 // 1024 // 1024} MB maximum")
        except (UrlRefusedError, FetchError):
            # One text for all, so that nobody can ask which hosts and ports there are.
            return InvalidRequestError(_NO_DOWNLOAD)
        self._left -= len(fetched.body)
        if self._left < 0:
            return RequestTooLargeError()
        return await encoded(fetched.body)


async def encoded(body: bytes) -> str:
    """As base64, in short stretches."""
    pieces: list[bytes] = []
    pace = Pace()
    try:
        for start in range(0, len(body), _PIECE):
            pieces.append(binascii.b2a_base64(body[start : start + _PIECE], newline=False))
            if pace.due():
                await pace.pause()
    finally:
        pace.end()
    return b"".join(pieces).decode("ascii")


def as_base64(medium: Medium, data: str, images: int, model: Model) -> _Block:
    """For what was fetched, or is stored. Raises InvalidRequestError for an image that breaks a rule."""
    if medium.kind == "document":
        return {"type": "base64", "media_type": "application/pdf", "data": data}
    header = read_image_header(data)
    fault = image_fault(data, header, None, medium.block.get("transformations"), model)
    if fault is not None:
        # "Without the leading position" (vision-coordinates.md).
        raise InvalidRequestError(fault[1])
    if header is None:
        raise InvalidRequestError(COULD_NOT_PROCESS)
    wide = wide_fault(images) if is_wide(header) else None
    if wide is not None:
        raise InvalidRequestError(wide)
    return {"type": "base64", "media_type": header.media_type, "data": data}


def with_sources(request: _Block, replaced: dict[int, _Block]) -> _Block:
    """A copy of `request` with other sources for those whose identity stands in `replaced`."""
    messages = cast("list[_Block]", request["messages"])
    return {
        **request,
        "messages": [{**message, "content": _copy(message["content"], replaced)} for message in messages],
    }


def _copy(content: Any, replaced: dict[int, _Block]) -> Any:
    if not isinstance(content, list):
        return content
    return [_copy_block(block, replaced) for block in cast("list[_Block]", content)]


def _copy_block(block: _Block, replaced: dict[int, _Block]) -> _Block:
    kind = block["type"]
    if kind == "tool_result":
        return {**block, "content": _copy(block["content"], replaced)} if "content" in block else block
    if kind not in {"image", "document"}:
        return block
    source: _Block = block["source"]
    if id(source) in replaced:
        return {**block, "source": replaced[id(source)]}
    if source["type"] == "content":
        return {**block, "source": {**source, "content": _copy(source["content"], replaced)}}
    return block
