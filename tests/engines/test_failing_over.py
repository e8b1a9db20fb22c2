"""What is counted before an engine is asked may not keep the next target of a chain from answering."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_claude import Talk, fake_claude
from servers import RunningServer, start_server

MODEL = "claude-sonnet-4-5"
QUESTION: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def fails(talk: Talk) -> None:
    talk.whole(500, b'{"type": "error", "error": {"type": "api_error", "message": "no"}}')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    """`dead` leads to a llama-server that is not there, and the catalog's model to a Claude upstream that fails; behind
    each stands the simulator."""
    directory = tmp_path_factory.mktemp("failing")
    path: Path = directory / "understudy.toml"
    with fake_claude(fails) as upstream:
        path.write_text(
            f"""
[engines.gone]
kind = "llamacpp"
base_url = "http://127.0.0.1:9"

[engines.up]
kind = "claude"
base_url = "{upstream.url}"
failures = 1000

[[models.map]]
name = "dead"
targets = [{{ engine = "gone", model = "m" }}, {{ engine = "simulator", model = "{MODEL}", weight = 0 }}]

[[models.map]]
name = "alone"
targets = [{{ engine = "gone", model = "m" }}]

[[models.map]]
name = "{MODEL}"
targets = [{{ engine = "up", model = "m" }}, {{ engine = "simulator", model = "{MODEL}", weight = 0 }}]
""",
            "utf-8",
        )
        running = start_server(directory, "--config", str(path))
        yield running
        assert running.stop() == 0, running.printed()


def post(server: RunningServer, body: dict[str, Any], path: str = "/v1/messages") -> httpx.Response:
    headers = {"x-api-key": server.api_key, "anthropic-version": "2023-06-01"}
    return httpx.post(server.url + path, json=body, headers=headers, timeout=30)


@pytest.mark.parametrize("cached", [False, True])
def test_an_engine_that_counts_and_is_gone_does_not_keep_the_next_one_from_answering(
    server: RunningServer, cached: bool
) -> None:
    # As often as it takes for the broken one to be left alone, and once more.
    for _ in range(6):
        body: dict[str, Any] = {"model": "dead", "max_tokens": 9, "messages": QUESTION}
        if cached:
            body["system"] = [{"type": "text", "text": "word " * 3_000, "cache_control": {"type": "ephemeral"}}]
        answer = post(server, body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["understudy-engine"] == f"simulator/{MODEL}"
        assert answer.json()["usage"]["input_tokens"] > 0


def test_tokens_are_counted_here_where_the_engine_that_counts_is_gone(server: RunningServer) -> None:
    answer = post(server, {"model": "dead", "messages": QUESTION}, "/v1/messages/count_tokens")
    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] > 0


def test_an_engine_that_is_alone_and_gone_is_an_error(server: RunningServer) -> None:
    assert post(server, {"model": "alone", "max_tokens": 9, "messages": QUESTION}).status_code == 500
    assert post(server, {"model": "alone", "messages": QUESTION}, "/v1/messages/count_tokens").status_code == 500


def test_tokens_of_a_conversation_with_an_upstreams_thinking_are_counted_where_the_upstream_fails(
    server: RunningServer,
) -> None:
    foreign = {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCkYIARABGAIiQ"}
    answered = {"role": "assistant", "content": [foreign, {"type": "text", "text": "Hello."}]}
    body = {"model": MODEL, "messages": [*QUESTION, answered, *QUESTION]}
    answer = post(server, {**body, "max_tokens": 9})
    assert answer.status_code == 200, answer.text
    counted = post(server, body, "/v1/messages/count_tokens")
    assert counted.status_code == 200, counted.text
    assert counted.json()["input_tokens"] == answer.json()["usage"]["input_tokens"]
