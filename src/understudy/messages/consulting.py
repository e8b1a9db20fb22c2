"""Calls of other models that a request makes: each is a request of its own, limited and billed as such."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, cast

from understudy.engines.engine import PromptTooLongError
from understudy.engines.routing import Routing
from understudy.http.exchange import Exchange
from understudy.http.record import RequestRecord
from understudy.messages.kept import KeptExchange
from understudy.wire.errors import ApiError, InternalError
from understudy.wire.ids import new_id
from understudy.wire.json_text import to_json

METHOD: Final = "ADVISOR"
"""What stands for the method in the records of such calls."""

Run: TypeAlias = Callable[[Exchange, bytes, object], Awaitable[None]]
"""Answers a Messages request, whose body comes as it was sent and as it was parsed."""


class Consulting:
    """Implements the tools' OtherModels for the request of `exchange`. `run` answers as the request itself is
    answered: by the same model map, under the same limits."""

    def __init__(self, exchange: Exchange, routing: Routing, run: Run) -> None:
        self._exchange = exchange
        self._routing = routing
        self._run = run

    def most_tokens(self, model: str) -> int | None:
        route = self._routing.find(model)
        return None if route is None else route.model.max_tokens

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        asking = self._exchange
        assert asking.principal is not None, "a request was let in"
        background = asking.background if isinstance(asking, KeptExchange) else None
        record = RequestRecord(
            request_id=new_id("req_"),
            received_at=time.time(),
            method=METHOD,
            path=f"/v1/messages/{asking.record.request_id}",
            organization_id=asking.record.organization_id,
            workspace_id=asking.record.workspace_id,
            api_key_id=asking.record.api_key_id,
            anthropic_version=asking.version,
            user_agent=asking.record.user_agent,
            actor_id=asking.record.actor_id,
        )
        headers = {b"anthropic-version": asking.version.encode()}
        exchange = KeptExchange(asking.principal, asking.version, (), record, headers, background)
        try:
            await self._run(exchange, to_json(request).encode("utf-8", "surrogatepass"), request)
        except ApiError as error:
            record.status, record.error_type, record.limit_exceeded = error.status, error.type, error.exceeded
            raise
        except asyncio.CancelledError:
            # It took too long, or the client has gone.
            record.disconnected = True
            raise
        finally:
            record.duration = exchange.elapsed()
            if background is not None:
                record.service_tier = "batch"
            asking.record.further += (record,)
        answer = exchange.answer
        if answer is None:
            raise InternalError
        if record.status != 200:
            raise _of_upstream(record.status, answer)
        return answer


class _UpstreamError(ApiError):
    """What a Claude upstream answered with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status  # type: ignore[misc]


def _of_upstream(status: int, answer: dict[str, Any]) -> ApiError:
    message = str(cast("dict[str, Any]", answer.get("error") or {}).get("message", ""))
    # Nothing but its words tells this refusal from others; clients read them too.
    if status == 400 and message.startswith("prompt is too long"):
        return PromptTooLongError(message)
    return _UpstreamError(status, message)
