"""What a passing answer cost, as the request's record and those of the other models that the upstream asked for it.

The numbers on top of an answer's usage leave out summaries and other models (observed); `usage.iterations` has them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from understudy.engines.claude import Iteration, Observed
from understudy.http.record import RequestRecord
from understudy.messages import consulting, falling_back
from understudy.wire.ids import new_id

_SUMMARY: Final = "compaction"
_ADVICE: Final = "advisor_message"
_SERVED: Final = "fallback_message"
_METHODS: Final = {_ADVICE: consulting.METHOD, "message": falling_back.METHOD}
"""As our own calls of other models are recorded."""


def note(record: RequestRecord, observed: Observed) -> None:
    """Fill in `record`, once, when no more of the answer comes."""
    record.message_id = observed.message_id
    record.stop_reason = observed.stop_reason
    record.service_tier = observed.service_tier
    record.inference_geo, record.speed = observed.inference_geo, observed.speed
    record.web_search_requests = observed.web_search_requests
    record.web_fetch_requests = observed.web_fetch_requests
    # A request that was answered has asked a model, also where the upstream does not say how many tokens that took.
    record.input_tokens = observed.input_tokens or 0
    record.output_tokens = observed.output_tokens or 0
    record.cache_read_input_tokens = observed.cache_read_input_tokens
    record.cache_creation_5m_input_tokens = observed.cache_creation_5m_input_tokens
    record.cache_creation_1h_input_tokens = observed.cache_creation_1h_input_tokens
    served = next((one for one in reversed(observed.iterations) if one.kind == _SERVED), None)
    asked = record.model
    if served is not None and served.model is not None:
        record.model = served.model
    # Where another model has answered, those before it have declined.
    others = {_ADVICE} if served is None else {_ADVICE, "message"}
    for one in observed.iterations:
        if one.kind == _SUMMARY:
            _add(record, one)
        elif one.kind in others:
            record.further += (_further(record, one, one.model or asked),)


def _add(record: RequestRecord, one: Iteration) -> None:
    record.input_tokens = (record.input_tokens or 0) + one.input_tokens
    record.output_tokens = (record.output_tokens or 0) + one.output_tokens
    record.cache_read_input_tokens += one.cache_read_input_tokens
    record.cache_creation_5m_input_tokens += one.cache_creation_5m_input_tokens
    record.cache_creation_1h_input_tokens += one.cache_creation_1h_input_tokens


def _further(record: RequestRecord, one: Iteration, model: str | None) -> RequestRecord:
    """A call as a record of its own. How long it took, and how it ended, is not told."""
    return replace(
        record,
        request_id=new_id("req_"),
        method=_METHODS[one.kind],
        path=f"/v1/messages/{record.request_id}",
        status=200,
        model=model,
        upstream_model=model,
        message_id=None,
        stop_reason=None,
        duration=0.0,
        time_to_first_token=None,
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        cache_read_input_tokens=one.cache_read_input_tokens,
        cache_creation_5m_input_tokens=one.cache_creation_5m_input_tokens,
        cache_creation_1h_input_tokens=one.cache_creation_1h_input_tokens,
        web_search_requests=0,
        web_fetch_requests=0,
        limit_exceeded=None,
        further=(),
    )
