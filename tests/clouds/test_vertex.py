"""Vertex AI's form of requests, answers and errors, and whose tokens are taken."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from asgi import KEY, Answer
from clouds.chat_requests import quick
from clouds.served import HELLO, OF_TOKENS, TO_VERTEX, TOKENS, VERTEX, Clouds
from generated import json_values
from streams import check_stream, parse_sse
from understudy.clouds.vertex.models import VertexModels
from understudy.engines.engine import EngineEvent, EngineTurn, TextDelta
from understudy.settings import CloudIssuerSettings, SettingsError
from understudy.wire.errors import NotFoundError, OverloadedError, RateLimitError

PREDICT = "claude-sonnet-4-5@20250929:rawPredict"
STREAM = "claude-sonnet-4-5@20250929:streamRawPredict"
COUNT = "count-tokens:rawPredict"


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def api() -> Clouds:
    return Clouds()


def google_error(answer: Answer, code: int, status: str, part: str = "") -> None:
    error = answer.json()["error"]
    assert answer.status == code, answer.body
    assert (error["code"], error["status"]) == (code, status)
    assert set(error) == {"code", "message", "status"}
    assert part in error["message"]


def model_error(answer: Answer, status: int, kind: str, part: str = "") -> None:
    """From the model behind Google: the API's own envelope."""
    assert (answer.status, answer.json()["type"], answer.json()["error"]["type"]) == (status, "error", kind), (
        answer.body
    )
    assert part in answer.json()["error"]["message"]


async def test_a_message_is_as_vertex_has_it(api: Clouds) -> None:
    answer = await api.vertex()
    message = answer.json()
    assert message["id"].startswith("msg_vrtx_")
    assert message["model"] == "claude-sonnet-4-5-20250929"
    assert not {"service_tier", "inference_geo"} & message["usage"].keys()
    assert not any(name.startswith("anthropic-ratelimit") for name in answer.headers)


async def test_a_stream_is_the_message_in_server_sent_events(api: Clouds) -> None:
    whole = (await api.vertex()).json()
    for call in (STREAM, PREDICT):
        answer = await api.vertex({**TO_VERTEX, "stream": True}, call)
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = parse_sse(answer.body)
        check_stream(events)
        assert [event["type"] for event in events].count("ping") == 1
        start = events[0]["message"]
        assert start["id"].startswith("msg_vrtx_")
        assert not {"service_tier", "inference_geo"} & start["usage"].keys()
        text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
        assert text == whole["content"][0]["text"]


async def test_tokens_are_counted_as_they_are_used(api: Clouds) -> None:
    used = (await api.vertex()).json()["usage"]["input_tokens"]
    body = {
        "anthropic_version": "vertex-2023-10-16",
        "model": "claude-sonnet-4-5@20250929",
        "messages": HELLO["messages"],
    }
    assert (await api.vertex(body, COUNT)).json() == {"input_tokens": used}
    model_error(await api.vertex({**body, "model": 5}, COUNT), 400, "invalid_request_error", "model: Field required")
    google_error(await api.vertex({**body, "model": "claude-sonnet-4-5-20250929"}, COUNT), 404, "NOT_FOUND")


# --- models and paths ---


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-20241022"),
        ("claude-opus-4-8", "claude-opus-4-8"),
        ("claude-opus-4-8@default", "claude-opus-4-8"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("my-model", "my-model"),
    ],
)
def test_vertex_s_names_lead_to_the_models(api: Clouds, name: str, model: str) -> None:
    assert VertexModels(api.routing).resolve(name, "p", "us-east5") == model


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5@20200101",
        "anthropic.claude-opus-4-8",
        "gemini-3",
        "claude-opus-4-8@",
    ],
)
def test_names_that_are_none_on_vertex_are_not_found(api: Clouds, name: str) -> None:
    with pytest.raises(
        NotFoundError, match="Publisher Model `projects/p/locations/us-east5/publishers/anthropic/models/"
    ):
        VertexModels(api.routing).resolve(name, "p", "us-east5")


@pytest.mark.parametrize(
    "call",
    ["", ":", ":rawPredict", ".:rawPredict", "..:rawPredict", "%2e%2e:rawPredict", ";:rawPredict", "a;b:rawPredict",
     "a%2F..%2Fb:rawPredict", "claude-opus-4-8", "claude-opus-4-8:predict", "claude-opus-4-8:rawpredict",
     "claude-opus-4-8:rawPredict/", "count-tokens:streamRawPredict", "a%00b:rawPredict", "x" * 3_000 + ":rawPredict",
     "%ff:rawPredict"],
)  # fmt: skip
async def test_a_path_that_names_no_model_is_not_found(api: Clouds, call: str) -> None:
    google_error(await api.vertex(call=call), 404, "NOT_FOUND")


