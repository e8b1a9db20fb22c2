"""All settings: one class a room, one place where they are read."""

from understudy.settings.batches import BatchesSettings
from understudy.settings.clouds import AwsKeySettings, CloudIssuerSettings, CloudsSettings, CloudTokenSettings
from understudy.settings.console import ConsoleSettings
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
from understudy.settings.organization import OrganizationSettings
from understudy.settings.room import Room
from understudy.settings.sandbox import SandboxSettings
from understudy.settings.server import HttpSettings, LoggingSettings, ScenarioSettings, ServerSettings, StreamSettings
from understudy.settings.storage import (
    FilesSettings,
    RedisSettings,
    SecuritySettings,
    SkillsSettings,
    StorageSettings,
)
from understudy.settings.tools import (
    AdvisorSettings,
    CodeExecutionSettings,
    MCPSettings,
    WebFetchSettings,
    WebSearchSettings,
)

__all__ = [
    "CONFIG_VARIABLE",
    "AdvisorSettings",
    "AwsKeySettings",
    "BatchesSettings",
    "CloudIssuerSettings",
    "CloudTokenSettings",
    "CloudsSettings",
    "CodeExecutionSettings",
    "CommitmentSettings",
    "ConsoleSettings",
    "DocumentsSettings",
    "EngineSettings",
    "FilesSettings",
    "HttpSettings",
    "LimitsSettings",
    "LlamaCppSettings",
    "LoggingSettings",
    "MCPSettings",
    "MappedModelSettings",
    "ModelsSettings",
    "NetSettings",
    "OrganizationSettings",
    "PriceSettings",
    "RedisSettings",
    "RetentionSettings",
    "Room",
    "SandboxSettings",
    "ScenarioSettings",
    "SecuritySettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "SimulatorSettings",
    "SkillsSettings",
    "StorageSettings",
    "StreamSettings",
    "TargetSettings",
    "UsageSettings",
    "WebFetchSettings",
    "WebSearchSettings",
    "load_settings",
    "room_classes",
    "variable_name",
]
