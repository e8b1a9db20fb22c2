"""Two servers, each a process: one uses Claude in the clouds, and the other is those clouds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic, APIStatusError, beta_tool

from clouds.served import ACCESS_KEY, SECRET, TOKENS
from servers import RunningServer, clean_environment, start_server
from streams import check_stream, parse_sse

SERVED = f"""
[[clouds.aws_keys]]
access_key_id = "{ACCESS_KEY}"
secret_access_key = "{SECRET}"

[[clouds.tokens]]
cloud = "vertex"
token = "{TOKENS["vertex"]}"
"""


def used(url: str) -> str:
    return f"""
[engines.aws]
kind = "bedrock"
region = "us-east-1"
base_url = "{url}/bedrock"

[engines.google]
kind = "vertex"
region = "us-east5"
project = "a-project"
base_url = "{url}/vertex/v1"
api_key = "{TOKENS["vertex"]}"

[engines.dead]
kind = "claude"
base_url = "http://127.0.0.1:9"
api_key = "k"

[[models.map]]
name = "claude-haiku-4-5"
targets = [{{ engine = "aws", model = "*" }}]

[[models.map]]
name = "claude-opus-5-5"
targets = [{{ engine = "google", model = "*" }}]

[[models.map]]
name = "claude-opus-4-8"
targets = [
  {{ engine = "dead", model = "*" }},
  {{ engine = "aws", model = "us.anthropic.claude-opus-4-8", weight = 0 }},
]
"""


KEYS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """The file of the server that uses the clouds."""
    directory = tmp_path_factory.mktemp("clouds")
    (directory / "served.toml").write_text(SERVED)
    clouds = start_server(directory / "clouds", "--config", str(directory / "served.toml"))
    try:
        (directory / "used.toml").write_text(used(clouds.url))
        yield directory / "used.toml"
    finally:
        clouds.stop()


@pytest.fixture(scope="module")
def front(config: Path) -> Generator[RunningServer]:
    server = start_server(config.parent / "front", "--config", str(config), env=KEYS)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def client(front: RunningServer) -> Generator[Anthropic]:
    with Anthropic(base_url=front.url, api_key=front.api_key, max_retries=0, timeout=30) as client:
        yield client


MODELS = ["claude-haiku-4-5", "claude-opus-5-5"]
HELLO: Any = [{"role": "user", "content": "Tell me of the sea."}]
WEATHER: Any = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.mark.parametrize("model", MODELS)
def test_whole_answers_and_streams_pass_and_say_who_gave_them(client: Anthropic, model: str) -> None:
    raw = client.messages.with_raw_response.create(model=model, max_tokens=200, messages=HELLO)
    whole = raw.parse()
    cloud, prefix = ("aws", "msg_bdrk_") if model == MODELS[0] else ("google", "msg_vrtx_")
    assert raw.headers["understudy-engine"] == f"{cloud}/{model}"
    assert whole.id.startswith(prefix) and whole.usage.output_tokens > 5
    with client.messages.with_streaming_response.create(
        model=model, max_tokens=200, messages=HELLO, stream=True
    ) as response:
        body = response.read()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = parse_sse(body)
    check_stream(events)
    assert events[0]["message"]["id"].startswith(prefix) and b"amazon" not in body
    with client.messages.stream(model=model, max_tokens=200, messages=HELLO) as stream:
        assert stream.get_final_text() == "".join(block.text for block in whole.content if block.type == "text")


@pytest.mark.parametrize("model", MODELS)
def test_a_tool_loop_ends(client: Anthropic, model: str) -> None:
    called: list[str] = []

    @beta_tool
    def get_weather(city: str) -> str:
        """Look up the weather of a city.

        Args:
            city: The city's name.
        """
        called.append(city)
        return json.dumps({"city": city, "temperature": 18})

    runner = client.beta.messages.tool_runner(
        model=model,
        max_tokens=500,
        tools=[get_weather],
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    )
    assert runner.until_done().stop_reason == "end_turn" and called


@pytest.mark.parametrize("model", MODELS)
def test_thinking_that_the_cloud_signed_goes_back_to_it(client: Anthropic, model: str) -> None:
    kind: Any = {"type": "adaptive"} if model == "claude-opus-5-5" else {"type": "enabled", "budget_tokens": 1024}
    request: Any = {"model": model, "max_tokens": 3_000, "thinking": kind, "tools": [WEATHER]}
    question: Any = {"role": "user", "content": "What is the weather in Paris?"}
    with client.messages.stream(**request, messages=[question]) as stream:
        first = stream.get_final_message()
    assert any(block.type == "thinking" and block.signature for block in first.content)
    (call,) = [block for block in first.content if block.type == "tool_use"]
    result: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "18"}]}
    said: Any = {"role": "assistant", "content": first.content}
    assert client.messages.create(**request, messages=[question, said, result]).stop_reason == "end_turn"


@pytest.mark.parametrize("model", MODELS)
def test_tokens_are_counted_there(client: Anthropic, model: str) -> None:
    count = client.messages.count_tokens(model=model, messages=HELLO).input_tokens
    assert count == client.messages.create(model=model, max_tokens=5, messages=HELLO).usage.input_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_what_the_cloud_refuses_is_told_in_the_apis_form(client: Anthropic, model: str) -> None:
    wrong: Any = [{"role": "nobody", "content": "x"}]
    with pytest.raises(APIStatusError) as caught:
        client.messages.create(model=model, max_tokens=5, messages=wrong)
    assert caught.value.status_code == 400
    body: Any = caught.value.body
    assert body["error"]["type"] == "invalid_request_error" and body["request_id"] == caught.value.request_id


def test_a_dead_upstream_is_followed_by_the_cloud(client: Anthropic) -> None:
    raw = client.messages.with_raw_response.create(model="claude-opus-4-8", max_tokens=50, messages=HELLO)
    assert raw.headers["understudy-engine"] == "aws/us.anthropic.claude-opus-4-8"


def test_a_long_prompt_is_signed_and_streamed(client: Anthropic) -> None:
    """Beyond what is translated on the spot."""
    long: Any = [{"role": "user", "content": "word " * 80_000 + "Tell me of the sea."}]
    with client.messages.stream(model=MODELS[0], max_tokens=50, messages=long) as stream:
        assert stream.get_final_message().usage.input_tokens > 60_000


@pytest.mark.parametrize("model", MODELS)
def test_openais_flavour_reaches_the_clouds(front: RunningServer, model: str) -> None:
    answer = httpx.post(
        front.url + "/v1/chat/completions",
        headers={"authorization": f"Bearer {front.api_key}"},
        json={"model": model, "messages": HELLO, "max_completion_tokens": 100},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]


def test_batches_reach_the_clouds(client: Anthropic) -> None:
    requests: Any = [
        {"custom_id": model, "params": {"model": model, "max_tokens": 50, "messages": HELLO}} for model in MODELS
    ]
    batch = client.messages.batches.create(requests=requests)
    deadline = time.monotonic() + 20
    while client.messages.batches.retrieve(batch.id).processing_status != "ended":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    results = list(client.messages.batches.results(batch.id))
    assert {one.custom_id: one.result.type for one in results} == dict.fromkeys(MODELS, "succeeded")


def doctor(config: Path, directory: Path) -> str:
    command = [sys.executable, "-m", "understudy", "doctor", "--config", str(config), "--data-dir", str(directory)]
    env = clean_environment({**KEYS, "UNDERSTUDY_SERVER_PORT": "0"})
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False).stdout


def test_doctor_tries_the_credentials_of_each_upstream(config: Path, tmp_path: Path) -> None:
    told = doctor(config, tmp_path)
    assert "ok       the engine aws: Bedrock in us-east-1 accepts its credentials" in told
    assert "ok       the engine google: a token is configured, for a-project in us-east5" in told
    assert "missing  the engine dead: http://127.0.0.1:9/v1/models cannot be reached" in told