@pytest.mark.parametrize("location", ["nowhere", "us-east", "..", "US-EAST5", "us-east5%00"])
async def test_a_region_that_is_none_is_refused(api: Clouds, location: str) -> None:
    answer = await api.bearer(VERTEX.replace("us-east5", location) + PREDICT, TO_VERTEX)
    assert answer.status == 400, answer.body


@pytest.mark.parametrize("location", ["global", "us", "eu", "europe-west1", "asia-southeast1"])
async def test_all_regions_are_served(api: Clouds, location: str) -> None:
    assert (await api.bearer(VERTEX.replace("us-east5", location) + PREDICT, TO_VERTEX)).status == 200


@pytest.mark.parametrize(
    "path", ["/vertex/", "/vertex/v1", "/vertex/v1/projects/p", "/vertex/v2/" + VERTEX[11:] + PREDICT]
)
async def test_an_unknown_path_is_not_found(api: Clouds, path: str) -> None:
    google_error(await api.bearer(path, TO_VERTEX), 404, "NOT_FOUND")


# --- bodies ---


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "JSON"),
        (b"[]", "shape"),
        (HELLO, "anthropic_version: Field required"),
        ({**HELLO, "anthropic_version": "bedrock-2023-05-31"}, "anthropic_version"),
        ({**TO_VERTEX, "model": "claude-opus-4-8"}, "model: Extra inputs are not permitted"),
        ({**TO_VERTEX, "max_tokens": "many"}, "max_tokens"),
        ({**TO_VERTEX, "fallbacks": []}, "fallbacks"),
        ({**TO_VERTEX, "tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}, "tools.0"),
        ({**TO_VERTEX, "anthropic_beta": ["no-such-beta"]}, "no-such-beta"),
    ],
)
async def test_a_bad_body_is_the_model_s_error(api: Clouds, body: Any, part: str) -> None:
    model_error(await api.vertex(body), 400, "invalid_request_error", part)


async def test_betas_come_in_the_header_and_unknown_ones_are_refused(api: Clouds) -> None:
    path = VERTEX + PREDICT
    assert (await api.bearer(path, TO_VERTEX, anthropic_beta="context-1m-2025-08-07")).status == 200
    answer = await api.bearer(path, TO_VERTEX, anthropic_beta="no-such-beta")
    model_error(answer, 400, "invalid_request_error", "no-such-beta")


async def test_the_newest_version_is_taken_as_well(api: Clouds) -> None:
    assert (await api.vertex({**HELLO, "anthropic_version": "2026-10-21"})).status == 200
    assert api.records.kept[-1].anthropic_version == "2026-10-21"


async def test_a_body_of_more_than_30_mb_is_refused(api: Clouds) -> None:
    google_error(await api.vertex(b" " * (30 * 1024 * 1024 + 1)), 400, "INVALID_ARGUMENT")


@given(body=st.one_of(st.binary(max_size=100), json_values.map(lambda value: json.dumps(value).encode())))
@quick
def test_10_any_body_is_answered_in_vertex_s_form(runner: asyncio.Runner, api: Clouds, body: bytes) -> None:
    model_error(runner.run(api.vertex(body)), 400, "invalid_request_error")


@given(call=st.text(max_size=30))
@quick
def test_10_any_path_is_answered_in_google_s_form(runner: asyncio.Runner, api: Clouds, call: str) -> None:
    from urllib.parse import quote

    google_error(runner.run(api.vertex(call=quote(call, safe=":@.;"))), 404, "NOT_FOUND")


# --- what fails ---


class Failing:
    name = "failing"

    def __init__(self, error: Exception, *, late: bool) -> None:
        self._error, self._late = error, late

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        if self._late:
            yield [TextDelta("Word", 1)]
        raise self._error


async def test_limits_are_google_s_and_overload_is_the_model_s() -> None:
    google_error(await Clouds(Failing(RateLimitError("slow"), late=False)).vertex(), 429, "RESOURCE_EXHAUSTED", "slow")
    model_error(await Clouds(Failing(OverloadedError(), late=False)).vertex(), 529, "overloaded_error")
    streamed = await Clouds(Failing(OverloadedError(), late=True)).vertex({**TO_VERTEX, "stream": True}, STREAM)
    assert parse_sse(streamed.body)[-1]["error"]["type"] == "overloaded_error"


