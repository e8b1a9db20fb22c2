"""The connection to one upstream: requests, their answers' bytes, and how long each may take.

What an operator configures is trusted, so nothing guards its address; but redirects are not followed, and no proxy of
the environment is used. aiohttp is imported at the first request.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from understudy import __version__

from .errors import UpstreamError, UpstreamTimeoutError

if TYPE_CHECKING:
    import aiohttp

# Seconds in which an unused connection is closed: servers here close theirs after five.
_KEEP_ALIVE: Final = 4.0
# Seconds that the end of a finished answer may take to come, so that its connection can be used again.
_LINGER: Final = 1.0
# Least seconds between two looks at whether an answer takes too long.
_LOOK: Final = 0.01
# Bytes of an error's body that are read, and of an answer that is no stream.
_MOST_ERROR: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for the connection, from the request to the first event, and between two events."""

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 120.0


class Reading:
    """The bytes of an answer, which must bring something every so often. Only time spent waiting for them counts.

    One timer watches over all reads: arming one for each would cost as much as the read.
    """

    __slots__ = ("_content", "_due", "_left", "_loop", "_timer")

    def __init__(self, response: aiohttp.ClientResponse, seconds: float) -> None:
        self._content = response.content
        self._loop = asyncio.get_running_loop()
        self._left = max(seconds, 0.0)
        self._due: float | None = None
        self._timer = self._loop.call_later(self._left, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def renew(self, seconds: float) -> None:
        """Something came: there are `seconds` for what is next."""
        self._left = seconds
        if self._loop.time() + seconds < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_later(seconds, self._look)

    async def read(self) -> bytes:
        """The next bytes; none at the end. Raises UpstreamError where the connection broke, UpstreamTimeoutError."""
        import aiohttp

        began = self._loop.time()
        self._due = began + self._left
        try:
            return await self._content.readany()
        except TimeoutError as error:
            raise UpstreamTimeoutError from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError("The model's server broke its answer off.") from error
        finally:
            self._due = None
            self._left = max(self._left - (self._loop.time() - began), 0.0)

    def _look(self) -> None:
        now = self._loop.time()
        due = now + self._left if self._due is None else self._due
        if self._due is not None and now >= due:
            self._content.set_exception(TimeoutError())
        else:
            # Nobody who is not waiting can have waited too long, however little is left.
            self._timer = self._loop.call_at(max(due, now + _LOOK), self._look)


class Upstream:
    """`base_url` ends where `/chat/completions` begins. `api_key` is sent as a Bearer token; None sends none."""

    def __init__(self, base_url: str, api_key: str | None, timeouts: Timeouts) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {
            "User-Agent": f"understudy/{__version__}",
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",
        }
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self.timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close all connections."""
        for task in self._draining:
            task.cancel()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, path: str, body: bytes, first_byte: float) -> aiohttp.ClientResponse:
        """POST, and the answer as soon as its headers are there. The caller closes it.

        Raises UpstreamError where there is none, UpstreamTimeoutError after `first_byte` seconds.
        """
        import aiohttp

        session = self._open()
        timeout = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=self.timeouts.connect, sock_read=None)
        for last in (False, True):
            try:
                async with asyncio.timeout(first_byte):
                    return await session.post(
                        self._url(path), data=body, headers=self._headers, allow_redirects=False, timeout=timeout
                    )
            except aiohttp.ConnectionTimeoutError as error:
                raise UpstreamError("The model's server cannot be reached.") from error
            except TimeoutError as error:
                raise UpstreamTimeoutError from error
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A connection that was kept may have been closed at the other end meanwhile.
                if last or isinstance(error, aiohttp.ClientConnectorError):
                    raise UpstreamError("The model's server cannot be reached.") from error
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise UpstreamError("The model's server cannot be reached.") from error
        raise AssertionError

    async def body(self, response: aiohttp.ClientResponse, most: int = _MOST_ERROR) -> bytes:
        """What is left of the body, as far as `most` bytes."""
        found = bytearray()
        reading = Reading(response, self.timeouts.idle)
        try:
            while len(found) < most:
                piece = await reading.read()
                if not piece:
                    break
                found += piece
        except (UpstreamError, UpstreamTimeoutError):
            pass
        finally:
            reading.stop()
        return bytes(found)

    def drain(self, response: aiohttp.ClientResponse) -> None:
        """Read the end of an answer that is whole, so that its connection can be used again."""

        async def to_the_end() -> None:
            with suppress(Exception):
                async with asyncio.timeout(_LINGER):
                    while await response.content.readany():
                        pass
            response.close()

        task = asyncio.get_running_loop().create_task(to_the_end())
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    def _url(self, path: str) -> str:
        # vLLM's own routes stand beside its /v1.
        return (self._base_url.removesuffix("/v1") if path == "/tokenize" else self._base_url) + path

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                # How many requests there may be at once is decided by routing.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=True,
                read_bufsize=256 * 1024,
            )
        return self._session
