"""A file as the API shows it: today's shape, the one of the beta, and the one of managed agents.

Source: SDK 2.12 (FileMetadata, BetaFileMetadata), the release note of the Files API's general availability (2026-08),
and recorded answers of the beta, whose keys stand in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from understudy.files.file import File

OLD_BETA: Final = "files-api-2025-04-14"
AGENTS_BETA: Final = "managed-agents-2026-04-01"


@dataclass(frozen=True, slots=True)
class Shape:
    """`expires`: files may expire and say when. `scoped`: they say what they belong to within the workspace.

    `by_id`, `by_page`: which cursors a list takes and gives.
    """

    expires: bool = True
    scoped: bool = False
    by_id: bool = False
    by_page: bool = True


TODAY: Final = Shape()
OLD: Final = Shape(expires=False, by_id=True, by_page=False)
AGENTS: Final = Shape(scoped=True, by_id=True)


def shape_for(betas: Sequence[str]) -> Shape:
    """The shape that a request's betas ask for."""
    if OLD_BETA in betas:
        return OLD
    return AGENTS if AGENTS_BETA in betas else TODAY


def file_metadata(file: File, shape: Shape = TODAY) -> dict[str, Any]:
    """The object of a file."""
    shown: dict[str, Any] = {
        "type": "file",
        "id": file.id,
        "size_bytes": file.size_bytes,
        "created_at": _time(file.created_at),
        "filename": file.filename,
        "mime_type": file.mime_type,
        "downloadable": file.downloadable,
    }
    if shape.expires:
        shown["expires_at"] = None if file.expires_at is None else _time(file.expires_at)
    if shape.scoped:
        # What it would belong to is a session of an agent, and there are none here.
        shown["scope"] = None
    return shown


def _time(seconds: float) -> str:
    """Milliseconds, written as microseconds: so recorded."""
    told = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    return told.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
