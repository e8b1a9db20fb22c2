"""One request of a batch: the same turn as one over HTTP, and a line of the results in the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import orjson
import structlog

from understudy.batches.batch import Batch
from understudy.batches.caller import caller_of
from understudy.engines.engine import Background
from understudy.http.principal import Principal
from understudy.http.record import RequestRecord
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.kept import KeptExchange
from understudy.wire.errors import ApiError, InternalError, InvalidRequestError
from understudy.wire.ids import new_id
from understudy.wire.validation import parse_json

Kind: TypeAlias = Literal["succeeded", "errored", "canceled", "expired"]

METHOD: Final = "BATCH"
"""The method of a batch's requests in the request log. They came over no HTTP."""

_HEAD: Final = b'{"custom_id":"'
_MIDDLE: Final = b'","params":'

# Recorded 2026-09. The second follows the first [guess]: only that it is refused is documented.
_NO_STREAM: Final = '"stream=True" is not supported in the Message Batches API'
_NO_SPEED: Final = '"speed" is not supported in the Message Batches API'

_log = structlog.stdlib.get_logger("understudy.batches")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`line` is a line of the results, without its newline. `record` is what is billed and logged."""

    kind: Kind
    line: bytes
    record: RequestRecord


class TryAgain(Exception):  # noqa: N818
    """It could not be answered now, and that was not its own fault.

    `after`: seconds that it was told to wait. `limited`: it was let in by no limit, which others of its workspace would
    meet too. `last` is the outcome where it is not tried again.
    """

    def __init__(self, last: Outcome, error: ApiError) -> None:
        self.last = last
        self.status = error.status
        self.limited = error.exceeded is not None
        self.after = _seconds(error.headers.get("retry-after"))
        super().__init__(error.type)


@dataclass(frozen=True, slots=True)
class Sender:
    """What all requests of a batch have in common."""

    batch_id: str
    principal: Principal
    version: str
    betas: tuple[str, ...]
    headers: dict[bytes, bytes]


def sender_of(batch: Batch) -> Sender:
    """The sender of a batch's requests."""
    betas: list[str] = orjson.loads(batch.betas)
    headers = {b"anthropic-version": batch.anthropic_version.encode()}
    if betas:
        headers[b"anthropic-beta"] = ",".join(betas).encode()
    return Sender(batch.id, caller_of(batch), batch.anthropic_version, tuple(betas), headers)


def custom_id_of(line: bytes) -> str:
    """The custom_id in a line of the requests."""
    return line[len(_HEAD) : line.index(b'"', len(_HEAD))].decode()


def result_line(custom_id: str, result: dict[str, Any]) -> bytes:
    """A line of the results, without its newline."""
    return orjson.dumps({"custom_id": custom_id, "result": result})


class Item:
    """A request on its way."""

    __slots__ = ("_background", "_endpoints", "_exchange", "_params", "custom_id")

    def __init__(self, endpoints: MessagesEndpoints, sender: Sender, line: bytes) -> None:
        end = line.index(b'"', len(_HEAD))
        self._endpoints = endpoints
        self._params = line[end + len(_MIDDLE) : -1]
        self.custom_id = line[len(_HEAD) : end].decode()
        principal = sender.principal
        record = RequestRecord(
            request_id=new_id("req_"),
            received_at=time.time(),
            method=METHOD,
            path=f"/v1/messages/batches/{sender.batch_id}/{self.custom_id}",
            organization_id=principal.organization_id,
            workspace_id=principal.workspace_id,
            api_key_id=principal.api_key_id,
            anthropic_version=sender.version,
            actor_id=principal.actor_id,
        )
        self._background = Background()
        self._exchange = KeptExchange(principal, sender.version, sender.betas, record, sender.headers, self._background)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a place at its engine, and nothing of it has begun."""
        return self._background.waiting and not self._background.begun

    async def run(self) -> Outcome:
        """Raises TryAgain."""
        exchange = self._exchange
        record = exchange.record
        try:
            params = parse_json(self._params)
            _check(params)
            await self._endpoints.run(exchange, self._params, params)
        except ApiError as error:
            return self._failed(error)
        except Exception:
            _log.exception("internal error", request_id=record.request_id)
            return self._failed(InternalError())
        record.duration = exchange.elapsed()
        answer = exchange.answer
        if answer is None:
            return self._failed(InternalError())
        if record.status != 200:
            return self._failed(_of_upstream(record.status, answer, exchange.answer_headers))
        record.service_tier = "batch"
        if isinstance(answer.get("usage"), dict):
            # An upstream that was asked as any client asks it says standard.
            answer["usage"]["service_tier"] = "batch"
        line = result_line(self.custom_id, {"type": "succeeded", "message": answer})
        return Outcome("succeeded", line, record)

    def _failed(self, error: ApiError) -> Outcome:
        record = self._exchange.record
        record.duration = self._exchange.elapsed()
        record.status, record.error_type = error.status, error.type
        if error.exceeded is not None:
            record.limit_exceeded = error.exceeded
        body = {
            # As recorded; the id of a request over HTTP does not exist, and theirs is null too.
            "details": {"error_visibility": "user_facing", **(error.details or {})},
            "type": error.type,
            "message": error.message,
        }
        result = {"type": "errored", "error": {"type": "error", "error": body, "request_id": None}}
        outcome = Outcome("errored", result_line(self.custom_id, result), record)
        if error.exceeded is not None or error.status == 429 or error.status >= 500:
            raise TryAgain(outcome, error)
        return outcome


def _check(params: object) -> None:
    """What batches do not take, and what POST /v1/messages would."""
    if isinstance(params, dict):
        if params.get("stream") is True:  # pyright: ignore[reportUnknownMemberType]
            raise InvalidRequestError(_NO_STREAM)
        if params.get("speed") is not None:  # pyright: ignore[reportUnknownMemberType]
            raise InvalidRequestError(_NO_SPEED)


class _UpstreamError(ApiError):
    """What a Claude upstream answered with, as it reached us."""

    def __init__(self, status: int, kind: str, message: str, headers: dict[str, str]) -> None:
        super().__init__(message, headers=headers)
        self.status = status  # type: ignore[misc]
        self.type = kind  # type: ignore[misc]


def _of_upstream(status: int, answer: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> ApiError:
    error: dict[str, Any] = answer.get("error") or {}
    told = {name.decode(): value.decode("latin-1") for name, value in headers}
    return _UpstreamError(status, str(error.get("type", "api_error")), str(error.get("message", "")), told)


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text)) if text else 0.0
    except ValueError:
        return 0.0
