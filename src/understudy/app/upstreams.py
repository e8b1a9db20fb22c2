"""Upstreams from the settings, and a look at whether they take the credentials that stand there."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Final

from understudy.engines.claude import ClaudeSettings
from understudy.settings import EngineSettings, SettingsError

if TYPE_CHECKING:
    from understudy.engines.bedrock import BedrockUpstream
    from understudy.engines.vertex import VertexUpstream

_MODULES: Final = {"bedrock": "botocore", "vertex": "google.auth"}


def key_of(name: str, settings: EngineSettings) -> str | None:
    """The key in the settings. Raises SettingsError where its variable is not set."""
    if settings.api_key_env is None:
        return None if settings.api_key is None else settings.api_key.get_secret_value()
    key = os.environ.get(settings.api_key_env)
    if not key:
        raise SettingsError(f"engines.{name}: the variable {settings.api_key_env} is not set.")
    return key


def claude_settings(settings: EngineSettings, base_url: str, key: str | None) -> ClaudeSettings:
    return ClaudeSettings(
        base_url, key, settings.auth, settings.connect_timeout, settings.first_byte_timeout, settings.idle_timeout
    )


def cloud_upstream(name: str, settings: EngineSettings) -> BedrockUpstream | VertexUpstream:
    """The upstream of an engine of kind `bedrock` or `vertex`. Raises SettingsError."""
    if settings.base_url is not None and not settings.base_url.startswith(("http://", "https://")):
        raise SettingsError(f"engines.{name}.base_url: it must begin with http:// or https://.")
    return _bedrock(name, settings) if settings.kind == "bedrock" else _vertex(name, settings)


def _bedrock(name: str, settings: EngineSettings) -> BedrockUpstream:
    from understudy.engines.bedrock import BedrockSettings, BedrockUpstream, key_of_environment, region_of_environment

    key = key_of(name, settings) or key_of_environment()
    region = settings.region or region_of_environment()
    if key is None:
        _check_installed(name, settings.kind)
    elif region is None:
        raise SettingsError(f"engines.{name}: region is needed, or the variable AWS_REGION.")
    return BedrockUpstream(
        name,
        BedrockSettings(
            region=region,
            base_url=settings.base_url,
            api_key=key,
            profile=settings.profile,
            inference_profile="" if settings.inference_profile == "none" else settings.inference_profile,
            betas=tuple(settings.betas),
            connect_timeout=settings.connect_timeout,
            first_byte_timeout=settings.first_byte_timeout,
            idle_timeout=settings.idle_timeout,
        ),
    )


def _vertex(name: str, settings: EngineSettings) -> VertexUpstream:
    from understudy.engines.vertex import VertexSettings, VertexUpstream

    if settings.region is None:
        raise SettingsError(f"engines.{name}: region is needed: a region of Google's, us, eu or global.")
    token = key_of(name, settings)
    if token is None:
        _check_installed(name, settings.kind)
    return VertexUpstream(
        name,
        VertexSettings(
            region=settings.region,
            project=settings.project,
            base_url=settings.base_url,
            token=token,
            betas=tuple(settings.betas),
            connect_timeout=settings.connect_timeout,
            first_byte_timeout=settings.first_byte_timeout,
            idle_timeout=settings.idle_timeout,
        ),
    )


def _check_installed(name: str, kind: str) -> None:
    try:
        found = importlib.util.find_spec(_MODULES[kind])
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise SettingsError(f"engines.{name}: kind {kind} takes an extra: pip install 'understudy[{kind}]'.")


async def check_engine(name: str, settings: EngineSettings) -> str | None:
    """Whether an upstream takes its credentials, in words for the operator; None where there is nothing to ask. No
    token is spent. Raises CheckError, SettingsError."""
    from understudy.engines.checking import check_list

    if settings.kind in {"bedrock", "vertex"}:
        upstream = cloud_upstream(name, settings)
        try:
            return await upstream.check()
        finally:
            await upstream.close()
    if settings.base_url is None:
        return None
    base, key = settings.base_url.rstrip("/"), key_of(name, settings)
    bearer = {} if key is None else {"authorization": f"Bearer {key}"}
    if settings.kind == "claude":
        from understudy.engines.claude.upstream import credentials_of

        headers = credentials_of(claude_settings(settings, base, key))
        return await check_list(f"{base}/v1/models?limit=1", {**headers, "anthropic-version": "2023-06-01"})
    if settings.kind == "llamacpp":
        base = base.removesuffix("/v1") + "/v1"
    return await check_list(f"{base}/models", bearer)
