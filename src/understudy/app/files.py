"""The Files API, from its settings."""

from __future__ import annotations

from understudy.files.config import FilesConfig
from understudy.files.service import FileService
from understudy.settings import Settings
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret


def make_files(settings: Settings, db: Database, root: RootSecret) -> FileService:
    """Raises SettingsError for blobs that cannot be kept where the settings say."""
    blobs = Blobs(settings.storage.blobs, db.data_dir)
    blobs.check()
    return FileService(db, blobs, root, FilesConfig(**settings.files.model_dump()))
