"""How the Skills API is set up. `app` fills it from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SkillsConfig:
    """`max_bytes`: of all files of a version, uncompressed (Skills guide, 2026-08: 30 MB).

    `max_files`: how many they may be [guess: the service must have a bound, and does not say which].
    """

    max_bytes: int = 30 * MEGABYTE
    max_files: int = 2_000
