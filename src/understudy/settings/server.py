"""How the server listens, answers and logs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from understudy.settings.room import Room


class ServerSettings(Room):
    """Where the server listens and how it stops."""

    host: str = Field(default="127.0.0.1", description="Address to listen on. Loopback unless you say otherwise.")
    port: int = Field(default=8484, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$",
        description="Where clients reach the server, for URLs in answers, such as `https://api.example.com`. "
        "Default: what each request was sent to, which behind a proxy with TLS is not it.",
    )
    workers: int = Field(default=1, ge=1, le=256, description="Server processes that share the port.")
    tls_cert: Path | None = Field(default=None, description="PEM file with the certificate chain; turns TLS on.")
    tls_key: Path | None = Field(default=None, description="PEM file with the certificate's private key.")
    drain_timeout: float = Field(
        default=30.0,
        ge=0,
        description="Seconds that open requests and streams get to end after SIGTERM, before they are cut.",
    )


class HttpSettings(Room):
    """Bounds on what a client may send, and on how slowly."""

    max_header_bytes: int = Field(
        default=65_536, ge=8_192, description="Bytes of a request's line and headers; more is a 431."
    )
    header_timeout: float = Field(
        default=10.0, gt=0, description="Seconds in which all headers of a request must arrive."
    )
    body_timeout: float = Field(
        default=60.0, gt=0, description="Seconds without a byte of an unfinished body before a 408."
    )
    write_timeout: float = Field(
        default=60.0,
        gt=0,
        description="Seconds a client gets to take what waits for it before it is cut off.",
    )
    keep_alive_timeout: float = Field(default=75.0, gt=0, description="Seconds an idle connection is kept open.")
    max_body_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1_024, description="Bytes of a Messages request's body, before and after decoding."
    )


class StreamSettings(Room):
    """How streams are framed."""

    ping_interval: float = Field(
        default=10.0, gt=0, description="Seconds of silence in a stream after which a ping is sent."
    )
    padding: bool = Field(default=False, description="Pad events with spaces as the real service does; seeded.")


class ScenarioSettings(Room):
    """Scripted answers and faults, for tests of programs that call the API (docs/testing-your-app.md)."""

    file: Path | None = Field(
        default=None, description="Scenario (TOML or JSON) that is loaded at the start. It takes one worker."
    )
    kept_requests: int = Field(
        default=1_000, ge=1, le=100_000, description="Received requests kept in memory while a scenario is loaded."
    )


class LoggingSettings(Room):
    """What is logged. Bodies and keys never are."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    requests: bool = Field(default=True, description="Log a line for every request.")
