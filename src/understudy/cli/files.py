"""`understudy files`: the files of a workspace, in the database and the storage that the server uses."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from understudy.app import make_files
from understudy.cli.offline import on_installation, when
from understudy.files.file import File
from understudy.files.media_types import HEAD, media_type_of
from understudy.files.names import clean_filename
from understudy.files.pages import FileListParams
from understudy.files.service import Described, FileService
from understudy.http.principal import Owner
from understudy.settings import SettingsError
from understudy.storage.blob_writer import BlobWriter

T = TypeVar("T")

_PIECE = 1024 * 1024
_PAGE = 1_000


def _with_files(
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    work: Callable[[FileService, Owner], Awaitable[T]],
) -> T:
    return on_installation(
        config,
        data_dir,
        workspace,
        lambda settings, foundations, owner: work(make_files(settings, foundations.db, foundations.root), owner),
    )


def show(config: Path | None, data_dir: Path | None, workspace: str | None) -> None:
    """Print a workspace's files as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    async def read(service: FileService, owner: Owner) -> list[File]:
        found: list[File] = []
        params = FileListParams(limit=_PAGE)
        while True:
            page = await service.list(owner.workspace_id, params)
            found += page.files
            if page.next_page is None:
                return found
            params = FileListParams(limit=_PAGE, page=page.next_page)

    table = Table("id", "filename", "type", "bytes", "created", "expires", "downloadable")
    for file in _with_files(config, data_dir, workspace, read):
        # A name is no markup.
        table.add_row(
            file.id,
            Text(file.filename),
            Text(file.mime_type),
            f"{file.size_bytes:,}",
            when(file.created_at),
            "never" if file.expires_at is None else when(file.expires_at),
            "yes" if file.downloadable else "no",
        )
    # A pipe has no width of its own; nothing may be cut off there.
    Console(width=None if sys.stdout.isatty() else 400).print(table)


def upload(
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    path: Path,
    media_type: str | None,
    expires_in_seconds: int | None,
) -> None:
    """Print a new file's id on stdout, and nothing else there."""

    async def store(service: FileService, owner: Owner) -> File:
        async def fill(writer: BlobWriter) -> Described:
            with path.open("rb") as source:
                head = source.read(HEAD)
                declared = media_type_of(media_type, path.name, head)
                name = clean_filename(path.name, declared)
                service.check_size(size)
                piece = head
                while piece:
                    await writer.write(piece)
                    service.check_size(writer.size)
                    piece = await asyncio.to_thread(source.read, _PIECE)
            return Described(name, declared, service.config.downloadable_uploads, expires_in_seconds)

        return await service.create(owner, fill)

    if not path.is_file():
        raise SettingsError(f"There is no file {path}.")
    size = path.stat().st_size
    try:
        file = _with_files(config, data_dir, workspace, store)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    print(file.id)
    print(f"Stored {file.filename!r}: {file.size_bytes:,} bytes of {file.mime_type}.", file=sys.stderr)


def download(config: Path | None, data_dir: Path | None, workspace: str | None, file_id: str, to: Path | None) -> None:
    """Write a file's bytes to `to`, or to its own name in the current directory. Half a file is not left there."""

    async def fetch(service: FileService, owner: Owner) -> tuple[File, Path | None]:
        file = await service.usable(owner.workspace_id, file_id)
        if to == Path("-"):
            async for piece in await service.content(file):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return file, None
        target = to or Path(file.filename)
        # Before anything is read.
        with target.open("xb") as sink:
            try:
                async for piece in await service.content(file):
                    sink.write(piece)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
        return file, target

    try:
        file, target = _with_files(config, data_dir, workspace, fetch)
    except FileExistsError as error:
        raise SettingsError(f"{error.filename} is there already; say another name with --to.") from None
    except OSError as error:
        raise SettingsError(f"{to or 'the file'} cannot be written: {error.strerror}.") from None
    if target is not None:
        print(f"Wrote {target}: {file.size_bytes:,} bytes of {file.mime_type}.", file=sys.stderr)


def delete(config: Path | None, data_dir: Path | None, workspace: str | None, file_id: str) -> None:
    _with_files(config, data_dir, workspace, lambda service, owner: service.delete(owner.workspace_id, file_id))
    print(f"Deleted {file_id}.")
