"""The organization's store, from the settings."""

from __future__ import annotations

from understudy.organization.clock import Clock
from understudy.organization.maxima import Maxima
from understudy.organization.store import Store
from understudy.settings import Settings
from understudy.storage.database import Database


def make_store(settings: Settings, db: Database, clock: Clock) -> Store:
    """The one store that all rooms of a server share."""
    given = settings.organization
    most = Maxima(
        workspaces=given.max_workspaces,
        members=given.max_members,
        workspace_members=given.max_workspace_members,
        api_keys=given.max_api_keys,
        workspace_api_keys=given.max_workspace_api_keys,
    )
    return Store(db, clock, most)
