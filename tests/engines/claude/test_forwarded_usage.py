"""What is recorded where an upstream has asked a model more than once for an answer that passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engines.claude.test_forwarding import REQUEST, STREAM, ask
from fake_claude import EVENTS, MESSAGE, Talk, frame
from understudy.engines.claude import Observed
from understudy.http.record import RequestRecord

Json = dict[str, Any]

FALLBACKS = {"fallbacks": [{"model": "other"}]}


def entry(kind: str, tokens: int, model: str | None = None) -> Json:
    """Of `usage.iterations`: `tokens` fresh, twice as many written to the cache, thrice read, four times as answer."""
    named = {} if model is None else {"model": model}
    return {
        "input_tokens": tokens,
        "output_tokens": 4 * tokens,
        "cache_read_input_tokens": 3 * tokens,
        "cache_creation_input_tokens": 2 * tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": tokens, "ephemeral_1h_input_tokens": tokens},
        "type": kind,
        **named,
    }


def counts(record: RequestRecord) -> tuple[int | None, ...]:
    return (
        record.input_tokens,
        record.cache_creation_5m_input_tokens,
        record.cache_creation_1h_input_tokens,
        record.cache_read_input_tokens,
        record.output_tokens,
    )


async def recorded(iterations: Any, *, stream: bool, **more: Any) -> RequestRecord:
    whole = {**MESSAGE, "usage": {**MESSAGE["usage"], "iterations": iterations}}

    def say(talk: Talk) -> None:
        if not stream:
            talk.whole(200, json.dumps(whole).encode())
            return
        talk.begin()
        for event in EVENTS:
            if event["type"] == "message_delta":
                event = {**event, "usage": {**event["usage"], "iterations": iterations}}
            talk.chunk(frame(event))
        talk.end()

    answer, gateway, _ = await ask(say, {**(STREAM if stream else REQUEST), **more})
    assert answer.status == 200
    (record,) = gateway.records.kept
    return record


BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@BOTH
async def test_advice_has_a_record_of_its_own_model(stream: bool) -> None:
    record = await recorded([entry("message", 11), entry("advisor_message", 100, "claude-opus-5")], stream=stream)
    alone = await recorded([], stream=stream)
    assert (record.model, counts(record)) == ("public", counts(alone))
    (advice,) = record.further
    assert (advice.method, advice.model, advice.status) == ("ADVISOR", "claude-opus-5", 200)
    assert counts(advice) == (100, 100, 100, 300, 400)
    assert advice.path == f"/v1/messages/{record.request_id}" and advice.request_id != record.request_id
    assert (advice.organization_id, advice.message_id, advice.further) == (record.organization_id, None, ())


@BOTH
async def test_a_summary_is_billed_to_the_request(stream: bool) -> None:
    alone = counts(await recorded([entry("message", 11)], stream=stream))
    record = await recorded([entry("compaction", 1_000), entry("message", 11)], stream=stream)
    more = (1_000, 1_000, 1_000, 3_000, 4_000)
    assert counts(record) == tuple((own or 0) + one for own, one in zip(alone, more, strict=True))
    assert record.further == ()


@BOTH
async def test_the_model_that_served_is_billed_and_those_that_declined_by_themselves(stream: bool) -> None:
    iterations = [entry("message", 7), entry("message", 8, "middle"), entry("fallback_message", 11, "other")]
    record = await recorded(iterations, stream=stream, **FALLBACKS)
    assert (record.model, counts(record)) == ("other", counts(await recorded([], stream=stream)))
    declined = [(one.method, one.model, one.input_tokens) for one in record.further]
    assert declined == [("DECLINED", "public", 7), ("DECLINED", "middle", 8)]


@BOTH
@pytest.mark.parametrize("nonsense", [None, 5, "x", {}, [None, 5, {}, {"type": 5, "input_tokens": -3, "model": []}]])
async def test_iterations_that_are_none_change_nothing(stream: bool, nonsense: Any) -> None:
    record = await recorded(nonsense, stream=stream)
    assert (counts(record), record.further) == (counts(await recorded([], stream=stream)), ())


def test_no_upstream_makes_more_records_than_there_can_be() -> None:
    observed = Observed()
    observed.usage({"iterations": [entry("advisor_message", 1, "x")] * 10_000})
    assert len(observed.iterations) == 200
