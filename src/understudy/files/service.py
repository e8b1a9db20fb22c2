"""Files of workspaces: a row in the database and a blob for each, made and deleted together."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import astuple, fields
from typing import Any, Final, NamedTuple, TypeVar

import structlog
from sqlalchemy import Row, delete, insert, select

from understudy.files.config import FilesConfig
from understudy.files.errors import (
    file_expired,
    file_not_found,
    file_too_large,
    not_downloadable,
)
from understudy.files.file import File, blob_name
from understudy.files.pages import Cursors, FileListParams, page_of
from understudy.files.quota import Quota
from understudy.files.tables import files
from understudy.http.principal import Owner
from understudy.http.storing import StorageUnavailableError, storage_unavailable
from understudy.storage.blob_writer import BlobWriter
from understudy.storage.blobs import BlobNotFoundError, Blobs, BlobsError
from understudy.storage.database import Database
from understudy.storage.finishing import to_the_end
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import ApiError, InvalidRequestError
from understudy.wire.ids import new_id

_T = TypeVar("_T")

_log = structlog.stdlib.get_logger("understudy.files")

_COLUMNS: Final = [files.c[field.name] for field in fields(File)]


class Described(NamedTuple):
    """What a new file is. `expires_in`: seconds from now, None for never."""

    filename: str
    mime_type: str
    downloadable: bool = False
    expires_in: int | None = None


class Page(NamedTuple):
    """`more` lie behind it. `next_page` is the cursor of what lies there, for lists with opaque cursors."""

    files: list[File]
    more: bool
    next_page: str | None


class FileService:
    """`clock` tells seconds since the epoch. Errors are the API's."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        root: RootSecret,
        config: FilesConfig,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._cursors = Cursors(root)
        self.blobs = blobs
        self.config = config
        self.quota = Quota(db, config)
        self.clock = clock

    # --- making ---

    def check_size(self, size: int) -> None:
        """Raises RequestTooLargeError for a file of more bytes than one may have."""
        if size > self.config.max_bytes:
            raise file_too_large(self.config.max_bytes)

    async def create(self, owner: Owner, fill: Callable[[BlobWriter], Awaitable[Described]]) -> File:
        """Store what `fill` writes. If it raises, or is cancelled, nothing is left of the file.

        Raises also InvalidRequestError for an empty file or a full quota, StorageUnavailableError.
        """
        file_id = new_id("file_")
        name = blob_name(owner.workspace_id, file_id)
        try:
            async with self.blobs.writing(name) as writer:
                described = await fill(writer)
                if not writer.size:
                    raise InvalidRequestError("file: must not be empty")  # [guess]
        except BlobsError as error:
            raise storage_unavailable(error) from error
        created_at = round(self.clock(), 3)
        file = File(
            id=file_id,
            organization_id=owner.organization_id,
            workspace_id=owner.workspace_id,
            filename=described.filename,
            mime_type=described.mime_type,
            size_bytes=writer.size,
            sha256=writer.sha256,
            created_at=created_at,
            expires_at=None if described.expires_in is None else created_at + described.expires_in,
            downloadable=described.downloadable,
            stored=True,
        )
        # From here on the file is there or it is not, whoever goes away meanwhile.
        await to_the_end(self._keep(owner, file))
        return file

    async def _keep(self, owner: Owner, file: File) -> None:
        try:
            async with self._db.begin() as connection:
                await self.quota.book(connection, owner, file.size_bytes)
                values = dict(zip((column.name for column in _COLUMNS), astuple(file), strict=True))
                await connection.execute(insert(files).values(values))
        except ApiError:
            await self._unlink([file.blob])
            raise
        except Exception:
            # Whether it was committed only the database knows; where that is silent the sweeper asks again later.
            if not await self._is_there(file.id):
                await self._unlink([file.blob])
            raise

    async def _is_there(self, file_id: str) -> bool:
        try:
            async with self._db.connect() as connection:
                return (await connection.execute(select(files.c.id).where(files.c.id == file_id))).first() is not None
        except Exception:
            return True

    # --- reading ---

    async def retrieve(self, workspace_id: str, file_id: str) -> File:
        """Metadata, of an expired file too. A file of another workspace is not found."""
        query = select(*_COLUMNS).where(files.c.id == file_id, files.c.workspace_id == workspace_id)
        async with self._db.connect() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise file_not_found(file_id)
        return _file(row)

    async def usable(self, workspace_id: str, file_id: str) -> File:
        """A file whose bytes can be had. NotFoundError for one that is not there, is another's, or has expired."""
        file = await self.retrieve(workspace_id, file_id)
        if not file.stored or file.is_expired(self.clock()):
            raise file_expired(file_id)
        return file

    async def downloadable(self, workspace_id: str, file_id: str, *, coded: bool = True) -> File:
        """A file whose bytes a client may have. `coded`: errors have their codes."""
        file = await self.usable(workspace_id, file_id)
        if not file.downloadable:
            raise not_downloadable(file_id, coded=coded)
        return file

    async def content(self, file: File, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes of a usable file from `start` up to `end`, in pieces; opened before it returns."""
        try:
            return await self.blobs.stream(file.blob, start, end)
        except BlobNotFoundError:
            # It was deleted a moment ago, or somebody took its blob away.
            if not (await self.usable(file.workspace_id, file.id)).stored:
                raise file_expired(file.id) from None
            _log.error("the bytes of a file are missing", file_id=file.id)
            raise StorageUnavailableError(retry=False) from None
        except BlobsError as error:
            raise storage_unavailable(error) from error

    async def read(self, file: File) -> bytes:
        """All bytes of a usable file, which must be known to be small enough."""
        pieces = await self.content(file)
        try:
            return b"".join([piece async for piece in pieces])
        except BlobsError as error:
            raise storage_unavailable(error) from error

    async def list(self, workspace_id: str, params: FileListParams) -> Page:
        """A page, newest first."""
        async with self._db.connect() as connection:
            rows, more = await page_of(connection, select(*_COLUMNS), workspace_id, params, self._cursors)
        found = [_file(row) for row in rows]
        next_page = self._cursors.make(workspace_id, found[-1].created_at, found[-1].id) if more and found else None
        return Page(found, more, next_page)

    async def named(self, workspace_id: str, ids: Sequence[str]) -> list[File]:
        """Those of `ids` that there are, newest first."""
        query = select(*_COLUMNS).where(files.c.id.in_(ids), files.c.workspace_id == workspace_id)
        async with self._db.connect() as connection:
            rows = await connection.execute(query.order_by(files.c.created_at.desc(), files.c.id.desc()))
            return [_file(row) for row in rows]

    # --- deleting ---

    async def delete(self, workspace_id: str, file_id: str) -> None:
        """Delete a file, an expired one too: its row, its room in the quota, and its bytes."""
        await to_the_end(self._delete(workspace_id, file_id))

    async def _delete(self, workspace_id: str, file_id: str) -> None:
        statement = delete(files).where(files.c.id == file_id, files.c.workspace_id == workspace_id)
        async with self._db.begin() as connection:
            row = (await connection.execute(statement.returning(*_COLUMNS))).first()
            if row is None:
                raise file_not_found(file_id)
            file = _file(row)
            if file.stored:
                await self.quota.release(connection, Owner(file.organization_id, workspace_id), file.size_bytes)
        if file.stored:
            await self._unlink([file.blob])

    async def _unlink(self, names: Sequence[str]) -> None:
        try:
            await self.blobs.delete(names)
        except BlobsError as error:
            # Nobody can reach them any more; the sweeper deletes them when the store is back.
            _log.warning("blobs could not be deleted", names=list(names), reason=str(error)[:300])


def _file(row: Row[Any]) -> File:
    # In the order of the columns, which is that of the fields.
    return File(*row)
