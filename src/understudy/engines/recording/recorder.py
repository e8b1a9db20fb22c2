"""A proxy in front of a Claude API that writes down every exchange it carries."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from understudy.engines.recording.asgi import Receive, Scope, Send, read_body, refuse, start, write
from understudy.engines.recording.exchange import (
    Recorded,
    header_line,
    kept_request_headers,
    kept_response_headers,
    read_content,
)
from understudy.engines.recording.redaction import redact_frames, redact_text

if TYPE_CHECKING:
    import aiohttp

# Of one connection only (RFC 9110 §7.6.1), or no longer true of what is passed on.
_NOT_FORWARDED: Final = frozenset(
    {
        "host",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "accept-encoding",
    }
)

# Seconds to reach the upstream. A model may think for as long as it likes after that.
_CONNECT_TIMEOUT: Final = 15.0


class Recorder:
    """ASGI application. `upstream` is the address without `/v1`; exchanges are added to the end of `into`."""

    def __init__(self, upstream: str, into: Path) -> None:
        self._upstream = upstream.rstrip("/")
        self._into = into
        self._file: BinaryIO | None = None
        self._session: aiohttp.ClientSession | None = None
        self.recorded = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._forward(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        import aiohttp

        await receive()
        # Readable by its owner only: prompts stand in it.
        self._file = os.fdopen(os.open(self._into, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
        if self._file.tell() == 0:
            self._file.write(header_line())
            self._file.flush()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT)
        self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True, read_bufsize=2**18)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        self._file.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        import aiohttp
        from yarl import URL

        assert self._session is not None
        body = await read_body(receive)
        if body is None:
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query: str = scope["query_string"].decode("latin-1")
        is_json, kept = read_content(body, headers.get("content-type", ""))
        exchange = Recorded(
            method=scope["method"],
            path=scope["path"],
            query=redact_text(query),
            status=0,
            headers=kept_request_headers(headers),
            json=is_json,
            body=kept,
        )
        raw_path: bytes = scope.get("raw_path") or str(scope["path"]).encode()
        url = URL(self._upstream + raw_path.decode("latin-1") + (f"?{query}" if query else ""), encoded=True)
        onward = {name: value for name, value in headers.items() if name not in _NOT_FORWARDED}
        try:
            async with self._session.request(
                exchange.method,
                url,
                headers={**onward, "accept-encoding": "identity"},
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=("content-type", "user-agent", "accept"),
            ) as response:
                await self._pass_on(exchange, response, send)
        except aiohttp.ClientError as error:
            if exchange.status == 0:
                await refuse(send, 502, "api_error", f"The upstream does not answer: {error}", retry=True)
                return
            # The server closes the client's connection, since its answer has no end.
            exchange.cut = True
        self._write(exchange)

    async def _pass_on(self, exchange: Recorded, response: aiohttp.ClientResponse, send: Send) -> None:
        headers = [(name.lower(), value) for name, value in response.headers.items()]
        content_type = response.headers.get("content-type", "")
        # What was compressed all the same has been decoded.
        dropped = _NOT_FORWARDED | {"content-encoding"}
        await start(send, response.status, [field for field in headers if field[0] not in dropped])
        exchange.status = response.status
        exchange.response_headers = kept_response_headers(dict(headers))
        began = time.monotonic()
        if not content_type.startswith("text/event-stream"):
            content = bytearray()
            async for piece in response.content.iter_any():
                content += piece
                await write(send, piece, more=True)
            exchange.answer_json, exchange.answer = read_content(bytes(content), content_type)
        else:
            frames: list[tuple[float, str]] = []
            rest = b""
            try:
                async for piece in response.content.iter_any():
                    await write(send, piece, more=True)
                    *whole, rest = (rest + piece).split(b"\n\n")
                    seconds = round(time.monotonic() - began, 4)
                    frames += [(seconds, frame.decode("utf-8", "replace") + "\n\n") for frame in whole]
            finally:
                if rest:
                    frames.append((round(time.monotonic() - began, 4), rest.decode("utf-8", "replace")))
                exchange.frames = redact_frames(frames)
        await write(send, b"")

    def _write(self, exchange: Recorded) -> None:
        assert self._file is not None
        self._file.write(exchange.to_line())
        self._file.flush()
        self.recorded += 1
