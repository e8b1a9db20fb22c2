"""Foundry, Claude Platform on AWS and Bedrock's newer endpoint: the API's own paths behind other doors."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from asgi import KEY, WORKSPACE, Answer
from clouds.served import HELLO, OF_AWS, OF_TOKENS, SESSION, TEMPORARY, TOKENS, Clouds
from streams import check_stream, parse_sse

FOUNDRY, AWS, MANTLE = "/foundry/anthropic/v1/messages", "/aws/v1/messages", "/bedrock/anthropic/v1/messages"
ASK = {"model": "claude-opus-4-8", **HELLO}
VERSION = {"anthropic-version": "2023-06-01"}


@pytest.fixture(scope="module")
def api() -> Clouds:
    return Clouds()


def api_error(answer: Answer, status: int, kind: str, part: str = "") -> None:
    body = answer.json()
    assert (answer.status, body["type"], body["error"]["type"]) == (status, "error", kind), answer.body
    assert body["request_id"] == answer.headers["request-id"]
    assert part in body["error"]["message"]


async def ask(api: Clouds, path: str, body: Any, **headers: str) -> Answer:
    import json

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.call(path=path, headers={**VERSION, **named}, body=json.dumps(body).encode())


# --- Foundry ---


@pytest.mark.parametrize("token", [KEY, TOKENS["foundry"]])
@pytest.mark.parametrize("headers", [("api-key",), ("x-api-key",), ("api-key", "x-api-key"), ("authorization",)])
async def test_foundry_takes_a_key_in_any_of_its_headers(api: Clouds, token: str, headers: tuple[str, ...]) -> None:
    given = {name: f"Bearer {token}" if name == "authorization" else token for name in headers}
    answer = await ask(api, FOUNDRY, ASK, **given)
    assert (answer.status, answer.json()["model"]) == (200, "claude-opus-4-8")
    UUID(answer.headers["apim-request-id"])
    assert answer.headers["request-id"].startswith("req_")
    assert not any(name.startswith("anthropic-ratelimit") for name in answer.headers)


async def test_foundry_streams_and_counts(api: Clouds) -> None:
    streamed = await ask(api, FOUNDRY, {**ASK, "stream": True}, api_key=KEY)
    check_stream(parse_sse(streamed.body))
    used = (await ask(api, FOUNDRY, ASK, api_key=KEY)).json()["usage"]["input_tokens"]
    counted = await ask(
        api, FOUNDRY + "/count_tokens", {"model": ASK["model"], "messages": ASK["messages"]}, api_key=KEY
    )
    assert counted.json() == {"input_tokens": used}


@pytest.mark.parametrize(
    "headers",
    [{}, {"api_key": "wrong"}, {"x_api_key": ""}, {"authorization": "Basic x"}, {"api_key": KEY, "x_api_key": "other"},
     {"api_key": KEY, "authorization": "Bearer other"}, {"api_key": TOKENS["vertex"]}],
)  # fmt: skip
async def test_foundry_denies_as_azure_does(api: Clouds, headers: dict[str, str]) -> None:
    answer = await ask(api, FOUNDRY, ASK, **headers)
    assert (answer.status, answer.json()["error"]["code"]) == (401, "401"), answer.body
    assert set(answer.json()) == {"error"}
    UUID(answer.headers["apim-request-id"])


async def test_foundry_s_errors(api: Clouds) -> None:
    answer = await ask(api, FOUNDRY, {**ASK, "model": "no-deployment"}, api_key=KEY)
    assert (answer.status, answer.json()["error"]["code"]) == (404, "DeploymentNotFound")
    api_error(
        await ask(api, FOUNDRY, {**ASK, "max_tokens": "x"}, api_key=KEY), 400, "invalid_request_error", "max_tokens"
    )
    api_error(await ask(api, FOUNDRY, {**ASK, "fallbacks": []}, api_key=KEY), 400, "invalid_request_error", "fallbacks")
    api_error(await ask(api, FOUNDRY, b"".decode(), api_key=KEY), 400, "invalid_request_error")


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/messages/batches", "/v1/complete", "/v1/organizations/me", "/x", ""]
)
async def test_what_foundry_does_not_have_is_not_found(api: Clouds, path: str) -> None:
    answer = await api.call("GET", "/foundry/anthropic" + path, {**VERSION, "api-key": KEY})
    assert (answer.status, answer.json()["error"]["code"]) == (404, "404")


# --- AWS: the platform and Bedrock's newer endpoint ---


async def test_the_platform_takes_a_signature_and_the_workspace_it_is_for(api: Clouds) -> None:
    signing: dict[str, Any] = {"service": "aws-external-anthropic"}
    answer = await api.signed(AWS, ASK, headers={**VERSION, "anthropic-workspace-id": OF_AWS}, **signing)
    assert (answer.status, answer.headers["anthropic-workspace-id"]) == (200, OF_AWS)
    UUID(answer.headers["x-amzn-requestid"])
    assert answer.headers["request-id"].startswith("req_")
    api_error(
        await api.signed(AWS, ASK, headers=VERSION, **signing), 400, "invalid_request_error", "anthropic-workspace-id"
    )
    other = await api.signed(AWS, ASK, headers={**VERSION, "anthropic-workspace-id": OF_TOKENS}, **signing)
    api_error(other, 403, "permission_error")


async def test_the_platform_takes_keys(api: Clouds) -> None:
    answer = await ask(api, AWS, ASK, x_api_key=KEY, anthropic_workspace_id=WORKSPACE)
    assert answer.status == 200
    answer = await ask(api, AWS, ASK, x_api_key=TOKENS["aws"], anthropic_workspace_id=OF_TOKENS)
    assert answer.status == 200
    denied = await ask(api, AWS, ASK, x_api_key="wrong", anthropic_workspace_id=OF_TOKENS)
    api_error(denied, 403, "authentication_error")
    assert denied.headers["x-amzn-errortype"] == "AccessDeniedException"


async def test_the_platform_has_no_fast_mode(api: Clouds) -> None:
    answer = await ask(api, AWS, {**ASK, "speed": "fast"}, x_api_key=KEY, anthropic_workspace_id=WORKSPACE)
    api_error(answer, 400, "invalid_request_error", "speed")


@pytest.mark.parametrize("path", ["/v1/organizations/me", "/v1/chat/completions", "/v1/oauth/token", "/x"])
async def test_what_the_platform_does_not_have_is_not_found(api: Clouds, path: str) -> None:
    api_error(await api.call("POST", "/aws" + path, {**VERSION, "x-api-key": KEY}), 404, "not_found_error")


async def test_bedrock_s_newer_endpoint_is_the_api_with_bedrock_s_names(api: Clouds) -> None:
    body = {**ASK, "model": "anthropic.claude-opus-4-8"}
    answer = await api.signed(MANTLE, body, headers=VERSION, service="bedrock-mantle")
    assert (answer.status, answer.json()["model"]) == (200, "claude-opus-4-8")
    assert answer.json()["id"].startswith("msg_01")
    UUID(answer.headers["x-amzn-requestid"])
    streamed = await ask(api, MANTLE, {**body, "stream": True}, x_api_key=KEY)
    check_stream(parse_sse(streamed.body))
    used = answer.json()["usage"]["input_tokens"]
    counted = await ask(
        api, MANTLE + "/count_tokens", {"model": body["model"], "messages": body["messages"]}, x_api_key=KEY
    )
    assert counted.json() == {"input_tokens": used}


async def test_bedrock_s_newer_endpoint_refuses_in_the_api_s_form(api: Clouds) -> None:
    api_error(await ask(api, MANTLE, ASK, x_api_key=KEY), 400, "invalid_request_error", "identifier is invalid")
    tool = {"type": "web_search_20250305", "name": "web_search"}
    body = {**ASK, "model": "anthropic.claude-opus-4-8", "tools": [tool]}
    api_error(await ask(api, MANTLE, body, x_api_key=KEY), 400, "invalid_request_error", "tools.0")
    denied = await api.signed(MANTLE, ASK, headers=VERSION, service="bedrock")
    api_error(denied, 403, "authentication_error", "correct service: 'bedrock-mantle'")
    api_error(await ask(api, "/bedrock/anthropic/v1/models", {}, x_api_key=KEY), 404, "not_found_error")


async def test_temporary_credentials_are_taken_here_too(api: Clouds) -> None:
    body = {**ASK, "model": "anthropic.claude-opus-4-8"}
    answer = await api.signed(MANTLE, body, headers=VERSION, service="bedrock-mantle", key=TEMPORARY, token=SESSION)
    assert answer.status == 200
