"""How Vertex AI is reached."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VertexSettings:
    """Credentials, and a `project` that is None, are those of Google's own chain: variables, files, the machine's
    service account. `token`, an access token, takes their place and is sent as it is.

    `region` is a region, `us`, `eu` or `global`. `base_url` is what `/projects/…` is added to; None is Google's own.
    `betas`: further ones that Vertex AI knows. Timeouts are as in ClaudeSettings.
    """

    region: str
    project: str | None = None
    base_url: str | None = None
    token: str | None = field(default=None, repr=False)
    betas: tuple[str, ...] = ()
    connect_timeout: float = 10.0
    first_byte_timeout: float = 600.0
    idle_timeout: float = 300.0

    @property
    def url(self) -> str:
        if self.base_url is not None:
            return self.base_url.rstrip("/")
        match self.region:
            case "global":
                host = "aiplatform.googleapis.com"
            case "us" | "eu":
                host = f"aiplatform.{self.region}.rep.googleapis.com"
            case _:
                host = f"{self.region}-aiplatform.googleapis.com"
        return f"https://{host}/v1"
