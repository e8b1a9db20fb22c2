"""What the Message Batches API takes, and its answers: examples made by the code that makes the real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict

from understudy.batches.batch import Batch
from understudy.batches.requests import BatchRequest
from understudy.batches.shapes import deleted_batch, message_batch, page_of_batches
from understudy.wire.events import ErrorEvent, Message
from understudy.wire.requests.params import MessageCreateParams

_RUNNING = Batch(
    *("msgbatch_0", "", "", None, "{}", "2026-10-21", "[]", "in_progress", 1, 1.8e9, 1.8e9 + 86_400),
    *(None, None, None, 0, 0, 0, 0, "", None),
)
_CANCELING = replace(_RUNNING, status="canceling", cancel_initiated_at=1.8e9)
_ENDED = replace(_CANCELING, status="ended", ended_at=1.8e9)


class _Request(TypedDict):
    """BatchRequest, with what `params` are judged as when they are carried out."""

    custom_id: str
    params: MessageCreateParams


assert _Request.__annotations__.keys() == BatchRequest.__annotations__.keys()


class MessageBatchCreateParams(TypedDict):
    """The body of POST /v1/messages/batches."""

    requests: list[_Request]


class _Succeeded(TypedDict):
    type: Literal["succeeded"]
    message: Message


class _Errored(TypedDict):
    type: Literal["errored"]
    error: ErrorEvent


class _Canceled(TypedDict):
    type: Literal["canceled"]


class _Expired(TypedDict):
    type: Literal["expired"]


_Result: TypeAlias = _Succeeded | _Errored | _Canceled | _Expired


class BatchResult(TypedDict):
    """A line of the results."""

    custom_id: str
    result: _Result


def batches() -> list[Any]:
    return [
        message_batch(batch, "u", archived) for batch in (_RUNNING, _CANCELING, _ENDED) for archived in (None, 1.9e9)
    ]


def pages_of_batches() -> list[Any]:
    return [page_of_batches(batches(), more=True), page_of_batches([], more=False)]


def deleted_batches() -> list[Any]:
    return [deleted_batch("msgbatch_0")]
