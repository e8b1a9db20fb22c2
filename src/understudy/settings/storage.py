"""Where state is kept."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr

from understudy.settings.room import Room


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "understudy"


class StorageSettings(Room):
    """Where state lives."""

    data_dir: Path = Field(
        default_factory=_default_data_dir, description="Directory of the embedded database and the root secret."
    )
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the database. Default: SQLite in the data directory."
    )
    blobs: str | None = Field(
        default=None,
        description="Where the bytes of files are kept: file:///directory, s3://bucket/prefix, gs://bucket/prefix, "
        "az://account/container/prefix or memory:///. Default: the data directory.",
    )


class RedisSettings(Room):
    """What several server processes share beside the database. It takes the extra `redis`."""

    url: SecretStr | None = Field(
        default=None,
        description="Redis: `redis://…`, `rediss://…` or `unix://…`. Default: each process has its own in memory.",
    )
    timeout: float = Field(
        default=0.5, gt=0, le=30, description="Seconds in which Redis must answer before requests go on without it."
    )


class SecuritySettings(Room):
    """The root secret, from which all hash, signature and encryption keys are derived."""

    root_secret: SecretStr | None = Field(
        default=None,
        description="At least 32 characters; several, separated by commas, while rotating: the first is used for what "
        "is new. Default: the file `root.secret` in the data directory, made at the first start.",
    )


class FilesSettings(Room):
    """What may be uploaded to the Files API, and how much of it."""

    max_bytes: int = Field(default=500 * 1024 * 1024, ge=1, description="Bytes of one file; more are a 413.")
    organization_bytes: int | None = Field(
        default=1024**4, ge=0, description="Bytes of all files of an organization; more are a 400."
    )
    workspace_bytes: int | None = Field(
        default=None, ge=0, description="Bytes of all files of one workspace. Default: no bound of its own."
    )
    downloadable_uploads: bool = Field(
        default=False, description="Let clients download what clients uploaded, which the real service refuses."
    )


class SkillsSettings(Room):
    """What may be uploaded to the Skills API."""

    max_bytes: int = Field(
        default=30 * 1024 * 1024, ge=1, description="Bytes of all files of a skill, uncompressed; more are a 413."
    )
    max_files: int = Field(default=2_000, ge=1, le=20_000, description="Files of a skill; more are a 400.")
