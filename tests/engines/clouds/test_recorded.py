"""What the real Bedrock answered, once more through our engine: by bytes, and as an engine's events.

The recordings are kept outside the repository; where they are absent the tests are skipped and say so.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from asgi import InProcess
from engines.clouds.fakes import bedrock, in_front_of, say_frames, say_json
from fake_claude import fake_claude
from recordings.test_recordings import EXCHANGES
from streams import check_stream, parse_sse
from understudy.engines.claude import ClaudeEngine
from understudy.wire.event_stream import encode_chunk


def recorded() -> list[dict[str, Any]]:
    """The exchanges of the Messages API; older ones are of Text Completions."""
    if not EXCHANGES.exists():
        return []
    with gzip.open(EXCHANGES, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if '"flavour": "bedrock"' in line]
    return [row for row in rows if "messages" in row["request_body"]]


ROWS = recorded()
pytestmark = pytest.mark.skipif(not ROWS, reason=f"the recorded exchanges are not here: {EXCHANGES}")
_PRIVATE = "amazon-bedrock-invocationMetrics"


def request_of(row: dict[str, Any]) -> dict[str, Any]:
    model = row["path"].split("/")[2]
    body = {name: value for name, value in row["request_body"].items() if not name.startswith("anthropic_")}
    return {"model": model, "max_tokens": 100, **body, "stream": "response_sse" in row}


def said(row: dict[str, Any]) -> Any:
    if "response_sse" in row:
        return say_frames(*(encode_chunk(json.dumps(event).encode()) for _, event in row["response_sse"]))
    return say_json(row["response_body"], row["status"], f"x-amzn-errortype: {exception_of(row)}")


def exception_of(row: dict[str, Any]) -> str:
    return row["response_headers"].get("x-amzn-errortype", "")


def test_there_are_streams_whole_answers_and_errors_among_them() -> None:
    assert sum("response_sse" in row for row in ROWS) >= 2
    assert sum(row["status"] == 200 and "response_body" in row for row in ROWS) >= 8


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
async def test_what_was_answered_passes(row: dict[str, Any]) -> None:
    request = request_of(row)
    with fake_claude(said(row)) as fake:
        async with in_front_of(bedrock(fake.url), names=[request["model"]]) as gateway:
            answer = await gateway.post(request)
    sent = json.loads(fake.asked[0].body)
    assert {name: sent[name] for name in row["request_body"] if name in sent} == row["request_body"] | {
        "anthropic_version": "bedrock-2023-05-31"
    }
    if row["status"] != 200:
        error = answer.json()["error"]
        assert (answer.status, error["type"]) == (row["status"], "invalid_request_error")
        assert error["message"] == row["response_body"]["message"]
    elif request["stream"]:
        events = [event for event in parse_sse(answer.body) if event["type"] != "ping"]
        expected = [event for _, event in row["response_sse"]]
        assert len(events) == len(expected)
        for one, other in zip(events[1:], expected[1:], strict=True):
            assert one == {name: value for name, value in other.items() if name != _PRIVATE}
        assert events[0]["message"] == {**expected[0]["message"], "model": request["model"]}
    else:
        assert answer.json() == {**row["response_body"], "model": request["model"]}


@pytest.mark.parametrize("row", [row for row in ROWS if "response_sse" in row], ids=lambda row: row["id"])
async def test_the_engine_makes_the_same_text_of_it(row: dict[str, Any]) -> None:
    request = {**request_of(row), "model": "claude-haiku-4-5"}
    with fake_claude(said(row)) as fake:
        upstream = bedrock(fake.url)
        answer = await InProcess(ClaudeEngine("aws", upstream)).post(request)
        await upstream.close()
    events = parse_sse(answer.body)
    check_stream(events)

    def texts(events: list[Any]) -> str:
        return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")

    assert texts(events) == texts([event for _, event in row["response_sse"]])
