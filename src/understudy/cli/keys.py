"""`understudy keys`: make, list and revoke keys, in the database that the server uses."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import typer

from understudy.app import open_foundations
from understudy.organization.service import ApiKey, Organizations
from understudy.settings import load_settings
from understudy.wire.errors import ApiError

T = TypeVar("T")


def _with_organizations(config: Path | None, data_dir: Path | None, work: Callable[[Organizations], Awaitable[T]]) -> T:
    settings = load_settings(config, {"storage": {"data_dir": data_dir}})

    async def run() -> T:
        foundations = await open_foundations(settings)
        try:
            return await work(foundations.organizations)
        finally:
            await foundations.db.dispose()

    try:
        return asyncio.run(run())
    except ApiError as error:
        print(f"understudy: {error.message}", file=sys.stderr)
        raise typer.Exit(1) from None


def create(config: Path | None, data_dir: Path | None, name: str, admin: bool, expires_in_days: float | None) -> None:
    """Print a new key's secret on stdout, and nothing else there."""
    expires_at = None if expires_in_days is None else time.time() + expires_in_days * 86_400
    kind = "admin" if admin else "api"
    new = _with_organizations(config, data_dir, lambda service: service.create_key(name, kind, expires_at))
    print(new.secret)
    print(f"Made {new.key.id} ({kind} key {name!r}). The secret above is shown this once.", file=sys.stderr)


def _when(seconds: float | None) -> str:
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def show(config: Path | None, data_dir: Path | None) -> None:
    """Print all keys as a table."""
    from rich.console import Console
    from rich.table import Table

    keys: list[ApiKey] = _with_organizations(config, data_dir, lambda service: service.list_keys())
    table = Table("id", "kind", "name", "key", "status", "created", "last used", "expires")
    now = time.time()
    for key in keys:
        expired = key.status == "active" and not key.is_live(now)
        table.add_row(
            key.id,
            key.kind,
            key.name,
            key.partial_key_hint,
            "expired" if expired else key.status,
            _when(key.created_at),
            _when(key.last_used_at),
            _when(key.expires_at),
        )
    # A pipe has no width of its own; nothing may be cut off there.
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def revoke(config: Path | None, data_dir: Path | None, key_id: str) -> None:
    key = _with_organizations(config, data_dir, lambda service: service.revoke_key(key_id))
    print(f"Revoked {key.id} ({key.name!r}, {key.partial_key_hint}).")
