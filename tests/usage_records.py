"""Records of requests, for tests of what becomes of them."""

from __future__ import annotations

import time
from typing import Any

from understudy.http.record import RequestRecord
from understudy.wire.ids import new_id


def record(**changes: Any) -> RequestRecord:
    """The record of a request that asked a model."""
    values: dict[str, Any] = {
        "request_id": new_id("req_"),
        "received_at": time.time(),
        "method": "POST",
        "path": "/v1/messages",
        "status": 200,
        "duration": 0.25,
        "organization_id": "0b6d3b3a-4a4f-4d4f-9d4f-1f1f1f1f1f1f",
        "workspace_id": "wrkspc_011CabcdefghijklmnoABCDE",
        "api_key_id": "apikey_011CabcdefghijklmnoABCDE",
        "anthropic_version": "2023-06-01",
        "user_agent": "Anthropic/Python 2.12.0",
        "model": "claude-sonnet-4-5",
        "engine": "simulator",
        "upstream_model": "simulator-1",
        "message_id": new_id("msg_"),
        "stream": True,
        "stop_reason": "end_turn",
        "service_tier": "standard",
        "inference_geo": "global",
        "time_to_first_token": 0.05,
        "input_tokens": 10,
        "cache_creation_5m_input_tokens": 20,
        "cache_creation_1h_input_tokens": 30,
        "cache_read_input_tokens": 40,
        "output_tokens": 101,
        **changes,
    }
    return RequestRecord(**values)


def plain_record(**changes: Any) -> RequestRecord:
    """The record of a request that asked no model."""
    values: dict[str, Any] = {
        "request_id": new_id("req_"),
        "received_at": time.time(),
        "method": "GET",
        "path": "/livez",
        "status": 200,
        "duration": 0.001,
        **changes,
    }
    return RequestRecord(**values)
