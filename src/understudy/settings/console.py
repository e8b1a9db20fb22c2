"""The Console: whether it is served, under which names, and how people sign in."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from understudy.settings.room import Room

_URL = r"^https?://[^?#\s]+$"


class ConsoleSettings(Room):
    """The Console at `/console/`, and signing in to it (docs/console.md)."""

    enabled: bool = Field(default=True, description="Serve the Console and its routes.")
    hosts: list[str] = Field(
        default=[],
        description="Further host names by which browsers reach the Console. Those of the loopback interface, "
        "addresses, `server.host` and the host of `server.public_url` are known.",
    )
    session_lifetime: float = Field(
        default=7 * 86_400.0, ge=60, le=365 * 86_400.0, description="Seconds after which a session ends in any case."
    )
    session_idle_timeout: float = Field(
        default=86_400.0, ge=60, le=365 * 86_400.0, description="Seconds without a request after which a session ends."
    )
    min_password_length: int = Field(default=12, ge=8, le=128, description="Least characters of a new password.")
    oidc_issuer: str | None = Field(
        default=None,
        pattern=_URL,
        description="Issuer URL of an OpenID Connect provider that signs people in; https, and a public host or one "
        "that `net.allow` names. Takes the extra `federation`.",
    )
    oidc_client_id: str | None = Field(default=None, description="Client id that the provider gave.")
    oidc_client_secret: SecretStr | None = Field(default=None, description="Client secret, if the provider gave one.")
    oidc_name: str = Field(
        default="single sign-on", min_length=1, max_length=60, description="What the button for it says."
    )

    @model_validator(mode="after")
    def _whole(self) -> ConsoleSettings:
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("console.oidc_issuer and console.oidc_client_id are given together")
        return self
