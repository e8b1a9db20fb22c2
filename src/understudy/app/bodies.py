"""What is kept of requests' and answers' bodies, from the settings."""

from __future__ import annotations

from understudy.http.envelope import Endpoint
from understudy.http.record import RequestLog
from understudy.settings import Settings
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.usage.bodies import BodiesPruning, Keeping, RequestBodies
from understudy.usage.kept_bodies import KeptBodies


class Bodies:
    """`log` is what the envelope records requests in, `watch` what it asks before each endpoint, `kept` reads what is
    kept. While nothing is kept, `log` is the one that was given and `watch` None: no request passes through this."""

    def __init__(self, settings: Settings, db: Database, log: RequestLog) -> None:
        retention = settings.retention
        self.kept = KeptBodies(Blobs(settings.storage.blobs, db.data_dir))
        self.log: RequestLog = log
        self.watch: Endpoint | None = None
        self._writing: RequestBodies | None = None
        if retention.bodies != "none":
            keeping = Keeping(retention.bodies, retention.bodies_max_bytes, frozenset(retention.bodies_workspaces))
            self.log = self._writing = RequestBodies(log, self.kept, keeping)
            self.watch = self._writing.watch
        # What was kept before that was turned off grows old too.
        self._pruning = BodiesPruning(self.kept, retention.bodies_days or None, keeps=self._writing is not None)

    async def start(self) -> None:
        await self._pruning.start()
        if self._writing is not None:
            await self._writing.start()

    async def stop(self) -> None:
        """After the last request."""
        await self._pruning.stop()
        if self._writing is not None:
            await self._writing.stop()
