"""Getting one page: from the operator's documents, from what was fetched a moment ago, or from the web."""

from __future__ import annotations

import base64
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from understudy.documents.html_reader import HtmlError, HtmlReader
from understudy.documents.reader import PdfError, PdfReader
from understudy.net.client import Fetched, Fetcher, FetchError, FetchTooLargeError
from understudy.net.guard import UrlRefusedError
from understudy.tools.web.index import DocumentIndex, SearchIndexError
from understudy.tools.web_fetch.robots import MOST_BYTES as MOST_ROBOTS
from understudy.tools.web_fetch.robots import Robots
from understudy.wire.errors import OverloadedError

FetchCode: TypeAlias = Literal[
    "url_not_allowed",
    "url_not_accessible",
    "unsupported_content_type",
    "content_too_large",
    "too_many_requests",
    "unavailable",
]

MOST_BYTES: Final = 10 * 1024 * 1024
"""Of a page or PDF [guess]: a PDF goes into the prompt, and a request of the API has no more than 32 MB."""

MOST_PAGES: Final = 100
"""Of a PDF: what every model takes in a request."""

_TIMEOUT: Final = 30.0
_KEPT_FOR: Final = 15 * 60.0
_MOST_KEPT: Final = 64 * 1024 * 1024

_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_TEXT: Final = frozenset({"application/json", "application/xml", "application/yaml", "application/javascript"})


class FetchFailedError(Exception):
    """The page could not be had. `code` is what the result block says of it."""

    def __init__(self, code: FetchCode, why: str) -> None:
        super().__init__(why)
        self.code: FetchCode = code


@dataclass(frozen=True, slots=True)
class WebPage:
    """`data` is text, or a PDF as base64. `url` is where it was found in the end."""

    url: str
    kind: Literal["text", "pdf"]
    data: str
    title: str | None
    retrieved_at: datetime


class Fetching:
    """`fetcher` is None where nothing may be fetched from the web, `index` where the operator has no documents. Without
    `pdfs` nobody looks whether a PDF can be read.

    What was fetched is kept for 15 minutes for the same organization, unless a request wants it fresh.
    """

    def __init__(
        self,
        fetcher: Fetcher | None,
        html: HtmlReader,
        index: DocumentIndex | None = None,
        *,
        pdfs: PdfReader | None = None,
        robots: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetcher = fetcher
        self._html = html
        self._index = index
        self._pdfs = pdfs
        self._robots = Robots(self._robots_of, clock) if robots else None
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, WebPage]] = OrderedDict()
        self._size = 0

    async def fetch(
        self, url: str, organization_id: str, allowed: Callable[[str], bool], *, use_cache: bool = True
    ) -> WebPage:
        """The page of `url`. `allowed` judges also where a redirect leads. Raises FetchFailedError."""
        key = (organization_id, url)
        kept = self._kept.get(key)
        if use_cache and kept is not None and kept[0] > self._clock() and allowed(kept[1].url):
            self._kept.move_to_end(key)
            return kept[1]
        page = await self._own(url) or await self._from_web(url, organization_id, allowed)
        self._keep(key, page)
        return page

    async def close(self) -> None:
        await self._html.close()

    async def _own(self, url: str) -> WebPage | None:
        if self._index is None:
            return None
        try:
            page = await self._index.page(url)
        except SearchIndexError as error:
            raise FetchFailedError("unavailable", str(error)) from error
        return None if page is None else WebPage(url, "text", page.text, page.title, datetime.now(UTC))

    async def _from_web(self, url: str, organization_id: str, allowed: Callable[[str], bool]) -> WebPage:
        if self._fetcher is None:
            raise FetchFailedError("url_not_allowed", "this server fetches nothing (net.url_sources)")
        if self._robots is not None and not await self._robots.allows(url):
            raise FetchFailedError("url_not_allowed", "its robots.txt does not allow it")
        fetched = await self._fetched(self._fetcher, url)
        if not allowed(fetched.final_url):
            raise FetchFailedError("url_not_allowed", "it leads to a domain that is not allowed")
        return await self._read(fetched, organization_id)

    async def _fetched(self, fetcher: Fetcher, url: str) -> Fetched:
        try:
            return await fetcher.fetch(url, most_bytes=MOST_BYTES, timeout=_TIMEOUT)
        except UrlRefusedError as error:
            raise FetchFailedError("url_not_allowed", str(error)) from error
        except FetchTooLargeError as error:
            raise FetchFailedError("content_too_large", "it is too large") from error
        except FetchError as error:
            limited = str(error) == "status 429"
            raise FetchFailedError("too_many_requests" if limited else "url_not_accessible", str(error)) from error

    async def _read(self, fetched: Fetched, organization_id: str) -> WebPage:
        now, kind = datetime.now(UTC), fetched.content_type
        if kind == "application/pdf" or (not kind and fetched.body.startswith(b"%PDF-")):
            await self._check_pdf(fetched.body, organization_id)
            return WebPage(fetched.final_url, "pdf", base64.b64encode(fetched.body).decode(), None, now)
        if kind in _HTML or (not kind and fetched.body.lstrip()[:1] == b"<"):
            if not self._html.available:
                raise FetchFailedError("unavailable", "reading HTML needs the extra `web`")
            try:
                page = await self._html.read(fetched.body)
            except HtmlError as error:
                raise FetchFailedError("url_not_accessible", str(error)) from error
            except OverloadedError as error:
                raise FetchFailedError("unavailable", "too many pages are being read") from error
            return WebPage(fetched.final_url, "text", page.text, page.title or None, now)
        if not kind or kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml")):
            return WebPage(fetched.final_url, "text", fetched.body.decode("utf-8", "replace"), None, now)
        raise FetchFailedError("unsupported_content_type", kind)

    async def _check_pdf(self, body: bytes, organization_id: str) -> None:
        """What cannot be read would fail the request later."""
        if self._pdfs is None:
            return
        if not self._pdfs.available:
            raise FetchFailedError("unsupported_content_type", "reading PDFs needs the extra `documents`")
        try:
            found = await self._pdfs.read(body, tenant=organization_id)
        except PdfError as error:
            raise FetchFailedError("url_not_accessible", "the PDF cannot be read") from error
        except OverloadedError as error:
            raise FetchFailedError("unavailable", "too many PDFs are being read") from error
        if found.page_count > MOST_PAGES:
            raise FetchFailedError("content_too_large", "the PDF has too many pages")

    async def _robots_of(self, url: str) -> str | None:
        assert self._fetcher is not None
        try:
            found = await self._fetcher.fetch(url, most_bytes=MOST_ROBOTS, timeout=_TIMEOUT)
        except FetchTooLargeError:
            return ""
        except (FetchError, UrlRefusedError) as error:
            # 4xx: there are none. Anything else: nobody can say (RFC 9309, 2.3.1.3 and 2.3.1.4).
            return "" if str(error).startswith("status 4") and str(error) != "status 429" else None
        return found.body.decode("utf-8", "replace")

    def _keep(self, key: tuple[str, str], page: WebPage) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._size -= len(old[1].data)
        self._kept[key] = (self._clock() + _KEPT_FOR, page)
        self._size += len(page.data)
        while self._size > _MOST_KEPT:
            _, (_, gone) = self._kept.popitem(last=False)
            self._size -= len(gone.data)
