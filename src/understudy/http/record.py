"""What is remembered of one request. `usage` implements the RequestLog; `app` plugs it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class RequestRecord:
    """One request of any route, filled in while it is served and handed to the RequestLog exactly once, at its end.

    Times are seconds: `received_at` since the epoch, `duration` and `time_to_first_token` from the request's first
    byte of headers. Token counts are None where no model was asked. `limit_exceeded` is the limit that refused the
    request, or would have if it were enforced (see limits/refusals.py). `further` are the calls of other models that
    the request made, each billed by itself: they are no requests over HTTP. Bodies, keys and prompts never stand here.
    """

    request_id: str
    received_at: float
    method: str
    path: str
    status: int = 0
    duration: float = 0.0
    error_type: str | None = None
    organization_id: str | None = None
    workspace_id: str | None = None
    api_key_id: str | None = None
    anthropic_version: str | None = None
    user_agent: str | None = None
    # Filled in by routes that ask a model.
    model: str | None = None
    engine: str | None = None
    upstream_model: str | None = None
    message_id: str | None = None
    stream: bool = False
    stop_reason: str | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    time_to_first_token: float | None = None
    input_tokens: int | None = None
    cache_creation_5m_input_tokens: int = 0
    cache_creation_1h_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int | None = None
    disconnected: bool = False
    upstream_request_id: str | None = None
    limit_exceeded: str | None = None
    actor_id: str | None = None
    speed: str | None = None
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    further: tuple[RequestRecord, ...] = ()


class RequestLog(Protocol):
    def begin(self) -> None:
        """A request has come; `record` follows, whatever becomes of it."""
        ...

    def record(self, record: RequestRecord) -> None:
        """Remember a request that has ended. Returns at once: nothing is written on the request's path."""
        ...
