"""Scenarios in front of models that others answer for: what they answer, or break, needs nothing of an upstream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_claude import FakeClaude, Talk, fake_claude
from fake_openai import fake_openai, said
from servers import RunningServer, ServerStarter, start_server
from streams import check_stream, parse_sse

PATH = "/_understudy/scenarios"
MESSAGE = {
    "id": "msg_up",
    "type": "message",
    "role": "assistant",
    "model": "up",
    "content": [{"type": "text", "text": "from upstream"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 2},
}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "from upstream"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


def say(talk: Talk) -> None:
    if not json.loads(talk.asked.body).get("stream"):
        talk.whole(200, json.dumps(MESSAGE).encode())
        return
    talk.begin()
    for event in EVENTS:
        talk.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    talk.end()


@pytest.fixture(scope="module")
def upstream() -> Generator[FakeClaude]:
    with fake_claude(say) as fake:
        yield fake


@pytest.fixture(scope="module")
def running(upstream: FakeClaude, tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    directory = tmp_path_factory.mktemp("upstreams")
    path = directory / "understudy.toml"
    path.write_text(
        f"""
[engines.up]
kind = "claude"
base_url = "{upstream.url}"
api_key = "an upstream's key"
failures = 1

[engines.nowhere]
kind = "openai"
base_url = "http://127.0.0.1:9"
dialect = "vllm"

[[models.map]]
name = "claude-sonnet-5-5"
targets = [{{ engine = "up", model = "up" }}]

[[models.map]]
name = "both"
targets = [{{ engine = "up", model = "up" }}, {{ engine = "nowhere", model = "x", weight = 0 }}]

