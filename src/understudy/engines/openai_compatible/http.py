"""The connection to one upstream: requests, their answers' bytes, and how long each may take."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from understudy.net.upstream_http import Answer, TooSlowError, UpstreamHttpClient, UpstreamHttpError

from .errors import UpstreamError, UpstreamTimeoutError

# Seconds in which an unused connection is closed: servers here close theirs after five.
_KEEP_ALIVE: Final = 4.0
# Seconds that the end of a finished answer may take to come, so that its connection can be used again.
_LINGER: Final = 1.0
# Bytes of an error's body that are read, and of an answer that is no stream.
_MOST_ERROR: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for the connection, from the request to the first event, and between two events."""

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 120.0


class Upstream:
    """`base_url` ends where `/chat/completions` begins. `api_key` is sent as a Bearer token; None sends none."""

    def __init__(self, base_url: str, api_key: str | None, timeouts: Timeouts) -> None:
        base_url = base_url.rstrip("/")
        headers = {"accept": "text/event-stream, application/json"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"

        def client(url: str) -> UpstreamHttpClient:
            return UpstreamHttpClient(url, headers=headers, connect_timeout=timeouts.connect, keep_alive=_KEEP_ALIVE)

        self.timeouts = timeouts
        self._client = client(base_url)
        # vLLM's own routes stand beside its /v1.
        self._beside = client(base_url.removesuffix("/v1"))
        self._draining: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close all connections."""
        for task in self._draining:
            task.cancel()
        await self._client.close()
        await self._beside.close()

    async def send(self, path: str, body: bytes, first_byte: float) -> Answer:
        """POST, and the answer as soon as its headers are there. The caller closes it.

        Raises UpstreamError where there is none, UpstreamTimeoutError after `first_byte` seconds.
        """
        client = self._beside if path == "/tokenize" else self._client
        try:
            return await client.post(path, body, first_byte=first_byte)
        except TooSlowError as error:
            raise UpstreamTimeoutError from error
        except (UpstreamHttpError, ValueError) as error:
            raise UpstreamError("The model's server cannot be reached.") from error

    async def body(self, answer: Answer, most: int = _MOST_ERROR) -> bytes:
        """What is left of the body, as far as `most` bytes, or as it comes in time."""
        found = bytearray()
        answer.allow(self.timeouts.idle)
        try:
            while len(found) < most:
                piece = await answer.read()
                if not piece:
                    break
                found += piece
        except UpstreamHttpError:
            pass
        return bytes(found)

    def drain(self, answer: Answer) -> None:
        """Read the end of an answer that is whole, so that its connection can be used again."""
        if answer.ended:
            return

        async def to_the_end() -> None:
            answer.allow(_LINGER)
            try:
                while await answer.read():
                    pass
            except UpstreamHttpError:
                pass
            finally:
                answer.close()

        task = asyncio.get_running_loop().create_task(to_the_end())
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)


async def read(answer: Answer) -> bytes:
    """The next bytes; none at the end. Raises UpstreamError where the connection broke, UpstreamTimeoutError."""
    try:
        return await answer.read()
    except TooSlowError as error:
        raise UpstreamTimeoutError from error
    except UpstreamHttpError as error:
        raise UpstreamError("The model's server broke its answer off.") from error
