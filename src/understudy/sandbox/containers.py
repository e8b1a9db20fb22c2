"""Containers of workspaces: for each a row in the database and files on this machine, awake only while it is used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Row, delete, func, insert, select, update

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.held import Held, Running
from understudy.sandbox.interface import Container, Owner, Sandbox, SandboxUnavailableError
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.place import Place
from understudy.sandbox.readiness import Readiness
from understudy.sandbox.tables import containers
from understudy.storage.database import Database
from understudy.storage.finishing import to_the_end
from understudy.wire.errors import InvalidRequestError, NotFoundError, OverloadedError
from understudy.wire.ids import new_id

_TOMBSTONES: Final = 30 * 86_400.0
"""Seconds for which a removed container is still called expired, and not unknown."""
_SWEEP_EVERY: Final = 3_600.0
_SOME: Final = 50

_log = structlog.stdlib.get_logger("understudy.sandbox")


class ContainerService:
    """See interface.Containers. `shared`: other processes of this server use the same containers, which therefore fall
    asleep as soon as a run ends. `clock` tells seconds since the epoch."""

    def __init__(
        self,
        db: Database,
        config: SandboxConfig,
        data_dir: Path,
        *,
        shared: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._config = config
        self._place = Place(data_dir.expanduser() / "sandbox")
        self._readiness = Readiness(config, self._place)
        self._running = Running(config, self._place, shared=shared)
        self._clock = clock
        self._sweeper: asyncio.Task[None] | None = None
        self._swept_at = 0.0

    # --- the server's start and end ---

    async def start(self) -> None:
        """Remove what a killed server left. With mode `on`, raises SandboxUnavailableError if no code can be run."""
        if self._config.mode == "on":
            await self._readiness.check()
        if self._config.mode != "off" and self._place.exists:
            self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="containers")

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait({self._sweeper})
            self._sweeper = None
        await self._running.end()
        self._readiness.end()

    async def ready(self) -> None:
        try:
            await self._readiness.check()
        except SandboxUnavailableError as error:
            raise InvalidRequestError(f"Code execution is not available on this server: {error}") from None

    # --- containers ---

    async def create(self, owner: Owner) -> Container:
        await self.ready()
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="containers")
        await self._make_room(owner)
        now = self._clock()
        container_id = new_id("container_")
        async with self._db.begin() as connection:
            await connection.execute(
                insert(containers).values(
                    id=container_id,
                    organization_id=owner.organization_id,
                    workspace_id=owner.workspace_id,
                    place=self._readiness.place,
                    created_at=now,
                    used_at=now,
                    removed_at=None,
                )
            )
        return self._shown(container_id, now, now)

    @asynccontextmanager
    async def use(self, owner: Owner, container_id: str) -> AsyncGenerator[tuple[Container, Sandbox]]:
        await self.ready()
        row = await self._usable(owner, container_id)
        held = await self._take(container_id)
        try:
            # It may have gone while this run waited.
            row = await self._usable(owner, container_id)
            now = self._clock()
            async with self._db.begin() as connection:
                await connection.execute(update(containers).where(containers.c.id == container_id).values(used_at=now))
            yield self._shown(container_id, row.created_at, now), held.sandbox
        finally:
            await to_the_end(self._running.give_back(held))

    async def delete(self, owner: Owner, container_id: str) -> None:
        row = await self._row(owner, container_id)
        await self._look()
        held = await self._take(container_id)
        try:
            async with self._db.begin() as connection:
                await connection.execute(delete(containers).where(containers.c.id == row.id))
        finally:
            await to_the_end(self._running.give_back(held, remove=True))

    async def _take(self, container_id: str) -> Held:
        try:
            async with asyncio.timeout(self._config.queue_timeout):
                return await self._running.take(container_id, self._make)
        except TimeoutError:
            raise OverloadedError("Containers are in use. Try again later.") from None

    async def _look(self) -> None:
        try:
            await self._readiness.look()
        except SandboxUnavailableError as error:
            raise InvalidRequestError(f"Code execution is not available on this server: {error}") from None

    def _make(self, container_id: str) -> LocalSandbox:
        machine = self._readiness.machine
        assert machine is not None
        directory = self._place.directory(container_id)
        return LocalSandbox(machine, self._config, container_id, directory, self._place.environment)

    def _shown(self, container_id: str, created_at: float, used_at: float) -> Container:
        expires_at = min(used_at + self._config.shown_lifetime, created_at + self._config.kept)
        return Container(container_id, datetime.fromtimestamp(created_at, UTC), datetime.fromtimestamp(expires_at, UTC))

    async def _row(self, owner: Owner, container_id: str) -> Row[Any, Any, Any, Any]:
        query = select(containers.c.id, containers.c.place, containers.c.created_at, containers.c.removed_at).where(
            containers.c.id == container_id,
            containers.c.organization_id == owner.organization_id,
            containers.c.workspace_id == owner.workspace_id,
        )
        async with self._db.connect() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            # [guess] The texts of these three; the guide says only that such requests "return an error".
            raise NotFoundError(f"Container not found: {container_id}")
        return row

    async def _usable(self, owner: Owner, container_id: str) -> Row[Any, Any, Any, Any]:
        row = await self._row(owner, container_id)
        if row.removed_at is not None or row.created_at + self._config.kept <= self._clock():
            raise InvalidRequestError(f"Container has expired: {container_id}")
        if row.place != self._readiness.place:
            raise InvalidRequestError(f"Container {container_id} is kept by another server of this installation")
        return row

    # --- making room ---

    async def _make_room(self, owner: Owner) -> None:
        """Raises OverloadedError when every container that could go is in use."""
        if self._clock() >= self._swept_at + 60:
            self._swept_at = self._clock()
            await self._remove_expired()
        here = (containers.c.place == self._readiness.place, containers.c.removed_at.is_(None))
        of_organization = (*here, containers.c.organization_id == owner.organization_id)
        for where, most in (
            (of_organization, self._config.organization_containers),
            (here, self._config.max_containers),
        ):
            async with self._db.connect() as connection:
                count = (await connection.execute(select(func.count()).where(*where))).scalar_one()
                if count < most:
                    continue
                query = select(containers.c.id).where(*where).order_by(containers.c.used_at).limit(count - most + _SOME)
                candidates = list((await connection.execute(query)).scalars())
            for candidate in candidates:
                if count < most:
                    break
                count -= await self._remove(candidate)
            if count >= most:
                raise OverloadedError("All containers are in use. Try again later.")

    async def _remove(self, container_id: str) -> bool:
        """Remove the files of a container unless it is in use, and say that it has expired."""
        held = await self._running.take_if_idle(container_id, self._make)
        if held is None:
            return False
        try:
            async with self._db.begin() as connection:
                await connection.execute(
                    update(containers).where(containers.c.id == container_id).values(removed_at=self._clock())
                )
        finally:
            await to_the_end(self._running.give_back(held, remove=True))
        return True

    # --- sweeping ---

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception as error:
                _log.warning("containers cannot be swept", reason=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(_SWEEP_EVERY)

    async def sweep(self) -> None:
        """Remove expired containers, files that belong to none, and what a killed server left of processes."""
        place = await asyncio.to_thread(self._place.make)
        if self._readiness.machine is None:
            with suppress(SandboxUnavailableError):
                await self._readiness.look()
        await self._running.end_left(self._readiness.machine)
        if self._readiness.machine is not None:
            await self._remove_expired()
        kept: set[str] = set()
        async with self._db.begin() as connection:
            await connection.execute(delete(containers).where(containers.c.removed_at <= self._clock() - _TOMBSTONES))
            query = select(containers.c.id).where(containers.c.place == place, containers.c.removed_at.is_(None))
            kept.update((await connection.execute(query)).scalars())
        await self._running.remove_orphans(kept)

    async def _remove_expired(self) -> None:
        query = select(containers.c.id).where(
            containers.c.place == self._readiness.place,
            containers.c.removed_at.is_(None),
            containers.c.created_at <= self._clock() - self._config.kept,
        )
        async with self._db.connect() as connection:
            expired = list((await connection.execute(query)).scalars())
        for container_id in expired:
            await self._remove(container_id)
