"""Credentials of the clouds stand for workspaces: limits, usage and cost hold, and an archived one's are out."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import PermissionDeniedError
from anthropic.lib.bedrock import AnthropicBedrock

from clouds.served import BEDROCK_MODEL, HELLO, REGION, SECRET, TO_VERTEX, VERTEX
from servers import RunningServer, start_server

KEY, KEY_OF_ALPHA = "UNDERSTUDYTESTKEY001", "UNDERSTUDYALPHAKEY02"
CONFIG = f"""
[limits]
mode = "enforce"
table = "2026-01"
tier = "tier_1"

[[clouds.aws_keys]]
access_key_id = "{KEY}"
secret_access_key = "{SECRET}"

[[clouds.aws_keys]]
access_key_id = "{KEY_OF_ALPHA}"
secret_access_key = "{SECRET}"
workspace = "{{alpha}}"

[[clouds.tokens]]
cloud = "vertex"
token = "ya29.a-token"

[[clouds.tokens]]
cloud = "foundry"
token = "a-key-of-foundry"
"""
PER_MINUTE = 50
"""Requests a minute on Tier 1 of 2026-01."""


def admin(server: RunningServer) -> httpx.Client:
    headers = {"x-api-key": server.admin_key, "anthropic-version": "2026-10-21"}
    return httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=30)


@pytest.fixture(scope="module")
def alpha_and_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, RunningServer]]:
    """A workspace, and a server that knows keys of it."""
    directory: Path = tmp_path_factory.mktemp("workspaces")
    first = start_server(directory)
    with admin(first) as client:
        alpha = client.post("/v1/organizations/workspaces", json={"name": "Alpha"}).json()["id"]
    assert first.stop() == 0
    config = directory / "understudy.toml"
    config.write_text(CONFIG.replace("{alpha}", alpha), "utf-8")
    again = start_server(directory, "--config", str(config))
    yield alpha, again
    again.kill()


def bedrock(server: RunningServer, key: str) -> AnthropicBedrock:
    return AnthropicBedrock(
        base_url=f"{server.url}/bedrock", aws_access_key=key, aws_secret_key=SECRET, aws_region=REGION, max_retries=0
    )


def test_all_doors_of_one_workspace_share_its_limits_and_each_refuses_in_its_own_words(
    alpha_and_server: tuple[str, RunningServer],
) -> None:
    _, server = alpha_and_server
    bearer = {"authorization": f"Bearer {server.api_key}"}
    first_party: Any = {"anthropic-version": "2023-06-01", "x-api-key": server.api_key}
    model = "claude-sonnet-4-5-20250929"
    doors: dict[str, tuple[str, dict[str, str], Any]] = {
        "api": ("/v1/messages", first_party, {**HELLO, "model": model}),
        "bedrock": (
            f"/bedrock/model/{BEDROCK_MODEL}/invoke",
            bearer,
            {**HELLO, "anthropic_version": "bedrock-2023-05-31"},
        ),
        "vertex": (
            VERTEX + "claude-sonnet-4-5@20250929:rawPredict",
            {"authorization": "Bearer ya29.a-token"},
            TO_VERTEX,
        ),
        "foundry": (
            "/foundry/anthropic/v1/messages",
            {"api-key": "a-key-of-foundry", "anthropic-version": "2023-06-01"},
            {**HELLO, "model": model},
        ),
    }
    began = time.monotonic()
    refused: dict[str, httpx.Response] = {}
    admitted = 0
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        while len(refused) < len(doors):
            for name, (path, headers, body) in doors.items():
                answer = client.post(path, headers=headers, json=body)
                if answer.status_code == 200:
                    admitted += 1
                else:
                    refused[name] = answer
            assert admitted < 3 * PER_MINUTE
    elapsed = time.monotonic() - began
    assert PER_MINUTE - 1 <= admitted <= PER_MINUTE * (1 + elapsed / 60) + 1
    assert {answer.status_code for answer in refused.values()} == {429}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused.values())
    assert refused["bedrock"].headers["x-amzn-errortype"] == "ThrottlingException"
    assert set(refused["bedrock"].json()) == {"message"}
    assert refused["vertex"].json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert refused["foundry"].json()["error"]["type"] == "rate_limit_error"
    # Another workspace's credential is another workspace's: nothing of the default one's was its own.
    assert refused["api"].json()["error"]["type"] == "rate_limit_error"


def test_usage_and_cost_are_the_workspace_s(alpha_and_server: tuple[str, RunningServer]) -> None:
    alpha, server = alpha_and_server
    # A model whose limit the test before has not used up.
    message = bedrock(server, KEY_OF_ALPHA).messages.create(
        model="us.anthropic.claude-opus-4-8", max_tokens=50, messages=HELLO["messages"]
    )
    day = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime())
    with admin(server) as client:
        deadline = time.monotonic() + 10
        found: list[Any] = []
        while not found and time.monotonic() < deadline:
            report = client.get(
                "/v1/organizations/usage_report/messages",
                params={"starting_at": day, "group_by[]": ["workspace_id", "model"]},
            ).json()
            rows = [row for bucket in report["data"] for row in bucket["results"]]
            found = [row for row in rows if row["workspace_id"] == alpha]
            time.sleep(0.05)
        assert [(row["model"], row["output_tokens"]) for row in found] == [
            ("claude-opus-4-8", message.usage.output_tokens)
        ]
        cost = client.get(
            "/v1/organizations/cost_report", params={"starting_at": day, "group_by[]": ["workspace_id"]}
        ).json()
    amounts = [row["amount"] for bucket in cost["data"] for row in bucket["results"] if row["workspace_id"] == alpha]
    assert len(amounts) == 1
    assert float(amounts[0]) > 0


def test_a_key_of_an_archived_workspace_is_refused_within_a_second(alpha_and_server: tuple[str, RunningServer]) -> None:
    alpha, server = alpha_and_server
    client = bedrock(server, KEY_OF_ALPHA)
    ask: Any = {"model": "us.anthropic.claude-opus-4-7", "max_tokens": 5, "messages": HELLO["messages"]}
    client.messages.create(**ask)
    with admin(server) as owner:
        assert owner.post(f"/v1/organizations/workspaces/{alpha}/archive").status_code == 200
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        try:
            client.messages.create(**ask)
        except PermissionDeniedError as error:
            assert error.response.headers["x-amzn-errortype"] == "AccessDeniedException"
            return
        time.sleep(0.05)
    pytest.fail("the key is still accepted")
