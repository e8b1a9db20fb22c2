"""Requests as the official Java, Go, C#, Ruby and PHP SDKs send them, byte for byte over a socket."""

from __future__ import annotations

import http.client
import json
import zlib
from typing import Any

import pytest

from clients.other_sdks import MODEL, SDKS, TEXT, SdkRequest, requests
from servers import RunningServer

PLACEHOLDER = "the-server's-key"
REQUESTS = list(requests(PLACEHOLDER))
CREATES = [request for request in REQUESTS if not request.stream]
STREAMS = [request for request in REQUESTS if request.stream]


def send(server: RunningServer, request: SdkRequest) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name, and the body with transfer and content codings undone."""
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    try:
        connection.putrequest(request.method, request.path, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value.replace(PLACEHOLDER, server.api_key))
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, decoded(headers, response.read())
    finally:
        connection.close()


def decoded(headers: dict[str, str], body: bytes) -> bytes:
    coding = headers.get("content-encoding", "identity")
    if coding == "identity":
        return body
    assert coding in ("gzip", "deflate"), f"no SDK of these asked for {coding}"
    return zlib.decompress(body, wbits=zlib.MAX_WBITS | 32)


def parse_events(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Server-sent events, each of exactly one `event:` and one `data:` line that agree on the type."""
    assert body.endswith(b"\n\n")
    events: list[tuple[str, dict[str, Any]]] = []
    for block in body.decode().removesuffix("\n\n").split("\n\n"):
        event_line, data_line = block.split("\n")
        assert event_line.startswith("event: ")
        assert data_line.startswith("data: ")
        data = json.loads(data_line.removeprefix("data: "))
        assert data["type"] == event_line.removeprefix("event: ")
        events.append((data["type"], data))
    return events


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.language)
def test_the_table_holds_valid_json(sdk: Any) -> None:
    content = json.loads(sdk.body)["messages"][0]["content"]
    assert (content if isinstance(content, str) else content[0]["text"]) == TEXT


@pytest.mark.parametrize("request_", CREATES, ids=lambda request: request.name)
def test_a_create_is_answered_with_a_message(server: RunningServer, request_: SdkRequest) -> None:
    status, headers, body = send(server, request_)
    assert status == 200, body
    assert headers["content-type"] == "application/json"
    assert headers["request-id"].startswith("req_")
    message = json.loads(body)
    assert message["id"].startswith("msg_")
    assert (message["type"], message["role"]) == ("message", "assistant")
    assert message["model"].startswith(MODEL)
    assert message["content"][0]["type"] == "text"
    assert message["content"][0]["text"].strip()
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    assert message["usage"]["input_tokens"] > 0
    assert message["usage"]["output_tokens"] > 0


@pytest.mark.parametrize("request_", STREAMS, ids=lambda request: request.name)
def test_a_stream_follows_the_grammar(server: RunningServer, request_: SdkRequest) -> None:
    status, headers, body = send(server, request_)
    assert status == 200, body
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["request-id"].startswith("req_")
    events = [(name, data) for name, data in parse_events(body) if name != "ping"]
    names = [name for name, _ in events]
    assert names[:2] == ["message_start", "content_block_start"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(names[2:-3]) == {"content_block_delta"}
    start = events[0][1]["message"]
    assert start["id"].startswith("msg_")
    assert (start["content"], start["stop_reason"]) == ([], None)
    assert events[1][1]["index"] == 0
    assert events[1][1]["content_block"]["type"] == "text"
    assert events[1][1]["content_block"]["text"] == ""
    deltas = [data["delta"] for name, data in events if name == "content_block_delta"]
    assert {delta["type"] for delta in deltas} == {"text_delta"}
    assert "".join(delta["text"] for delta in deltas).strip()
    end = events[-2][1]
    assert end["delta"]["stop_reason"] == "end_turn"
    assert end["usage"]["output_tokens"] > 0
