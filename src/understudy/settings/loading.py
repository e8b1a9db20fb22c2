"""Every setting, one class a room.

A value comes from, strongest first: the command line, a variable `UNDERSTUDY_<ROOM>_<SETTING>`, the TOML file given
with `--config` (or `UNDERSTUDY_CONFIG`), the default written here. Names that are not known are refused, wherever
they stand. docs/configuration.md is generated from these classes.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from understudy.settings.batches import BatchesSettings
from understudy.settings.clouds import CloudsSettings
from understudy.settings.console import ConsoleSettings
from understudy.settings.engines import (
    DocumentsSettings,
    EngineSettings,
    LlamaCppSettings,
    ModelsSettings,
    NetSettings,
    SimulatorSettings,
)
from understudy.settings.limits import LimitsSettings, RetentionSettings, UsageSettings
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


class Settings(BaseModel):
    """All rooms' settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    server: ServerSettings = ServerSettings()
    http: HttpSettings = HttpSettings()
    storage: StorageSettings = Field(default_factory=lambda: StorageSettings())
    redis: RedisSettings = RedisSettings()
    security: SecuritySettings = SecuritySettings()
    models: ModelsSettings = ModelsSettings()
    engines: dict[str, EngineSettings] = Field(default_factory=dict[str, EngineSettings])
    simulator: SimulatorSettings = SimulatorSettings()
    llamacpp: LlamaCppSettings = LlamaCppSettings()
    scenarios: ScenarioSettings = ScenarioSettings()
    documents: DocumentsSettings = DocumentsSettings()
    files: FilesSettings = FilesSettings()
    skills: SkillsSettings = SkillsSettings()
    sandbox: SandboxSettings = SandboxSettings()
    code_execution: CodeExecutionSettings = CodeExecutionSettings()
    web_search: WebSearchSettings = WebSearchSettings()
    web_fetch: WebFetchSettings = WebFetchSettings()
    mcp: MCPSettings = MCPSettings()
    advisor: AdvisorSettings = AdvisorSettings()
    batches: BatchesSettings = BatchesSettings()
    net: NetSettings = NetSettings()
    stream: StreamSettings = StreamSettings()
    clouds: CloudsSettings = CloudsSettings()
    organization: OrganizationSettings = OrganizationSettings()
    console: ConsoleSettings = ConsoleSettings()
    limits: LimitsSettings = LimitsSettings()
    usage: UsageSettings = UsageSettings()
    retention: RetentionSettings = RetentionSettings()
    logging: LoggingSettings = LoggingSettings()


class SettingsError(Exception):
    """A setting that cannot be used; the message names it, where it stands, and what would do."""


CONFIG_VARIABLE = "UNDERSTUDY_CONFIG"


_PREFIX = "UNDERSTUDY_"


def variable_name(room: str, setting: str) -> str:
    """The environment variable of a setting."""
    return f"{_PREFIX}{room}_{setting}".upper()


def room_classes() -> dict[str, type[Room]]:
    """The rooms' classes by name, in the order of the documentation."""
    return {
        name: cast("type[Room]", field.annotation) for name, field in Settings.model_fields.items() if name != "engines"
    }


def _unknown(what: str, name: str, known: Iterable[str]) -> SettingsError:
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return SettingsError(f"{what} {name} is not a setting.{hint}")


def _from_environment(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    places = {
        variable_name(room, setting): (room, setting)
        for room, rooms in room_classes().items()
        for setting in rooms.model_fields
    }
    found: dict[str, dict[str, Any]] = {}
    for name, value in environment.items():
        if not name.startswith(_PREFIX) or name == CONFIG_VARIABLE:
            continue
        if name not in places:
            raise _unknown("The variable", name, places)
        room, setting = places[name]
        is_list = isinstance(room_classes()[room].model_fields[setting].get_default(call_default_factory=True), list)
        parts = [part.strip() for part in value.split(",") if part.strip()]
        found.setdefault(room, {})[setting] = parts if is_list else value
    return found


def _from_file(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The configuration file {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The configuration file {path} is not valid TOML: {error}") from None
    rooms = room_classes()
    for room, values in content.items():
        if room == "engines" and isinstance(values, dict):
            continue
        if room not in rooms or not isinstance(values, dict):
            raise _unknown(f"In {path}, the section", room, rooms)
        for setting in cast("dict[str, Any]", values):
            if setting not in rooms[room].model_fields:
                known = [f"{room}.{name}" for name in rooms[room].model_fields]
                raise _unknown(f"In {path},", f"{room}.{setting}", known)
    return content


def load_settings(
    config: Path | None = None,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """All settings, from the flags given, the environment, the TOML file and the defaults.

    Raises SettingsError for a name that is not known, a value that cannot be, and a file that cannot be read.
    """
    environment = os.environ if environment is None else environment
    path = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    merged: dict[str, dict[str, Any]] = {}
    for source in (_from_file(path) if path else {}, _from_environment(environment), flags or {}):
        for room, values in source.items():
            merged.setdefault(room, {}).update({name: value for name, value in values.items() if value is not None})
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"The setting {place} cannot be used: {first['msg']}") from None
    if (settings.server.tls_cert is None) != (settings.server.tls_key is None):
        raise SettingsError("TLS needs both server.tls_cert and server.tls_key.")
    if settings.server.workers > 1 and settings.limits.mode == "enforce" and settings.redis.url is None:
        raise SettingsError(
            "server.workers: each worker process would count limits by itself. Give redis.url, one worker, or "
            "limits.mode observe."
        )
    if settings.scenarios.file is not None and settings.server.workers > 1:
        raise SettingsError(
            "scenarios.file: every worker process would count its rules by itself, so that nothing would happen in "
            "order. Use one worker with it (server.workers)."
        )
    return settings
