"""Credentials of the clouds whose flavours of the API are served."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from understudy.settings.room import Room


class AwsKeySettings(Room):
    """An AWS access key that requests may be signed with. `[[clouds.aws_keys]]` in the configuration file."""

    access_key_id: str = Field(pattern=r"^[A-Za-z0-9_]{16,128}$", description="`AKIA…`, or what you like of that kind.")
    secret_access_key: SecretStr = Field(min_length=1, description="The secret that belongs to it.")
    session_token: SecretStr | None = Field(
        default=None, min_length=1, description="Requests must carry it too, as those with temporary credentials do."
    )
    workspace: str | None = Field(
        default=None, description="Id of the workspace that it stands for. Default: the default workspace."
    )


class CloudTokenSettings(Room):
    """A key or token that a cloud's clients may send as it is. `[[clouds.tokens]]` in the configuration file."""

    cloud: Literal["bedrock", "vertex", "foundry", "aws"] = Field(description="Where it is accepted.")
    token: SecretStr = Field(min_length=1, description="A Bedrock API key, a Google access token, a key of Foundry, …")
    workspace: str | None = Field(
        default=None, description="Id of the workspace that it stands for. Default: the default workspace."
    )


class CloudIssuerSettings(Room):
    """Who signs tokens that are accepted, such as Google or Entra. `[[clouds.issuers]]` in the configuration file."""

    cloud: Literal["vertex", "foundry"] = Field(description="Where its tokens are accepted.")
    issuer: str = Field(min_length=1, description="The tokens' `iss`.")
    audience: str = Field(min_length=1, description="The tokens' `aud`.")
    jwks_url: str | None = Field(
        default=None, description="Where its keys are. Default: where its discovery document says."
    )
    jwks: list[dict[str, Any]] = Field(
        default_factory=list[dict[str, Any]], description="Its public keys; then nothing is fetched."
    )
    claims: dict[str, str] = Field(
        default_factory=dict[str, str], description="Claims that its tokens must have, with these values."
    )
    workspace: str | None = Field(
        default=None, description="Id of the workspace that they stand for. Default: the default workspace."
    )


class CloudsSettings(Room):
    """The flavours of Bedrock, Vertex AI, Foundry and Claude Platform on AWS, under `/bedrock`, `/vertex`, `/foundry`
    and `/aws`. Keys of this server are accepted in each; these are accepted besides."""

    aws_keys: list[AwsKeySettings] = Field(
        default_factory=list[AwsKeySettings], description="Access keys for SigV4, in the file only."
    )
    aws_regions: list[str] = Field(
        default_factory=list[str], description="Regions that requests may be signed for. Default: any."
    )
    aws_clock_skew: float = Field(
        default=300.0, gt=0, le=3600, description="Seconds by which a signature's time may differ from the server's."
    )
    tokens: list[CloudTokenSettings] = Field(
        default_factory=list[CloudTokenSettings], description="Fixed keys and tokens, in the file only."
    )
    issuers: list[CloudIssuerSettings] = Field(
        default_factory=list[CloudIssuerSettings],
        description="Issuers of tokens, in the file only. Takes the extra `federation`.",
    )

    @model_validator(mode="after")
    def _each_key_is_one(self) -> CloudsSettings:
        ids = [key.access_key_id for key in self.aws_keys]
        if len(ids) != len(set(ids)):
            raise ValueError("an access_key_id stands in aws_keys twice")
        sent = [(one.cloud, one.token.get_secret_value()) for one in self.tokens]
        if len(sent) != len(set(sent)):
            raise ValueError("a token stands in tokens twice")
        return self
