"""Archives of versions as blobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import IO, Final, NamedTuple

import structlog

from understudy.http.storing import StorageUnavailableError, storage_unavailable
from understudy.skills.archives import PIECE
from understudy.storage.blobs import BlobNotFoundError, Blobs, BlobsError
from understudy.wire.errors import ApiError

_log: Final = structlog.stdlib.get_logger("understudy.skills")


class Stored(NamedTuple):
    """`size` in bytes, `sha256` in hexadecimal."""

    size: int
    sha256: str


class Archives:
    """Errors are the API's, but for BlobNotFoundError."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    async def write(self, name: str, archive: IO[bytes]) -> Stored:
        """Keep an archive from its first byte on. If it fails nothing is left."""
        archive.seek(0)
        try:
            async with self.blobs.writing(name) as writer:
                while piece := archive.read(PIECE):
                    await writer.write(piece)
        except BlobsError as error:
            raise storage_unavailable(error) from error
        return Stored(writer.size, writer.sha256)

    async def stream(self, name: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """Pieces of an archive, which is opened before it returns. Raises BlobNotFoundError too."""
        try:
            return await self.blobs.stream(name, start, end)
        except BlobNotFoundError:
            raise
        except BlobsError as error:
            raise storage_unavailable(error) from error

    async def unlink(self, names: Sequence[str]) -> None:
        try:
            await self.blobs.delete(names)
        except BlobsError as error:
            # Nobody can reach them any more; the sweeper deletes them when the store is back.
            _log.warning("blobs could not be deleted", names=list(names), reason=str(error)[:300])

    def missing(self, version_id: str) -> ApiError:
        """Somebody took a blob away."""
        _log.error("the files of a skill are missing", version_id=version_id)
        return StorageUnavailableError(retry=False)
