"""Engines of the clouds from the settings, and what an operator is told of them."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from engines.clouds.fakes import say_json
from fake_claude import fake_claude
from understudy.app.upstreams import check_engine, cloud_upstream
from understudy.engines.bedrock import BedrockUpstream
from understudy.engines.checking import CheckError
from understudy.engines.vertex import VertexUpstream
from understudy.settings import EngineSettings, SettingsError


@pytest.fixture(autouse=True)
def nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


def settings(**fields: Any) -> EngineSettings:
    return EngineSettings.model_validate(fields)


def test_all_settings_reach_the_upstream() -> None:
    upstream = cloud_upstream(
        "aws",
        settings(
            kind="bedrock", region="eu-west-1", inference_profile="none", betas=["x"], profile="p", idle_timeout=7
        ),
    )
    assert isinstance(upstream, BedrockUpstream)
    found = upstream.settings
    assert (found.region, found.inference_profile, found.betas, found.profile) == ("eu-west-1", "", ("x",), "p")
    assert (found.api_key, found.idle_timeout, found.base_url) == (None, 7, None)
    google = cloud_upstream(
        "g", settings(kind="vertex", region="eu", project="p", api_key="t", base_url="http://h/v1/")
    )
    assert isinstance(google, VertexUpstream)
    assert (google.settings.url, google.settings.token, google.settings.project) == ("http://h/v1", "t", "p")


def test_the_key_of_the_environment_signs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "b")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    upstream = cloud_upstream("aws", settings(kind="bedrock"))
    assert isinstance(upstream, BedrockUpstream)
    assert (upstream.settings.api_key, upstream.settings.region, upstream.secret) == ("b", "us-west-2", "b")
    assert "'b'" not in repr(upstream.settings)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kind": "vertex"}, "engines.up: region is needed"),
        ({"kind": "bedrock", "api_key": "k"}, "engines.up: region is needed"),
        ({"kind": "bedrock", "base_url": "localhost"}, "engines.up.base_url"),
        ({"kind": "bedrock", "api_key_env": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        cloud_upstream("up", settings(**fields))


@pytest.mark.parametrize("kind", ["bedrock", "vertex"])
def test_a_missing_extra_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        if name == "google.auth":
            raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", none)
    with pytest.raises(SettingsError, match=rf"understudy\[{kind}\]"):
        cloud_upstream("up", settings(kind=kind, region="us-east-1"))


@pytest.mark.parametrize(
    ("kind", "base", "path", "header"),
    [
        ("claude", "", "/v1/models?limit=1", "x-api-key"),
        ("openai", "/v1", "/v1/models", "authorization"),
        ("llamacpp", "", "/v1/models", "authorization"),
    ],
)
async def test_other_upstreams_list_their_models(kind: str, base: str, path: str, header: str) -> None:
    with fake_claude(say_json({"data": []})) as fake:
        engine = settings(kind=kind, base_url=fake.url + base, api_key="the-key")
        assert await check_engine("up", engine) == "its models can be listed"
    assert fake.asked[0].path == path and "the-key" in fake.asked[0].headers[header]


@pytest.mark.parametrize(("status", "told"), [(401, "refuses the credentials"), (403, "refuses"), (500, "status 500")])
async def test_refused_credentials_are_told_without_them(status: int, told: str) -> None:
    with fake_claude(say_json({}, status)) as fake, pytest.raises(CheckError, match=told) as caught:
        await check_engine("up", settings(kind="claude", base_url=fake.url, api_key="the-key"))
    assert "the-key" not in str(caught.value)


async def test_foundry_has_no_list_and_the_simulator_no_credentials() -> None:
    with fake_claude(say_json({}, 404)) as fake:
        found = await check_engine("up", settings(kind="claude", base_url=fake.url + "/anthropic", api_key="k"))
    assert found == "it answers, and has no list of models to try the credentials with"
    assert await check_engine("up", settings(kind="simulator")) is None
