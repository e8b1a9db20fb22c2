"""All settings: one class a room, one place where they are read."""

from understudy.settings.engines import (
    DocumentsSettings,
    EngineSettings,
    LlamaCppSettings,
    MappedModelSettings,
    ModelsSettings,
    NetSettings,
    PriceSettings,
    SimulatorSettings,
    TargetSettings,
)
from understudy.settings.limits import CommitmentSettings, LimitsSettings, RetentionSettings, UsageSettings
from understudy.settings.loading import (
    CONFIG_VARIABLE,
    Settings,
    SettingsError,
    load_settings,
    room_classes,
    variable_name,
)
from understudy.settings.room import Room
from understudy.settings.server import HttpSettings, LoggingSettings, ScenarioSettings, ServerSettings, StreamSettings
from understudy.settings.storage import FilesSettings, RedisSettings, SecuritySettings, StorageSettings

__all__ = [
    "CONFIG_VARIABLE",
    "CommitmentSettings",
    "DocumentsSettings",
    "EngineSettings",
    "FilesSettings",
    "HttpSettings",
    "LimitsSettings",
    "LlamaCppSettings",
    "LoggingSettings",
    "MappedModelSettings",
    "ModelsSettings",
    "NetSettings",
    "PriceSettings",
    "RedisSettings",
    "RetentionSettings",
    "Room",
    "ScenarioSettings",
    "SecuritySettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "SimulatorSettings",
    "StorageSettings",
    "StreamSettings",
    "TargetSettings",
    "UsageSettings",
    "load_settings",
    "room_classes",
    "variable_name",
]
