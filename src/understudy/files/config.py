"""How the Files API is set up. `app` fills it from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FilesConfig:
    """All sizes in bytes; None bounds nothing. Defaults are the service's (Files guide, 2026-08).

    `downloadable_uploads`: clients may download what clients uploaded, which the service refuses.
    """

    max_bytes: int = 500 * _MEGABYTE
    organization_bytes: int | None = 1024 * 1024 * _MEGABYTE
    workspace_bytes: int | None = None
    downloadable_uploads: bool = False
