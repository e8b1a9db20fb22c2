"""How Bedrock is reached."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BedrockSettings:
    """Credentials, and a `region` that is None, are those of AWS's own chain: variables, files (`profile` names one of
    theirs), roles. With an `api_key`, a Bedrock API key, nothing is signed.

    `base_url` is what `/model/…` is added to; None is AWS's own. `inference_profile` is the area before the ids of
    public models; None is the region's, "" none. `betas`: further ones that Bedrock knows. Timeouts are as in
    ClaudeSettings.
    """

    region: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    profile: str | None = None
    inference_profile: str | None = None
    betas: tuple[str, ...] = ()
    connect_timeout: float = 10.0
    first_byte_timeout: float = 600.0
    idle_timeout: float = 300.0


def key_of_environment() -> str | None:
    """The Bedrock API key that AWS's own chain takes before all other credentials."""
    return os.environ.get("AWS_BEARER_TOKEN_BEDROCK") or None


def region_of_environment() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None
