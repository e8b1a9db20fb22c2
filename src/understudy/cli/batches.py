"""`understudy batches`: the batches of a workspace, in the database and the storage that the server uses."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from understudy.app import Foundations, make_batches, make_files
from understudy.batches.batch import Batch
from understudy.batches.service import BatchService
from understudy.cli.offline import on_installation, when
from understudy.http.pagination import PageParams
from understudy.http.principal import Owner
from understudy.settings import Settings, SettingsError

T = TypeVar("T")

_PAGE: Final = 1_000
_EVERY: Final = 0.5
_OUTCOMES: Final = ("succeeded", "errored", "canceled", "expired")


def _with_batches(
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    work: Callable[[BatchService, str], Awaitable[T]],
) -> T:
    def begin(settings: Settings, foundations: Foundations, owner: Owner) -> Awaitable[T]:
        blobs = make_files(settings, foundations.db, foundations.root).blobs
        return work(make_batches(settings, foundations.db, blobs, time.time), owner.workspace_id)

    return on_installation(config, data_dir, workspace, begin)


def show_all(config: Path | None, data_dir: Path | None, workspace: str | None) -> None:
    """Print a workspace's batches as a table."""
    from rich.console import Console
    from rich.table import Table

    async def read(service: BatchService, workspace_id: str) -> list[tuple[Batch, int]]:
        found: list[Batch] = []
        params = PageParams(limit=_PAGE)
        while True:
            page = await service.list(workspace_id, params)
            found += page.batches
            if not page.more:
                return [(batch, await service.answered(batch)) for batch in found]
            params = PageParams(limit=_PAGE, after_id=found[-1].id)

    table = Table("id", "status", "requests", "answered", *_OUTCOMES, "created", "ended")
    for batch, answered in _with_batches(config, data_dir, workspace, read):
        counts = [f"{getattr(batch, name):,}" for name in _OUTCOMES]
        table.add_row(
            batch.id,
            batch.status,
            f"{batch.total:,}",
            f"{answered:,}",
            *counts,
            when(batch.created_at),
            when(batch.ended_at),
        )
    # A pipe has no width of its own; nothing may be cut off there.
    Console(width=None if sys.stdout.isatty() else 400).print(table)


def show(config: Path | None, data_dir: Path | None, workspace: str | None, batch_id: str, *, wait: bool) -> None:
    """Print how far a batch is, on stderr as a bar; with `wait`, until it has ended."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    async def follow(service: BatchService, workspace_id: str) -> Batch:
        batch = await service.retrieve(workspace_id, batch_id)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(batch.status, total=batch.total)
            while True:
                progress.update(task, description=batch.status, completed=await service.answered(batch))
                if not wait or batch.status == "ended":
                    return batch
                await asyncio.sleep(_EVERY)
                batch = await service.retrieve(workspace_id, batch_id)

    batch = _with_batches(config, data_dir, workspace, follow)
    lines = {
        "id": batch.id,
        "status": batch.status,
        "requests": f"{batch.total:,}",
        **({name: f"{getattr(batch, name):,}" for name in _OUTCOMES} if batch.status == "ended" else {}),
        "created": when(batch.created_at),
        "expires": when(batch.expires_at),
        "canceled at": when(batch.cancel_initiated_at),
        "ended": when(batch.ended_at),
        "archived": when(batch.archived_at),
        "api key": batch.api_key_id or "",
        "version": batch.anthropic_version,
    }
    for name, value in lines.items():
        if value:
            print(f"{name:<12} {value}")


def cancel(config: Path | None, data_dir: Path | None, workspace: str | None, batch_id: str) -> None:
    """Have a batch end early."""
    _with_batches(config, data_dir, workspace, lambda service, of: service.cancel(of, batch_id))
    print(f"{batch_id} is being canceled.")


def results(config: Path | None, data_dir: Path | None, workspace: str | None, batch_id: str, to: Path | None) -> None:
    """Write the results of a batch, a JSON object a line, to `to` or stdout. Half of them are not left in a file."""

    async def write(service: BatchService, workspace_id: str) -> int:
        size = 0
        async for piece in await service.results(workspace_id, batch_id):
            size += len(piece)
            sink.write(piece)
        sink.flush()
        return size

    try:
        sink = sys.stdout.buffer if to is None else to.open("xb")
        try:
            size = _with_batches(config, data_dir, workspace, write)
        except BaseException:
            if to is not None:
                to.unlink(missing_ok=True)
            raise
        finally:
            if to is not None:
                sink.close()
    except FileExistsError as error:
        raise SettingsError(f"{error.filename} is there already; say another name with --to.") from None
    except OSError as error:
        raise SettingsError(f"{to or 'the output'} cannot be written: {error.strerror}.") from None
    if to is not None:
        print(f"Wrote {to}: {size:,} bytes.", file=sys.stderr)
