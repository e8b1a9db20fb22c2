"""A chain of targets as one engine: who asks it need not know that there are several."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog

from understudy.engines.engine import BusyError, EngineEvent, EngineTurn
from understudy.wire.errors import ApiError, InternalError

from .chain import Chain, Choice, Target

_log = structlog.stdlib.get_logger("understudy.routing")


class PassOn(Exception):  # noqa: N818
    """The next target takes bytes, not turns: nothing was sent yet, so the request goes there. `Choice` holds it."""


class RoutedEngine:
    """Asks one target after the other until one begins to answer; `turn.model` then says which.

    With a `choice` the way along the chain has begun elsewhere; who made it ends it.
    """

    def __init__(self, chain: Chain, choice: Choice | None = None) -> None:
        self.name = chain.targets[0].model.engine
        self._chain = chain
        self._choice = choice

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        """As Engine.run. Raises PassOn where bytes are to be passed on."""
        choice = self._choice
        if choice is None:
            choice = self._chain.choose(turn.background, turn.model if turn.goes_on else None)
        # One generator, not one for each part of this: every event goes through each of them.
        try:
            while True:
                target = await choice.next()
                # Bytes lose nothing; but only who has begun the way elsewhere has bytes to pass.
                if target.claude is not None and self._choice is not None:
                    raise PassOn
                assert target.engine is not None
                turn.model = target.model
                async with aclosing(target.engine.run(turn)) as batches:
                    try:
                        first = await anext(batches)
                    except Exception as error:
                        failure = _as_api_error(error, target)
                        if not choice.failed(failure.status, failure.type, busy=isinstance(error, BusyError)):
                            raise failure from None
                        log_attempt(choice)
                        continue
                    choice.passed()
                    yield first
                    try:
                        async for batch in batches:
                            yield batch
                    except Exception as error:
                        failure = _as_api_error(error, target)
                        choice.failed(failure.status, failure.type, busy=isinstance(error, BusyError))
                        raise failure from None
                    return
        finally:
            if self._choice is None:
                choice.end()


def log_attempt(choice: Choice, request_id: str | None = None) -> None:
    """Tell of the newest target that failed, where the request goes on."""
    attempt = choice.attempts[-1]
    _log.warning(
        "a target failed, the next is tried",
        engine=attempt.engine,
        upstream_model=attempt.upstream,
        status=attempt.status,
        error_type=attempt.error_type,
        request_id=request_id,
    )


def _as_api_error(error: Exception, target: Target) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if not isinstance(error, StopAsyncIteration):
        _log.error("an engine broke", engine=target.model.engine, exc_info=error)
    return InternalError()
