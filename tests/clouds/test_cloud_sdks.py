"""The official SDK's clients of the clouds, and AWS's own SDK, over a socket: all they are told is the server's URL."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import anthropic
import boto3
import httpx
import pytest
from anthropic import AnthropicAWS, AnthropicFoundry, AsyncAnthropicFoundry
from anthropic.lib.bedrock import AnthropicBedrock, AnthropicBedrockMantle, AsyncAnthropicBedrock
from anthropic.lib.bedrock._stream_decoder import AWSEventStreamDecoder
from anthropic.lib.vertex import AnthropicVertex, AsyncAnthropicVertex
from anthropic.types import Message
from botocore.config import Config
from botocore.exceptions import ClientError

from clouds.served import ACCESS_KEY, BEDROCK_MODEL, REGION, SECRET, TO_BEDROCK, sign
from servers import RunningServer, ServerStarter, clean_environment, start_server

CONFIG = f"""
[[clouds.aws_keys]]
access_key_id = "{ACCESS_KEY}"
secret_access_key = "{SECRET}"

[[clouds.tokens]]
cloud = "vertex"
token = "ya29.a-token"

[[clouds.tokens]]
cloud = "foundry"
token = "a-key-of-foundry"
"""

TOOL: Any = {
    "name": "get_weather",
    "description": "Get the current weather in a given city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ASK: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
AWS: Any = {"aws_access_key": ACCESS_KEY, "aws_secret_key": SECRET, "aws_region": REGION, "max_retries": 0}
VERTEX: Any = {"project_id": "a-project", "region": "us-east5", "access_token": "ya29.a-token", "max_retries": 0}


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    directory: Path = tmp_path_factory.mktemp("clouds")
    config = directory / "understudy.toml"
    config.write_text(CONFIG, "utf-8")
    running = start_server(directory, "--config", str(config))
    yield running
    assert running.stop() == 0
    # Invariant 14.
    printed = running.printed(2_000_000)
    assert SECRET not in printed
    assert "ya29.a-token" not in printed
    for path in running.data_dir.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def workspace(server: RunningServer) -> str:
    headers = {"x-api-key": server.api_key, "anthropic-version": "2023-06-01"}
    body = {"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "Hi"}]}
    answer = httpx.post(server.url + "/v1/messages/count_tokens", headers=headers, json=body, trust_env=False)
    return answer.headers["anthropic-workspace-id"]


Made = Callable[[RunningServer], tuple[Any, str]]

CLIENTS: dict[str, Made] = {
    "bedrock": lambda on: (AnthropicBedrock(base_url=f"{on.url}/bedrock", **AWS), BEDROCK_MODEL),
    "bedrock, newer": lambda on: (
        AnthropicBedrock(base_url=f"{on.url}/bedrock", **AWS),
        "us.anthropic.claude-opus-5-5",
    ),
    "bedrock, by ARN": lambda on: (
        AnthropicBedrock(base_url=f"{on.url}/bedrock", **AWS),
        f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{BEDROCK_MODEL}",
    ),
    "bedrock, bearer": lambda on: (
        AnthropicBedrock(base_url=f"{on.url}/bedrock", api_key=on.api_key, aws_region=REGION, max_retries=0),
        "anthropic.claude-sonnet-4-6",
    ),
    "mantle": lambda on: (
        AnthropicBedrockMantle(base_url=f"{on.url}/bedrock/anthropic", **AWS),
        "anthropic.claude-haiku-4-5",
    ),
    "mantle, bearer": lambda on: (
        AnthropicBedrockMantle(
            base_url=f"{on.url}/bedrock/anthropic", api_key=on.api_key, aws_region=REGION, max_retries=0
        ),
        "anthropic.claude-opus-5-5",
    ),
    "vertex": lambda on: (AnthropicVertex(base_url=f"{on.url}/vertex/v1", **VERTEX), "claude-sonnet-4-5@20250929"),
    "vertex, newer": lambda on: (AnthropicVertex(base_url=f"{on.url}/vertex/v1", **VERTEX), "claude-opus-5-5"),
    "foundry": lambda on: (
        AnthropicFoundry(base_url=f"{on.url}/foundry/anthropic", api_key="a-key-of-foundry", max_retries=0),
        "claude-sonnet-4-6",
    ),
    "foundry, Entra": lambda on: (
        AnthropicFoundry(
            base_url=f"{on.url}/foundry/anthropic/", azure_ad_token_provider=lambda: on.api_key, max_retries=0
        ),
        "claude-opus-5-5",
    ),
    "aws": lambda on: (AnthropicAWS(base_url=f"{on.url}/aws", workspace_id=workspace(on), **AWS), "claude-opus-5-5"),
    "aws, key": lambda on: (
        AnthropicAWS(base_url=f"{on.url}/aws", workspace_id=workspace(on), api_key=on.api_key, max_retries=0),
        "claude-haiku-4-5",
    ),
}
_COUNTING = [name for name in CLIENTS if not name.startswith("bedrock")]


@pytest.fixture(params=list(CLIENTS))
def made(request: pytest.FixtureRequest, clouds: RunningServer) -> tuple[Any, str]:
    return CLIENTS[request.param](clouds)


def text(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def thinking(model: str) -> Any:
    if "opus-5-5" in model:
        return {"type": "adaptive", "display": "summarized"}
    return {"type": "enabled", "budget_tokens": 1_024}


def test_a_message_comes_whole_and_streamed(made: tuple[Any, str]) -> None:
    client, model = made
    whole = client.messages.create(model=model, max_tokens=200, messages=ASK)
    with client.messages.stream(model=model, max_tokens=200, messages=ASK) as stream:
        pieces = list(stream.text_stream)
        streamed = stream.get_final_message()
    assert text(whole) == text(streamed) == "".join(pieces) != ""
    assert whole.usage.output_tokens == streamed.usage.output_tokens > 0
    assert whole.usage.input_tokens == streamed.usage.input_tokens > 0
    assert whole.stop_reason == streamed.stop_reason == "end_turn"


def test_a_tool_loop_with_thinking(made: tuple[Any, str]) -> None:
    client, model = made
    with client.messages.stream(
        model=model, max_tokens=4_000, messages=ASK, tools=[TOOL], thinking=thinking(model)
    ) as stream:
        first = stream.get_final_message()
    assert first.stop_reason == "tool_use", first
    calls = [block for block in first.content if block.type == "tool_use"]
    assert "city" in calls[0].input
    assert any(block.type == "thinking" and block.signature for block in first.content)
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "18 °C, an otter in the rain"} for call in calls
    ]
    messages = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = client.messages.create(
        model=model, max_tokens=4_000, messages=messages, tools=[TOOL], thinking=thinking(model)
    )
    assert second.stop_reason == "end_turn"
    assert "otter" in text(second)


@pytest.mark.parametrize("name", _COUNTING)
def test_tokens_are_counted_as_they_are_used(clouds: RunningServer, name: str) -> None:
    client, model = CLIENTS[name](clouds)
    counted = client.messages.count_tokens(model=model, messages=ASK).input_tokens
    assert counted == client.messages.create(model=model, max_tokens=5, messages=ASK).usage.input_tokens


async def test_the_asynchronous_clients_do_as_well(clouds: RunningServer) -> None:
    made: list[tuple[Any, str]] = [
        (AsyncAnthropicBedrock(base_url=f"{clouds.url}/bedrock", **AWS), BEDROCK_MODEL),
        (AsyncAnthropicVertex(base_url=f"{clouds.url}/vertex/v1", **VERTEX), "claude-opus-4-8"),
        (
            AsyncAnthropicFoundry(base_url=f"{clouds.url}/foundry/anthropic", api_key="a-key-of-foundry"),
            "claude-opus-4-8",
        ),
    ]
    for client, model in made:
        async with client:
            async with client.messages.stream(model=model, max_tokens=200, messages=ASK) as stream:
                streamed = await stream.get_final_message()
            whole = await client.messages.create(model=model, max_tokens=200, messages=ASK)
            assert text(whole) == text(streamed) != ""


def test_betas_go_where_each_client_puts_them(clouds: RunningServer) -> None:
    for name in ("bedrock", "vertex", "foundry", "mantle"):
        client, model = CLIENTS[name](clouds)
        message = client.beta.messages.create(
            model=model, max_tokens=50, messages=ASK, betas=["context-management-2025-06-27"],
            context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
        )  # fmt: skip
        assert message.context_management.applied_edits == []
        with pytest.raises(anthropic.BadRequestError, match=r"no-such-beta|invalid beta flag"):
            client.beta.messages.create(model=model, max_tokens=50, messages=ASK, betas=["no-such-beta"])


def test_the_platform_has_files_models_and_batches_behind_signatures(clouds: RunningServer) -> None:
    client = AnthropicAWS(base_url=f"{clouds.url}/aws", workspace_id=workspace(clouds), **AWS)
    assert "claude-opus-5-5" in [model.id for model in client.models.list()]
    file = client.beta.files.upload(file=("otter.txt", b"An otter swims", "text/plain"))
    assert file.id in [one.id for one in client.beta.files.list()]
    params: Any = {"model": "claude-opus-4-8", "max_tokens": 50, "messages": ASK}
    batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    deadline = time.monotonic() + 30
    while batch.processing_status != "ended" and time.monotonic() < deadline:
        time.sleep(0.1)
        batch = client.messages.batches.retrieve(batch.id)
    assert (batch.results_url or "").startswith(f"{clouds.url}/aws/v1/messages/batches/")
    assert [result.result.type for result in client.messages.batches.results(batch.id)] == ["succeeded"]


def test_the_clouds_stand_in_front_of_a_claude_upstream_too(clouds: RunningServer, serve: ServerStarter) -> None:
    engine = f'kind = "claude"\nbase_url = "{clouds.url}"\napi_key = "{clouds.api_key}"\n'
    config = clouds.data_dir.parent / "in-front.toml"
    config.write_text(
        CONFIG
        + '[models]\nsimulator = false\n[[models.map]]\nname = "*"\n'
        + 'targets = [{ engine = "up", model = "*" }]\n[engines.up]\n'
        + engine,
        "utf-8",
    )
    front = serve("--config", str(config))
    for name in ("bedrock", "mantle", "vertex", "foundry"):
        client, model = CLIENTS[name](front)
        whole = client.messages.create(model=model, max_tokens=200, messages=ASK)
        with client.messages.stream(model=model, max_tokens=200, messages=ASK) as stream:
            assert text(stream.get_final_message()) == text(whole) != ""
        with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
            client.messages.create(model=model, max_tokens=-1, messages=ASK)
    client, model = CLIENTS["vertex"](front)
    assert client.messages.count_tokens(model=model, messages=ASK).input_tokens > 0
    raw = CLIENTS["bedrock"](front)[0].messages.with_raw_response.create(
        model=BEDROCK_MODEL, max_tokens=5, messages=ASK
    )
    assert raw.headers["understudy-engine"] == "up/claude-sonnet-4-5-20250929"


# --- errors are of the classes that the SDK documents ---


def test_bad_requests_models_and_bodies_raise_the_sdk_s_errors(made: tuple[Any, str]) -> None:
    client, model = made
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.messages.create(model=model, max_tokens=-1, messages=ASK)
    # Bedrock says of a model's name that it is no valid request.
    with pytest.raises((anthropic.NotFoundError, anthropic.BadRequestError)):
        client.messages.create(model="no.such-model", max_tokens=5, messages=ASK)


def test_bad_credentials_raise_the_sdk_s_errors(clouds: RunningServer) -> None:
    wrong: Any = {**AWS, "aws_secret_key": "wrong"}
    where = workspace(clouds)
    for client in (
        AnthropicBedrock(base_url=f"{clouds.url}/bedrock", **wrong),
        AnthropicBedrock(base_url=f"{clouds.url}/bedrock", api_key="wrong", aws_region=REGION),
        AnthropicBedrockMantle(base_url=f"{clouds.url}/bedrock/anthropic", **wrong),
        AnthropicAWS(base_url=f"{clouds.url}/aws", workspace_id=where, **wrong),
    ):
        with pytest.raises(anthropic.PermissionDeniedError):
            client.messages.create(model=BEDROCK_MODEL, max_tokens=5, messages=ASK)
    bad_token: Any = {**VERTEX, "access_token": "wrong"}
    for client in (
        AnthropicVertex(base_url=f"{clouds.url}/vertex/v1", **bad_token),
        AnthropicFoundry(base_url=f"{clouds.url}/foundry/anthropic", api_key="wrong"),
    ):
        with pytest.raises(anthropic.AuthenticationError):
            client.messages.create(model="claude-opus-4-8", max_tokens=5, messages=ASK)


def test_an_admin_key_is_none_for_inference(clouds: RunningServer) -> None:
    with pytest.raises(anthropic.PermissionDeniedError):
        AnthropicBedrock(
            base_url=f"{clouds.url}/bedrock", api_key=clouds.admin_key, aws_region=REGION, max_retries=0
        ).messages.create(model=BEDROCK_MODEL, max_tokens=5, messages=ASK)


# --- what the SDK's own tests say of URLs and signatures holds here ---


@pytest.mark.parametrize("model", ["foo;bar", ".;.", "x;..", "%2E%2E", "a/../b", "é"])
def test_the_paths_that_the_sdk_makes_of_odd_names_are_refused_in_bedrock_s_words(
    clouds: RunningServer, model: str
) -> None:
    client, _ = CLIENTS["bedrock"](clouds)
    with pytest.raises((anthropic.BadRequestError, ValueError), match=r"identifier is invalid|dot-segment"):
        client.messages.create(model=model, max_tokens=5, messages=ASK)


@pytest.mark.parametrize("connection", [None, "keep-alive", "close"])
def test_a_signature_does_not_hang_on_the_connection_header(clouds: RunningServer, connection: str | None) -> None:
    headers = {} if connection is None else {"connection": connection}
    client = AnthropicBedrock(base_url=f"{clouds.url}/bedrock", default_headers=headers, **AWS)
    assert text(client.messages.create(model=BEDROCK_MODEL, max_tokens=50, messages=ASK))


def test_paths_with_dots_that_no_client_shortens_are_refused(clouds: RunningServer) -> None:
    body = json.dumps(TO_BEDROCK).encode()
    for path in (
        "/bedrock/model/../model/x/invoke",
        "/bedrock/model/./invoke",
        "/bedrock/model//invoke",
        "/bedrock/../v1/x",
    ):
        head = f"POST {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {clouds.api_key}\r\nconnection: close\r\n"
        head += f"content-length: {len(body)}\r\n\r\n"
        with socket.create_connection(clouds.address, timeout=20) as connection:
            connection.sendall(head.encode() + body)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.split()[1] in (b"400", b"404"), answer
        assert b'{"message":' in answer


def test_one_signed_request_may_come_again_within_the_window_but_not_changed(clouds: RunningServer) -> None:
    path = f"/bedrock/model/{BEDROCK_MODEL}/invoke"
    body = json.dumps(TO_BEDROCK).encode()
    host = clouds.url.removeprefix("http://")
    headers = sign(path, body, headers={"host": host})
    with httpx.Client(base_url=clouds.url, trust_env=False) as client:
        assert [client.post(path, headers=headers, content=body).status_code for _ in range(2)] == [200, 200]
        changed = body.replace(b"Hello", b"Other")
        answer = client.post(path, headers=headers, content=changed)
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")


# --- AWS's own SDK ---


@pytest.fixture(scope="module")
def aws_client(clouds: RunningServer) -> Callable[..., Any]:
    def make(service: str = "bedrock-runtime", secret: str = SECRET) -> Any:
        return boto3.client(  # pyright: ignore[reportCallIssue]
            service,  # pyright: ignore[reportArgumentType]
            endpoint_url=f"{clouds.url}/bedrock",
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )

    return make


def test_aws_s_own_sdk_invokes_streams_and_counts(aws_client: Callable[..., Any]) -> None:
    client, body = aws_client(), json.dumps(TO_BEDROCK)
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    answer = client.invoke_model(modelId=model, body=body)
    whole = json.loads(answer["body"].read())
    streamed = client.invoke_model_with_response_stream(modelId=model, body=body)
    events = [json.loads(event["chunk"]["bytes"]) for event in streamed["body"]]
    deltas = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(deltas) == whole["content"][0]["text"]
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == whole["usage"]["output_tokens"]
    used = whole["usage"]["input_tokens"]
    assert client.count_tokens(modelId=model, input={"invokeModel": {"body": body}})["inputTokens"] == used
    converse = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    assert client.count_tokens(modelId=model, input={"converse": converse})["inputTokens"] == used


def test_aws_s_own_sdk_raises_the_exceptions_that_it_knows(aws_client: Callable[..., Any]) -> None:
    client = aws_client()
    with pytest.raises(client.exceptions.ValidationException, match="identifier is invalid"):
        client.invoke_model(modelId="no-such-model", body=json.dumps(TO_BEDROCK))
    with pytest.raises(client.exceptions.ValidationException, match="JSON"):
        client.invoke_model(modelId=BEDROCK_MODEL, body="{")
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        aws_client(secret="wrong").invoke_model(modelId=BEDROCK_MODEL, body=json.dumps(TO_BEDROCK))
    with pytest.raises(ClientError, match="UnknownOperationException"):
        client.converse(modelId=BEDROCK_MODEL, messages=[{"role": "user", "content": [{"text": "Hello"}]}])


def test_aws_s_own_sdk_lists_inference_profiles(aws_client: Callable[..., Any]) -> None:
    client = aws_client("bedrock")
    found = client.list_inference_profiles(typeEquals="SYSTEM_DEFINED")["inferenceProfileSummaries"]
    assert BEDROCK_MODEL in [one["inferenceProfileId"] for one in found]
    one = client.get_inference_profile(inferenceProfileIdentifier=found[0]["inferenceProfileArn"])
    assert one["inferenceProfileId"] == found[0]["inferenceProfileId"]


def test_the_sdk_s_decoder_reads_an_error_in_the_middle_of_a_stream() -> None:
    from understudy.clouds.bedrock.framing import BedrockFraming
    from understudy.wire import sse

    framing = BedrockFraming()
    error = {"type": "error", "error": {"details": None, "type": "overloaded_error", "message": "Overloaded"}}
    frames = framing.piece(sse.encode([{"type": "content_block_stop", "index": 0}, error]))
    events = list(AWSEventStreamDecoder().iter_bytes(iter([frames])))
    assert [event.event for event in events] == ["content_block_stop", "error"]
    assert json.loads(events[1].data)["error"]["message"] == "Overloaded"


# --- the page about it ---

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bedrock-vertex-foundry.md"


def test_the_examples_of_the_page_run_against_a_server_with_its_configuration(tmp_path: Path) -> None:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    config = tmp_path / "understudy.toml"
    config.write_text(next(code for tag, code in blocks if tag == "toml"), "utf-8")
    server = start_server(tmp_path, "--config", str(config))
    try:
        programs = [code for tag, code in blocks if tag == "python"]
        code = "\n".join(programs).replace("http://127.0.0.1:8484", server.url)
        code = code.replace("sk-understudy-api-…", server.api_key).replace("wrkspc_…", workspace(server))
        program = tmp_path / "examples.py"
        program.write_text(code, "utf-8")
        ran = subprocess.run(
            [sys.executable, str(program)],
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        server.kill()
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == len(programs) == 6
