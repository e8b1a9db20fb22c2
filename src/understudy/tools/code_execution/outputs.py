"""What a call left in its output directory, stored as files that the client may download."""

from __future__ import annotations

import re
from posixpath import basename, dirname
from typing import Final, NamedTuple

from understudy.files.media_types import HEAD, media_type_of
from understudy.files.names import clean_filename
from understudy.files.service import Described, FileService
from understudy.http.principal import Owner
from understudy.sandbox.interface import PathError, Sandbox, StoredFile
from understudy.storage.blob_writer import BlobWriter
from understudy.tools.code_execution.reading import let_go
from understudy.wire.errors import ApiError

# Files of one call that are passed on [guess].
_MOST_FILES: Final = 100
_FORBIDDEN: Final = re.compile('[<>:"|?*\\\\/\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
_LONGEST_NAME: Final = 255


class OutputTooLargeError(Exception):
    """A file has more bytes than one may have."""


class Kept(NamedTuple):
    """Ids of the files that were stored, in the order of their names, and what is to be said of the others."""

    file_ids: list[str]
    remarks: list[str]


async def keep_outputs(service: FileService, owner: Owner, sandbox: Sandbox, directory: str) -> Kept:
    """Store the files at the top of `directory`. Raises OutputTooLargeError before any is stored."""
    try:
        found = [file for file in await sandbox.files(directory) if dirname(file.path) == directory.rstrip("/")]
    except PathError:
        return Kept([], [])
    if any(file.size > service.config.max_bytes for file in found):
        raise OutputTooLargeError
    kept = Kept([], [])
    for file in found[:_MOST_FILES]:
        name = basename(file.path)
        if not file.size:
            kept.remarks.append(f"{name} is empty and was not passed on.")
            continue
        try:
            kept.file_ids.append(await _store(service, owner, sandbox, file))
        except ApiError as error:
            kept.remarks.append(f"{name} could not be passed on: {error.message}")
        except PathError as error:
            kept.remarks.append(f"{name} could not be passed on: {error}")
    if len(found) > _MOST_FILES:
        kept.remarks.append(f"Only {_MOST_FILES} of {len(found)} files were passed on.")
    return kept


async def _store(service: FileService, owner: Owner, sandbox: Sandbox, file: StoredFile) -> str:
    name = _FORBIDDEN.sub("_", basename(file.path))[-_LONGEST_NAME:]

    async def fill(writer: BlobWriter) -> Described:
        head = b""
        data = sandbox.get(file.path)
        try:
            async for piece in data:
                if len(head) < HEAD:
                    head += piece[: HEAD - len(head)]
                await writer.write(piece)
        finally:
            await let_go(data)
        kind = media_type_of(None, name, head)
        return Described(clean_filename(name, kind), kind, downloadable=True)

    return (await service.create(owner, fill)).id