[[models.map]]
name = "away"
targets = [{{ engine = "nowhere", model = "x" }}]
""",
        "utf-8",
    )
    server = start_server(directory, "--config", str(path))
    yield server
    assert server.stop() == 0, server.printed()


@pytest.fixture
def admin(running: RunningServer, upstream: FakeClaude) -> Generator[httpx.Client]:
    upstream.asked.clear()
    with httpx.Client(base_url=running.url, headers={"x-api-key": running.admin_key}, trust_env=False) as client:
        client.delete(PATH).raise_for_status()
        yield client
        client.delete(PATH).raise_for_status()


def ask(running: RunningServer, model: str = "claude-sonnet-5-5", **more: Any) -> httpx.Response:
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}], **more}
    headers = {"x-api-key": running.api_key, "anthropic-version": "2023-06-01"}
    return httpx.post(f"{running.url}/v1/messages", json=body, headers=headers, trust_env=False)


def test_an_error_that_is_scripted_never_reaches_the_upstream(
    running: RunningServer, admin: httpx.Client, upstream: FakeClaude
) -> None:
    admin.post(PATH, json={"rules": [{"name": "busy", "times": 2, "answer": {"error": {"status": 529}}}]})
    assert [ask(running).status_code for _ in range(2)] == [529, 529]
    assert upstream.asked == []
    # And it says nothing of the upstream's health, which one failure would put aside here.
    answer = ask(running)
    assert answer.status_code == 200 and answer.json()["content"][0]["text"] == "from upstream"
    kept = admin.get(f"{PATH}/requests").json()["data"]
    assert [(one["rule"], one["status"]) for one in kept] == [("busy", 529), ("busy", 529), (None, 200)]
    assert kept[2]["body"]["messages"] == [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "both", "away"])
def test_a_scripted_answer_needs_no_upstream(
    running: RunningServer, admin: httpx.Client, upstream: FakeClaude, model: str
) -> None:
    admin.post(PATH, json={"rules": [{"name": "mine", "when": {"model": model}, "answer": "scripted"}]})
    whole = ask(running, model)
    assert whole.json()["content"] == [{"type": "text", "text": "scripted"}], whole.text
    assert whole.headers["understudy-engine"] == "scenario/mine"
    events = parse_sse(ask(running, model, stream=True).content)
    check_stream(events)
    assert upstream.asked == []
    assert admin.get(PATH).json()["rules"][0]["used"] == 2


def test_only_what_a_rule_is_for_is_kept_from_the_upstream(
    running: RunningServer, admin: httpx.Client, upstream: FakeClaude
) -> None:
    admin.post(
        PATH, json={"rules": [{"when": {"text": "Bye", "tool_result_for": "x", "has_tool": "y"}, "answer": "no"}]}
    )
    plain = ask(running).json()
    assert plain["content"][0]["text"] == "from upstream"
    # What is no message of anybody's is the upstream's to judge.
    for odd in ([5, "x"], [{"role": "user"}], [{"content": [3, {"type": "text"}, {"type": "tool_result"}]}]):
        assert ask(running, messages=odd).status_code == 200
    assert len(upstream.asked) == 4


def test_a_stream_of_the_upstream_is_broken_where_the_fault_says(
    running: RunningServer, admin: httpx.Client, upstream: FakeClaude
) -> None:
    fault = {"fault": {"kind": "error", "after_events": 3}}
    admin.post(PATH, json={"rules": [{"times": 3, "answer": fault}]})
    events = parse_sse(ask(running, stream=True).content)
    assert [event["type"] for event in events] == [*(event["type"] for event in EVENTS[:3]), "error"]
    assert events[-1]["error"]["type"] == "overloaded_error"
    # A second such, and the upstream would be left alone were it to blame.
    assert parse_sse(ask(running, stream=True).content)[-1]["error"]["type"] == "overloaded_error"
    assert ask(running).status_code == 529
    assert ask(running).status_code == 200
    assert len(upstream.asked) == 3


def test_a_connection_is_cut_before_and_within_what_the_upstream_says(
    running: RunningServer, admin: httpx.Client
) -> None:
    admin.post(PATH, json={"rules": [{"times": 1, "answer": {"fault": {"kind": "cut"}}}]})
    with pytest.raises(httpx.RemoteProtocolError):
        ask(running)
    admin.post(PATH, json={"rules": [{"times": 1, "answer": {"fault": {"kind": "cut", "after_events": 2}}}]})
    with pytest.raises(httpx.RemoteProtocolError):
        ask(running, stream=True)
    assert parse_sse(ask(running, stream=True).content)[-1]["type"] == "message_stop"


def test_what_is_scripted_for_thinking_of_the_upstream_is_answered(running: RunningServer, admin: httpx.Client) -> None:
    admin.post(PATH, json={"rules": [{"answer": "scripted"}]})
    thought = {"type": "thinking", "thinking": "", "signature": "c2lnbmVkIGVsc2V3aGVyZQ=="}
    history = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]
    assert ask(running, messages=history).json()["content"][0]["text"] == "scripted"


def test_requests_that_go_upstream_are_counted_once(
    running: RunningServer, admin: httpx.Client, upstream: FakeClaude
) -> None:
    admin.post(PATH, json={"rules": [{"when": {"nth": 2}, "answer": {"error": {"status": 500}}}]})
    assert [ask(running).status_code for _ in range(3)] == [200, 500, 200]
    assert len(upstream.asked) == 2


async def test_an_openai_compatible_server_has_scenarios_in_front(serve: ServerStarter, tmp_path: Path) -> None:
    path = tmp_path / "understudy.toml"
    async with fake_openai(script=lambda body: said("Hello.")) as fake:
        path.write_text(
            f"""
[engines.local]
kind = "openai"
base_url = "{fake.url}"

[[models.map]]
name = "m"
targets = [{{ engine = "local", model = "m" }}]
""",
            "utf-8",
        )
        server = await asyncio.to_thread(serve, "--config", str(path))
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
            rules = [{"times": 1, "answer": {"error": {"status": 529}}}]
            await client.post(PATH, json={"rules": rules}, headers={"x-api-key": server.admin_key})
            body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
            headers = {"x-api-key": server.api_key, "anthropic-version": "2023-06-01"}
            first = await client.post("/v1/messages", json=body, headers=headers)
            assert (first.status_code, fake.paths) == (529, [])
            assert (await client.post("/v1/messages", json=body, headers=headers)).status_code == 200
