"""The pictures of a PDF's pages, made when an engine asks for them."""

from __future__ import annotations

from understudy.documents.base64_bytes import decoded
from understudy.documents.reader import PdfError, PdfReader
from understudy.tokens.pace import Pace
from understudy.wire.errors import InvalidRequestError


class PageImages:
    """`data` is the PDF as base64, `refusal` what is said of one that cannot be drawn. See materials.Document.draw."""

    __slots__ = ("_data", "_drawn", "_pdfs", "_refusal", "_tenant")

    def __init__(self, pdfs: PdfReader, data: str, tenant: str, refusal: str) -> None:
        self._pdfs = pdfs
        self._data = data
        self._tenant = tenant
        self._refusal = refusal
        self._drawn: tuple[str, ...] | None = None

    async def __call__(self) -> tuple[str, ...]:
        """Raises InvalidRequestError, also for what took too much time or memory; OverloadedError."""
        if self._drawn is None:
            try:
                self._drawn = await self._pdfs.draw(await self._content(), tenant=self._tenant)
            except PdfError:
                raise InvalidRequestError(self._refusal) from None
        return self._drawn

    async def _content(self) -> bytes:
        pace, work = Pace(), decoded(self._data)
        try:
            while True:
                try:
                    next(work)
                except StopIteration as end:
                    # Its text was read, so there is something.
                    return end.value or b""
                if pace.due():
                    await pace.pause()
        finally:
            pace.end()