# --- callers ---


async def test_a_key_of_this_server_and_a_configured_token_are_taken(api: Clouds) -> None:
    assert (await api.bearer(VERTEX + PREDICT, TO_VERTEX, KEY)).status == 200
    answer = await api.bearer(VERTEX + PREDICT, TO_VERTEX, TOKENS["vertex"])
    assert (answer.status, answer.headers["anthropic-workspace-id"]) == (200, OF_TOKENS)


@pytest.mark.parametrize("token", ["", "ya29.another", TOKENS["foundry"], TOKENS["bedrock"], "a.b.c"])
async def test_other_tokens_are_refused(api: Clouds, token: str) -> None:
    google_error(await api.bearer(VERTEX + PREDICT, TO_VERTEX, token), 401, "UNAUTHENTICATED")


async def test_two_credentials_that_differ_are_none(api: Clouds) -> None:
    answer = await api.bearer(VERTEX + PREDICT, TO_VERTEX, KEY, x_api_key="another")
    google_error(answer, 401, "UNAUTHENTICATED")
    answer = await api.call(path=VERTEX + PREDICT, headers={}, body=b"{}")
    google_error(answer, 401, "UNAUTHENTICATED", "missing")


ISSUER, AUDIENCE = "https://accounts.example.com", "an-audience"
PRIVATE, OTHER = generate_private_key(65_537, 2_048), generate_private_key(65_537, 2_048)


def public(key: Any, kid: str = "k1") -> dict[str, Any]:
    found = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    return {**found, "kid": kid, "use": "sig"}


def token(key: Any = PRIVATE, kid: str = "k1", algorithm: str = "RS256", **claims: Any) -> str:
    said = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 600, "sub": "someone", "email": "bot@example.com"}
    said = {name: value for name, value in {**said, **claims}.items() if value is not None}
    return jwt.encode(said, key, algorithm, headers={"kid": kid})


@pytest.fixture(scope="module")
def issued() -> Clouds:
    one = CloudIssuerSettings(
        cloud="vertex", issuer=ISSUER, audience=AUDIENCE, jwks=[public(PRIVATE)], claims={"email": "bot@example.com"},
        workspace=OF_TOKENS,
    )  # fmt: skip
    return Clouds(issuers=(one,))


async def test_a_token_of_a_configured_issuer_stands_for_its_workspace(issued: Clouds) -> None:
    answer = await issued.bearer(VERTEX + PREDICT, TO_VERTEX, token())
    assert (answer.status, answer.headers["anthropic-workspace-id"]) == (200, OF_TOKENS)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example.com"},
        {"aud": "another"},
        {"aud": None},
        {"exp": time.time() - 60},
        {"exp": None},
        {"nbf": time.time() + 600},
        {"email": "eve@example.com"},
        {"email": None},
        {"key": OTHER},
        {"kid": "k2"},
        {"key": "a" * 32, "algorithm": "HS256"},
    ],
)
async def test_a_token_that_is_not_quite_right_is_refused(issued: Clouds, claims: dict[str, Any]) -> None:
    google_error(await issued.bearer(VERTEX + PREDICT, TO_VERTEX, token(**claims)), 401, "UNAUTHENTICATED")


async def test_a_token_of_one_cloud_s_issuer_is_none_in_another(issued: Clouds) -> None:
    answer = await issued.bearer("/foundry/anthropic/v1/messages", HELLO, token(), anthropic_version="2023-06-01")
    assert answer.status == 401


def test_an_issuer_whose_keys_cannot_be_is_refused_at_the_start() -> None:
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}
    with pytest.raises(SettingsError, match="public key"):
        Clouds(issuers=(CloudIssuerSettings(cloud="vertex", issuer=ISSUER, audience="a", jwks=[secret]),))
    with pytest.raises(SettingsError, match="https"):
        Clouds(issuers=(CloudIssuerSettings(cloud="vertex", issuer="http://example.com", audience="a"),))


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_an_issuer_that_signs_for_everybody_must_be_told_who_is_meant(issuer: str) -> None:
    def served(**claims: str) -> Clouds:
        one = CloudIssuerSettings(
            cloud="vertex", issuer=issuer, audience=AUDIENCE, jwks=[public(PRIVATE)], claims=claims
        )
        return Clouds(issuers=(one,))

    for nobody in ({}, {"email_verified": "true"}):
        with pytest.raises(SettingsError, match="signs for everybody"):
            served(**nobody)
    served(email="bot@example.com")
