"""The page's own files, as they were built into `static/`: `/console/` and what lies below it.

Names of built assets hold a hash of what is in them, so they are kept for ever; `index.html` is asked for anew each
time. Only files that were found in the directory are served: a path leads nowhere else.
"""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.routing import BaseRoute

from understudy.console.serving import route
from understudy.http.compression import accepted_codings, encode
from understudy.http.exchange import Exchange
from understudy.wire.errors import NotFoundError

STATIC: Final = Path(__file__).parent / "static"
PATH: Final = "/console"

_INDEX: Final = "index.html"
_ASSETS: Final = "assets/"
_HTML: Final = "text/html; charset=utf-8"
# Already as small as they get.
_PACKED: Final = ("image/png", "image/jpeg", "image/webp", "font/woff2")
_LEAST: Final = 512
# Codings, the best first. A file is kept as it was encoded, so it may take its time.
_LEVELS: Final = {"br": 9, "gzip": 9}

_SAFE: Final = [
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        b"object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]

_NOT_BUILT: Final = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Understudy Console</title>
<h1>The Console is not built</h1>
<p>This server runs from a source tree whose Console was not built yet. In that tree, run:</p>
<pre>make console</pre>
<p>Then load this page again. The API itself serves as always.</p>
</html>
"""


@dataclass(slots=True)
class _File:
    """A file as it is served; `encoded` by content coding."""

    content: bytes
    content_type: str
    etag: str
    version: tuple[int, int]
    encoded: dict[str, bytes] = field(default_factory=dict[str, bytes])


class Pages:
    def __init__(self, directory: Path = STATIC) -> None:
        self._directory = directory
        self._files: dict[str, _File] = {}

    def routes(self) -> list[BaseRoute]:
        return [
            route("/", "GET", self.lead),
            route(PATH, "GET", self.lead),
            route(PATH + "/{path:path}", "GET", self.serve),
        ]

    async def lead(self, exchange: Exchange) -> None:
        """Browsers go on to the Console; for others there is nothing here."""
        if exchange.scope["path"] == "/" and "text/html" not in (exchange.header(b"accept") or ""):
            raise NotFoundError
        headers = [(b"location", PATH.encode() + b"/"), (b"vary", b"accept")]
        await exchange.respond(303, b"", _HTML.encode(), headers)

    async def serve(self, exchange: Exchange) -> None:
        wanted = exchange.path_params["path"]
        file = await asyncio.to_thread(self._find, wanted)
        if file is None and wanted.startswith(_ASSETS):
            raise NotFoundError
        if file is None:
            wanted, file = _INDEX, await asyncio.to_thread(self._find, _INDEX)
        if file is None:
            await exchange.respond(503, _NOT_BUILT, _HTML.encode(), [*_SAFE, (b"cache-control", b"no-store")])
            return
        coding = _coding(exchange, file)
        etag = f'"{file.etag}{"-" + coding if coding else ""}"'.encode()
        kept = b"public, max-age=31536000, immutable" if wanted.startswith(_ASSETS) else b"no-cache"
        headers = [*_SAFE, (b"cache-control", kept), (b"etag", etag), (b"vary", b"accept-encoding")]
        known = (exchange.headers.get(b"if-none-match") or b"").replace(b"W/", b"")
        if etag in {one.strip() for one in known.split(b",")}:
            await exchange.start(304, headers)
            await exchange.write(b"", more=False)
            return
        body = file.content
        if coding is not None:
            if coding not in file.encoded:
                file.encoded[coding] = await asyncio.to_thread(encode, file.content, coding, _LEVELS[coding])
            body = file.encoded[coding]
            headers.append((b"content-encoding", coding.encode()))
        headers += [(b"content-type", file.content_type.encode()), (b"content-length", b"%d" % len(body))]
        await exchange.start(200, headers)
        await exchange.write(b"" if exchange.scope["method"] == "HEAD" else body, more=False)

    def _find(self, wanted: str) -> _File | None:
        """The file of that name below the directory; as it is now, for one that was built anew."""
        if "\0" in wanted or "\\" in wanted or any(part in {"", ".", ".."} for part in wanted.split("/")):
            return None
        path = self._directory / wanted
        try:
            status = path.stat()
            version = (status.st_mtime_ns, status.st_size)
            known = self._files.get(wanted)
            if known is not None and known.version == version:
                return known
            if not path.is_file() or not path.resolve().is_relative_to(self._directory.resolve()):
                return None
            content = path.read_bytes()
        except (OSError, ValueError):
            self._files.pop(wanted, None)
            return None
        found = _File(content, _type_of(wanted), hashlib.sha256(content).hexdigest()[:32], version)
        self._files[wanted] = found
        return found


def _type_of(name: str) -> str:
    if name.endswith((".js", ".mjs")):
        return "text/javascript; charset=utf-8"
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") or guessed == "image/svg+xml" else guessed


def _coding(exchange: Exchange, file: _File) -> str | None:
    if len(file.content) < _LEAST or file.content_type in _PACKED:
        return None
    accepted = accepted_codings(exchange.headers.get(b"accept-encoding", b""))
    return next((one for one in _LEVELS if one in accepted), None)
