"""A Claude upstream as an engine, for what cannot be passed through byte by byte.

Messages requests are: `messages/forwarding` loses nothing of them. This engine answers the other ways to the same
models, batches and loops of server tools, through the same pipe as every other engine. What an engine's events cannot
say is lost on the way: the upstream's own signatures of thinking (its thinking does not go back to it), how many tokens
it wrote to its cache (they count as input), how many were thinking (estimated), its ids, and blocks of its server tools
(refused).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Final, cast

import orjson

from understudy import __version__
from understudy.engines.engine import EngineEvent, EngineTurn, PromptUsage
from understudy.wire.errors import ApiError

from .answer import Answer
from .errors import BROKE_OFF, NO_ANSWER, BadGatewayError, GatewayTimeoutError, failure_of, is_error, refusal_of
from .observing import count_of
from .reading import EventReader, frames_in
from .request import VERSION, Asked, upstream_request
from .responses import Response, Upstream

_COUNT_TIMEOUT: Final = 10.0
_ROOM: Final = 1 << 20
# What stands beside the prompt in a request that is only counted.
_NOT_COUNTED: Final = frozenset(
    {
        "inference_geo",
        "max_tokens",
        "metadata",
        "safeguards",
        "service_tier",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
    }
)


class ClaudeEngine:
    """POST /v1/messages of `upstream`, always as a stream. `name` is shown by `understudy-engine`. Who made `upstream`
    closes it."""

    def __init__(self, name: str, upstream: Upstream) -> None:
        self.name = name
        self.upstream = upstream
        self._ending: set[asyncio.Task[None]] = set()

    async def count(self, turn: EngineTurn) -> int | None:
        """As Counting.count. None where the upstream fails; what it refuses is raised."""
        # A turn that is only counted may have room for one token, and none for thinking.
        asked = upstream_request(replace(turn, max_tokens=max(turn.max_tokens, turn.request.get("max_tokens", _ROOM))))
        body = {name: value for name, value in asked.body.items() if name not in _NOT_COUNTED}
        try:
            async with asyncio.timeout(_COUNT_TIMEOUT):
                response = await self._send("/v1/messages/count_tokens", body, asked)
                try:
                    answer = await response.read()
                finally:
                    response.close()
        except (BadGatewayError, GatewayTimeoutError, TimeoutError):
            return None
        if response.status != 200:
            error = refusal_of(response.status, answer, response.headers, self.upstream.secret)
            # An upstream need not have the route, nor let us use it.
            if 400 <= error.status < 500 and error.status not in {401, 403, 404, 405}:
                raise error
            return None
        counted = _parsed(answer)
        if not isinstance(counted, dict):
            return None
        return count_of(cast("dict[str, Any]", counted).get("input_tokens")) or None

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        """As Engine.run. What the upstream refuses before its answer begins is raised before any batch."""
        asked = upstream_request(turn)
        settings, secret = self.upstream.settings, self.upstream.secret
        now = asyncio.get_running_loop().time
        due = now() + settings.first_byte_timeout
        response = await self._send("/v1/messages", asked.body, asked)
        reader = EventReader(model=None, request_id="", secret=secret)
        try:
            if response.status != 200:
                raise refusal_of(response.status, await response.read(), response.headers, secret)
            if not response.is_stream or not response.is_plain:
                raise await self._not_a_stream(response)
            answer = Answer(turn)
            begun = False
            while not reader.ended and not answer.over:
                whole = await _next(reader, response, answer, due)
                if whole is None:
                    break
                events: list[EngineEvent] = []
                if reader.begun:
                    due = now() + settings.idle_timeout
                    events += answer.billed(reader.observed)
                for data in frames_in(whole):
                    answer.take(_event(data), events)
                    if answer.over:
                        break
                if not turn.max_tokens:
                    # Nothing was asked for but that the prompt be read.
                    events = [event for event in events if isinstance(event, PromptUsage)]
                if events or (reader.begun and not begun):
                    begun = True
                    yield events
                if reader.failure is not None and not answer.over:
                    raise failure_of(reader.failure, response.headers)
            if not answer.ended and not answer.over:
                raise BadGatewayError(NO_ANSWER)
            yield answer.end()
        finally:
            if reader.ended and reader.failure is None:
                self._finish(response)
            else:
                response.close()

    async def _send(self, path: str, body: dict[str, Any], asked: Asked) -> Response:
        headers = {"anthropic-version": VERSION, "user-agent": f"understudy/{__version__}"}
        if asked.betas:
            headers["anthropic-beta"] = ",".join(asked.betas)
        return await self.upstream.ask(path, body, headers, model=body["model"])

    async def _not_a_stream(self, response: Response) -> ApiError:
        """An upstream that answers a stream with something else: an error with the wrong status, or garbage."""
        body = _parsed(await response.read())
        if not is_error(body):
            return BadGatewayError(NO_ANSWER)
        return failure_of(body, response.headers, self.upstream.secret)

    def _finish(self, response: Response) -> None:
        """Read the end of an answer that is whole, so that its connection can be used again; nobody waits for that."""
        task = asyncio.get_running_loop().create_task(response.finish())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _next(reader: EventReader, response: Response, answer: Answer, due: float) -> bytes | None:
    """The frames that the next bytes complete, None where there are no more.

    An answer that has said how it ends is whole, whatever follows or not.
    """
    try:
        try:
            async with asyncio.timeout_at(due):
                chunk = await response.chunk()
        except TimeoutError:
            raise GatewayTimeoutError from None
        if not chunk:
            raise BadGatewayError(BROKE_OFF)
        return reader.feed(chunk)
    except (BadGatewayError, GatewayTimeoutError):
        if answer.ended:
            return None
        raise


def _event(data: bytes) -> dict[str, Any]:
    event = _parsed(data)
    if not isinstance(event, dict):
        raise BadGatewayError(NO_ANSWER)
    return cast("dict[str, Any]", event)


def _parsed(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
