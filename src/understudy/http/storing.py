"""What clients are told when the storage of bytes fails."""

from __future__ import annotations

from typing import Final

import structlog

from understudy.storage.blobs import BlobsError, BlobsFullError
from understudy.wire.errors import ApiError

_log: Final = structlog.stdlib.get_logger("understudy.http")


class StorageUnavailableError(ApiError):
    """Where the bytes are kept does not answer, or is full. 503 is what SDKs know for it [guess]."""

    status = 503
    type = "api_error"
    default_message = "The server's file storage is not available. Please try again."
    retry = True


def storage_unavailable(error: BlobsError, what: str = "file storage") -> StorageUnavailableError:
    """The answer to a failure, which is logged."""
    _log.error(f"the {what} failed", reason=str(error)[:500])
    if isinstance(error, BlobsFullError):
        return StorageUnavailableError(f"The server's {what} is full.", retry=False)
    return StorageUnavailableError(f"The server's {what} is not available. Please try again.")
