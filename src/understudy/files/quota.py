"""How much room files may take: checked and booked in the transaction that makes a file, so that no race passes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.files.config import FilesConfig
from understudy.files.errors import quota_exceeded
from understudy.files.tables import file_storage
from understudy.http.principal import Owner
from understudy.storage.database import Database
from understudy.storage.insert import insert_ignoring

_bytes: Final = file_storage.c.bytes


class Quota:
    """The bounds of an organization and of each of its workspaces."""

    def __init__(self, db: Database, config: FilesConfig) -> None:
        self._db = db
        self._config = config
        # Bytes of uploads that this process is receiving, by owner.
        self._receiving: Counter[str] = Counter()

    def _bounds(self, owner: Owner) -> Sequence[tuple[str, int | None, str]]:
        # Always in this order: two transactions never wait for each other's row.
        return (
            (owner.organization_id, self._config.organization_bytes, "organization"),
            (owner.workspace_id, self._config.workspace_bytes, "workspace"),
        )

    async def used(self, owner_id: str) -> int:
        """Bytes of the stored files of an organization or a workspace."""
        async with self._db.connect() as connection:
            return (await connection.execute(select(_bytes).where(file_storage.c.owner_id == owner_id))).scalar() or 0

    @contextmanager
    def receiving(self, owner: Owner, used: Sequence[int]) -> Generator[_Receiving]:
        """While an upload of unknown size comes in. `used` is what is taken already, as `used_by` told."""
        room = _Receiving(self._receiving, self._bounds(owner), used)
        try:
            yield room
        finally:
            room.give_back()

    async def used_by(self, owner: Owner) -> list[int]:
        """Of the organization and of the workspace, in that order. Nothing is read where nothing bounds it."""
        return [0 if most is None else await self.used(name) for name, most, _ in self._bounds(owner)]

    async def book(self, connection: AsyncConnection, owner: Owner, size: int) -> None:
        """Take room in this transaction. Raises InvalidRequestError (storage_quota_exceeded) where there is none."""
        for name, most, of in self._bounds(owner):
            statement = update(file_storage).where(file_storage.c.owner_id == name).values(bytes=_bytes + size)
            if most is not None:
                if size > most:
                    raise quota_exceeded(most, of)
                statement = statement.where(_bytes <= most - size)
            if (await connection.execute(statement)).rowcount:
                continue
            # There is no row yet, or no room.
            row = insert_ignoring(self._db, file_storage, ["owner_id"]).values(owner_id=name, bytes=0)
            await connection.execute(row)
            if not (await connection.execute(statement)).rowcount:
                raise quota_exceeded(most or 0, of)

    async def release(self, connection: AsyncConnection, owner: Owner, size: int) -> None:
        """Give room back in this transaction."""
        less = case((_bytes > size, _bytes - size), else_=0)
        for name, _, _ in self._bounds(owner):
            await connection.execute(update(file_storage).where(file_storage.c.owner_id == name).values(bytes=less))


class _Receiving:
    """Refuses an upload as soon as it is known that it will not fit beside those that come in with it.

    That spares the disk; what counts is the booking at the end.
    """

    def __init__(
        self, receiving: Counter[str], bounds: Sequence[tuple[str, int | None, str]], used: Sequence[int]
    ) -> None:
        self._receiving = receiving
        self._bounds = [
            (name, most, of, taken) for (name, most, of), taken in zip(bounds, used, strict=True) if most is not None
        ]
        self._taken = 0

    def expect(self, size: int) -> None:
        """At least so many bytes are to come."""
        for name, most, of, used in self._bounds:
            if used + self._receiving[name] + size > most:
                raise quota_exceeded(most, of)

    def take(self, size: int) -> None:
        """So many bytes have come."""
        self._taken += size
        for name, _, _, _ in self._bounds:
            self._receiving[name] += size
        self.expect(0)

    def give_back(self) -> None:
        for name, _, _, _ in self._bounds:
            self._receiving[name] -= self._taken
            if self._receiving[name] <= 0:
                del self._receiving[name]
