"""A stored file, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """Times are seconds since the epoch; `sha256` is hexadecimal. `stored`: there are bytes to be read."""

    id: str
    organization_id: str
    workspace_id: str
    filename: str
    mime_type: str
    size_bytes: int
    sha256: str
    created_at: float
    expires_at: float | None
    downloadable: bool
    stored: bool

    @property
    def blob(self) -> str:
        """The name of its bytes."""
        return blob_name(self.workspace_id, self.id)

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now


PREFIX = "files"


def blob_name(workspace_id: str, file_id: str) -> str:
    return f"{PREFIX}/{workspace_id}/{file_id}"
