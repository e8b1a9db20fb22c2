"""An upload: a form read as it arrives, its files on the way into one file without a name."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import IO, TYPE_CHECKING, Final, NotRequired

from typing_extensions import TypedDict

from understudy.http.exchange import Exchange
from understudy.http.forms import FormError, filename_of, form_events, form_parser
from understudy.skills.bundle import IN_MEMORY, Bundle, Uploaded, make_bundle
from understudy.skills.config import SkillsConfig
from understudy.skills.errors import no_files, too_large, too_many_files
from understudy.wire.errors import InvalidRequestError, RequestTooLargeError

if TYPE_CHECKING:
    from multipart import MultipartSegment, PushMultipartParser

    from understudy.http.forms import Event

FILES: Final = "files[]"
"""What forms call each file of `files`."""


class VersionCreateParams(TypedDict):
    """The form of POST /v1/skills/{skill_id}/versions."""

    files: list[bytes]


class SkillCreateParams(VersionCreateParams):
    """The form of POST /v1/skills."""

    display_name: NotRequired[str | None]


# Bytes of a body beside its files: for each of them a boundary, headers and a long name.
_BESIDE_EACH: Final = 1_536
_BESIDE: Final = 64 * 1024
_MOST_OF_NAME: Final = 255
# Parts beside the files.
_FIELDS: Final = 20

_LINES: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Uploads:
    """Receives uploads. Unpacking and packing costs CPU time in threads: few at once, so that other work goes on."""

    def __init__(self, config: SkillsConfig, *, at_once: int = 2) -> None:
        self._config = config
        self._packing = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def receive(
        self, exchange: Exchange, *, old: bool, title: str | None
    ) -> AsyncGenerator[tuple[Bundle, str | None]]:
        """What a form uploads, checked and packed, and the field `title` of it. Raises the API's errors."""
        parser = form_parser(exchange, self._config.max_files + _FIELDS)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
            form = _Form(spool, self._config, title)
            try:
                await self._read(exchange, parser, form)
            except RequestTooLargeError:
                raise too_large(self._config.max_bytes) from None
            label = form.label()
            if not form.uploaded:
                raise no_files()
            async with self.bundle(spool, form.uploaded, old=old) as bundle:
                yield bundle, label

    @asynccontextmanager
    async def bundle(self, spool: IO[bytes], uploaded: list[Uploaded], *, old: bool) -> AsyncGenerator[Bundle]:
        """The same of files that are at hand."""
        async with self._packing:
            making = asyncio.ensure_future(asyncio.to_thread(make_bundle, spool, uploaded, self._config, old=old))
            try:
                bundle = await asyncio.shield(making)
            except asyncio.CancelledError:
                # The thread still uses the files.
                await asyncio.wait({making})
                if not making.cancelled() and making.exception() is None:
                    making.result().archive.close()
                raise
        with bundle.archive:
            yield bundle

    async def _read(self, exchange: Exchange, parser: PushMultipartParser, form: _Form) -> None:
        most = self._config.max_bytes + _BESIDE + self._config.max_files * _BESIDE_EACH
        try:
            async with aclosing(form_events(exchange, parser, most)) as pieces:
                async for events in pieces:
                    for event in events:
                        form.take(event)
        except FormError as error:
            if error.parts >= self._config.max_files:
                raise too_many_files(self._config.max_files) from None
            raise


class _Form:
    """Takes what the parser finds: a part, bytes of it, and None at its end. Fields that it knows nothing of are passed
    over, as by the service: a file in a field of another name was answered with "No files provided"."""

    def __init__(self, spool: IO[bytes], config: SkillsConfig, title: str | None) -> None:
        self._spool = spool
        self._config = config
        self._title = title
        self._part: MultipartSegment | None = None
        self._label: bytearray | None = None
        self._start = self._written = 0
        self.uploaded: list[Uploaded] = []

    def take(self, event: Event) -> None:
        if event is None:
            self._end()
        elif isinstance(event, (bytes, bytearray)):
            self._content(event)
        else:
            self._part, self._start = event, self._written
            if event.name == self._title:
                self._label = bytearray()

    def _content(self, content: bytes | bytearray) -> None:
        part = self._part
        assert part is not None
        if part.name == FILES:
            self._written += len(content)
            if self._written > self._config.max_bytes:
                raise too_large(self._config.max_bytes)
            self._spool.write(content)
        elif part.name == self._title and self._label is not None and len(self._label) <= 4 * _MOST_OF_NAME:
            self._label += content

    def _end(self) -> None:
        part, self._part = self._part, None
        if part is not None and part.name == FILES:
            if len(self.uploaded) == self._config.max_files:
                raise too_many_files(self._config.max_files)
            self.uploaded.append(Uploaded(filename_of(part) or "", self._start, self._written - self._start))

    def label(self) -> str | None:
        """What the field says; None where it is missing or empty."""
        text = (self._label or b"").decode("utf-8", "replace").strip()
        return checked_label(text, self._title or "") if text else None


def checked_label(text: str, field: str) -> str:
    """A single line of at most 255 characters (SDK 2.12 on `display_name`). Raises InvalidRequestError [guess]."""
    if len(text) > _MOST_OF_NAME:
        raise InvalidRequestError(f"{field}: String should have at most {_MOST_OF_NAME} characters")
    if _LINES.search(text):
        raise InvalidRequestError(f"{field}: must be a single line")
    return text
