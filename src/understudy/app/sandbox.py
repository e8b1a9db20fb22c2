"""Containers, from their settings; what they need is loaded when the first is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.interface import Container, Owner, Sandbox, SandboxUnavailableError
from understudy.settings import Settings, SettingsError
from understudy.storage.database import Database

if TYPE_CHECKING:
    from understudy.sandbox.containers import ContainerService


def sandbox_config(settings: Settings) -> SandboxConfig:
    return SandboxConfig(**settings.sandbox.model_dump())


class LazyContainers:
    """See sandbox.interface.Containers. `start` and `stop` go with the server's."""

    def __init__(self, settings: Settings, db: Database, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._db = db
        self._clock = clock
        self._service: ContainerService | None = None

    def _loaded(self) -> ContainerService:
        if self._service is None:
            from understudy.sandbox.containers import ContainerService

            self._service = ContainerService(
                self._db,
                sandbox_config(self._settings),
                self._db.data_dir,
                shared=self._settings.server.workers > 1,
                clock=self._clock,
            )
        return self._service

    async def start(self) -> None:
        """Raises SettingsError if `sandbox.mode` is on and no code can be run."""
        mode = self._settings.sandbox.mode
        left = self._db.data_dir / "sandbox" / "containers"
        if mode == "on" or (mode == "auto" and left.is_dir()):
            try:
                await self._loaded().start()
            except SandboxUnavailableError as error:
                raise SettingsError(f"sandbox.mode is on, and no code can be run here: {error}.") from None

    async def stop(self) -> None:
        if self._service is not None:
            await self._service.stop()

    async def ready(self) -> None:
        await self._loaded().ready()

    async def create(self, owner: Owner) -> Container:
        return await self._loaded().create(owner)

    def use(self, owner: Owner, container_id: str) -> AbstractAsyncContextManager[tuple[Container, Sandbox]]:
        return self._loaded().use(owner, container_id)

    async def delete(self, owner: Owner, container_id: str) -> None:
        await self._loaded().delete(owner, container_id)


def make_containers(settings: Settings, db: Database, clock: Callable[[], float] = time.time) -> LazyContainers:
    return LazyContainers(settings, db, clock)
