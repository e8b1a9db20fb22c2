"""The Skills API, from its settings."""

from __future__ import annotations

from understudy.settings import Settings
from understudy.skills.config import SkillsConfig
from understudy.skills.service import SkillService
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret


def make_skills(settings: Settings, db: Database, root: RootSecret) -> SkillService:
    """Raises SettingsError for blobs that cannot be kept where the settings say."""
    blobs = Blobs(settings.storage.blobs, db.data_dir)
    blobs.check()
    return SkillService(db, blobs, root, SkillsConfig(**settings.skills.model_dump()))
