"""The combinations of organization, workspace, key, model and so on that usage is told apart by, as numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.storage.database import Database
from understudy.storage.insert import RowInsert
from understudy.usage.rows import USAGE_COLUMNS, Row
from understudy.usage.tables import DIMENSIONS, usage_dimensions

Key = tuple[str, ...]

# Combinations that are remembered; more than an installation uses within a day.
_MOST_KNOWN: Final = 50_000

REMEMBERED: Final = 12 * 3_600.0
"""Seconds after which all of them are looked up again: some may have been removed (condensing.py)."""

_values = itemgetter(*map(USAGE_COLUMNS.index, DIMENSIONS))
_FIND: Final = select(usage_dimensions.c.id).where(
    *(usage_dimensions.c[name] == bindparam(name) for name in DIMENSIONS)
)


# What a row that does not say is reported as.
_OTHERWISE: Final = {"service_tier": "standard", "inference_geo": "not_available", "speed": "standard"}
_DEFAULTS: Final = tuple(_OTHERWISE.get(name, "") for name in DIMENSIONS)


def key_of(usage_row: Row) -> Key:
    """The combination of a usage row."""
    return tuple([value or default for value, default in zip(_values(usage_row), _DEFAULTS, strict=True)])


class Dimensions:
    """Numbers of combinations. What a transaction has made is remembered once that has committed."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._insert = RowInsert(db, usage_dimensions, DIMENSIONS, DIMENSIONS)
        # On PostgreSQL what is found stays until the transaction ends (see condensing.py).
        self._find = _FIND if db.dialect == "sqlite" else _FIND.with_for_update(key_share=True, read=True)
        self._clock = clock
        self._known: dict[Key, int] = {}
        self._known_until = 0.0

    async def numbers(self, connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, int]:
        """The number of each of `keys`; those that are new are made in the connection's transaction."""
        found: dict[Key, int] = {}
        now = self._clock()
        if now >= self._known_until:
            self._known.clear()
            self._known_until = now + REMEMBERED
        # In one order, so that two servers that make the same ones do not wait for each other in a circle.
        for key in sorted(set(keys)):
            known = self._known.get(key)
            found[key] = await self._number(connection, key) if known is None else known
        return found

    def remember(self, numbers: dict[Key, int]) -> None:
        """`numbers` stand in the database for good."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known.update(numbers)

    async def _number(self, connection: AsyncConnection, key: Key) -> int:
        parameters: dict[str, Any] = dict(zip(DIMENSIONS, key, strict=True))
        found: int | None = (await connection.execute(self._find, parameters)).scalar()
        if found is not None:
            return found
        await self._insert.run(connection, [key])
        made: int = (await connection.execute(self._find, parameters)).scalar_one()
        return made
