"""Work of commands on an installation's own database and storage, without a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import typer

from understudy.app import Foundations, open_foundations
from understudy.http.principal import Owner
from understudy.settings import Settings, SettingsError, load_settings
from understudy.storage.blobs import BlobsError
from understudy.wire.errors import ApiError

_T = TypeVar("_T")


def on_installation(
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    work: Callable[[Settings, Foundations, Owner], Awaitable[_T]],
) -> _T:
    """What `work` makes of the installation, for `workspace` or its default one.

    What the API or the storage refuses is said on stderr, and ends the command with status 1. Raises SettingsError.
    """
    settings = load_settings(config, {"storage": {"data_dir": data_dir}})
    if (settings.storage.blobs or "").startswith("memory:"):
        raise SettingsError("storage.blobs: what is in a server's memory cannot be reached from here.")

    async def run() -> _T:
        foundations = await open_foundations(settings)
        try:
            installation = await foundations.organizations.ensure_installation()
            owner = Owner(installation.organization_id, workspace or installation.workspace_id)
            return await work(settings, foundations, owner)
        finally:
            await foundations.db.dispose()

    try:
        return asyncio.run(run())
    except (ApiError, BlobsError) as error:
        print(f"understudy: {error.message if isinstance(error, ApiError) else error}", file=sys.stderr)
        raise typer.Exit(1) from None


def when(seconds: float | None) -> str:
    """A moment as tables show it; nothing for none."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
