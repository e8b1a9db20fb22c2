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
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "understudy"


class Room(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ServerSettings(Room):
    """Where the server listens and how it stops."""

    host: str = Field(default="127.0.0.1", description="Address to listen on. Loopback unless you say otherwise.")
    port: int = Field(default=8484, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(default=1, ge=1, le=256, description="Server processes that share the port.")
    tls_cert: Path | None = Field(default=None, description="PEM file with the certificate chain; turns TLS on.")
    tls_key: Path | None = Field(default=None, description="PEM file with the certificate's private key.")
    drain_timeout: float = Field(
        default=30.0,
        ge=0,
        description="Seconds that open requests and streams get to end after SIGTERM, before they are cut.",
    )


class HttpSettings(Room):
    """Bounds on what a client may send, and on how slowly."""

    max_header_bytes: int = Field(
        default=65_536, ge=8_192, description="Bytes of a request's line and headers; more is a 431."
    )
    header_timeout: float = Field(
        default=10.0, gt=0, description="Seconds in which all headers of a request must arrive."
    )
    body_timeout: float = Field(
        default=60.0, gt=0, description="Seconds without a byte of an unfinished body before a 408."
    )
    write_timeout: float = Field(
        default=60.0,
        gt=0,
        description="Seconds a client gets to take what waits for it before it is cut off.",
    )
    keep_alive_timeout: float = Field(default=75.0, gt=0, description="Seconds an idle connection is kept open.")
    max_body_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1_024, description="Bytes of a Messages request's body, before and after decoding."
    )


class StorageSettings(Room):
    """Where state lives."""

    data_dir: Path = Field(
        default_factory=_default_data_dir, description="Directory of the embedded database and the root secret."
    )
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the database. Default: SQLite in the data directory."
    )
    blobs: str | None = Field(
        default=None,
        description="Where the bytes of files are kept: file:///directory, s3://bucket/prefix, gs://bucket/prefix, "
        "az://account/container/prefix or memory:///. Default: the data directory.",
    )


class RedisSettings(Room):
    """What several server processes share beside the database. It takes the extra `redis`."""

    url: SecretStr | None = Field(
        default=None,
        description="Redis: `redis://…`, `rediss://…` or `unix://…`. Default: each process has its own in memory.",
    )
    timeout: float = Field(
        default=0.5, gt=0, le=30, description="Seconds in which Redis must answer before requests go on without it."
    )


class SecuritySettings(Room):
    """The root secret, from which all hash, signature and encryption keys are derived."""

    root_secret: SecretStr | None = Field(
        default=None,
        description="At least 32 characters; several, separated by commas, while rotating: the first is used for what "
        "is new. Default: the file `root.secret` in the data directory, made at the first start.",
    )


class EngineSettings(Room):
    """One engine beside the built-in simulator. `[engines.<name>]` in the configuration file."""

    kind: Literal["openai", "claude", "llamacpp", "simulator"] = Field(description="What it speaks.")
    base_url: str | None = Field(
        default=None,
        description="Its URL, as an SDK of its kind takes it; of kind `llamacpp` that of a llama-server.",
    )
    model: str | None = Field(
        default=None,
        description="Of kind `llamacpp`: the GGUF file, or a Hugging Face repository (`org/name`, `org/name:Q4_K_M`).",
    )
    api_key: SecretStr | None = Field(default=None, description="The key that is sent to it.")
    dialect: str = Field(default="generic", description="What kind of OpenAI-compatible server it is.")
    api_key_env: str | None = Field(default=None, description="The environment variable that holds the key.")
    auth: Literal["x-api-key", "bearer"] = Field(
        default="x-api-key", description="The header in which a Claude upstream gets the key."
    )
    connect_timeout: float = Field(default=10.0, gt=0, description="Seconds until a connection stands.")
    first_byte_timeout: float = Field(default=600.0, gt=0, description="Seconds until an answer begins.")
    idle_timeout: float = Field(default=300.0, gt=0, description="Seconds without a byte of an answer.")
    max_concurrency: int | None = Field(default=None, ge=1, description="Requests it gets at once; more wait.")
    max_queue: int = Field(default=1_000, ge=0, description="Requests that may wait; more are a 529 at once.")
    failures: int = Field(default=5, ge=1, description="Failures in a row after which it is left alone.")
    cool_down: float = Field(default=10.0, gt=0, description="Seconds after which one request tries it again.")
    options: dict[str, Any] = Field(default_factory=dict[str, Any], description="Further options of its kind.")


class PriceSettings(Room):
    """What a mapped model costs, in US dollars for a million tokens. `price` of a `[[models.map]]`."""

    input: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000, description="Input that no cache had.")
    output: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000, description="Output.")
    cache_write_5m: Decimal | None = Field(default=None, ge=0, description="Default: 1.25 times the input's.")
    cache_write_1h: Decimal | None = Field(default=None, ge=0, description="Default: twice the input's.")
    cache_read: Decimal | None = Field(default=None, ge=0, description="Default: a tenth of the input's.")


class TargetSettings(Room):
    """Where a mapped model's requests go."""

    engine: str = Field(description="Name of an engine; `simulator` is always there.")
    model: str = Field(description="The engine's name for the model; `*` hands on the one that was asked for.")
    weight: int = Field(default=1, ge=0, le=1_000_000, description="Share of the requests; 0 only when others fail.")


class MappedModelSettings(Room):
    """A model name and its targets. `[[models.map]]` in the configuration file."""

    name: str = Field(min_length=1, max_length=256, description="An id or alias, or `*` for all other names.")
    targets: list[TargetSettings] = Field(min_length=1, description="Who may answer.")
    retry_rate_limits: bool = Field(default=False, description="A 429 sends the request to the next target.")
    display_name: str | None = Field(default=None, description="What the Models API calls it.")
    max_input_tokens: int | None = Field(default=None, ge=1, description="The context window.")
    max_tokens: int | None = Field(default=None, ge=1, description="The most tokens that an answer may have.")
    image_input: bool | None = Field(default=None, description="Whether it sees images.")
    pdf_input: bool | None = Field(default=None, description="Whether it takes PDFs.")
    structured_outputs: bool | None = Field(default=None, description="Whether it answers by schemas.")
    thinking: bool | None = Field(default=None, description="Whether it thinks.")
    price: PriceSettings | None = Field(
        default=None, description="What it costs. Default: the catalog's price; nothing for a name that it has not."
    )


class ModelsSettings(Room):
    """Which model names are served, and by what."""

    engine: str = Field(
        default="simulator",
        min_length=1,
        description="What answers for names that are not mapped: the built-in `simulator`, a GGUF file, or a Hugging "
        "Face repository (`org/name`, `org/name:Q4_K_M`), which is downloaded once.",
    )
    simulator: bool = Field(default=True, description="Let the simulator answer for names that are not mapped.")
    names: list[str] = Field(default_factory=list[str], description="Further model names the simulator answers to.")
    queue_timeout: float = Field(
        default=30.0, gt=0, description="Seconds that a request waits for a busy engine before a 529."
    )
    map: list[MappedModelSettings] = Field(
        default_factory=list[MappedModelSettings], description="Model names and their targets, in the file only."
    )


class SimulatorSettings(Room):
    """The built-in engine. All speeds are 0 by default: it answers as fast as it can."""

    seed: int = Field(default=0, ge=-(2**63), lt=2**63, description="Another seed gives other answers.")
    time_to_first_token: float = Field(default=0.0, ge=0, le=600, description="Seconds before the first token.")
    tokens_per_second: float = Field(default=0.0, ge=0, description="Speed of the answer; 0 is no limit.")
    jitter: float = Field(default=0.0, ge=0, le=1, description="Share by which each wait varies, 0 to 1; seeded.")


class LlamaCppSettings(Room):
    """GGUF models that run on this machine, by llama.cpp. They take the extra `llamacpp`."""

    context: int = Field(
        default=32_768,
        ge=0,
        description="Tokens of a model's context, which its slots share; never more than it was trained for. 0: that.",
    )
    slots: int = Field(default=4, ge=1, le=256, description="Answers that are made at once.")
    threads: int | None = Field(
        default=None, ge=1, le=1_024, description="Threads that compute. Default: one less than the physical cores."
    )
    gpu_layers: int = Field(default=-1, ge=-1, description="Layers on a GPU, where there is one; -1: as many as fit.")
    mmproj: Path | None = Field(default=None, description="The file by which the model sees images.")
    load_timeout: float = Field(default=600.0, gt=0, description="Seconds that loading may take.")
    directories: list[Path] = Field(
        default_factory=list[Path],
        description="Directories whose models may be loaded while the server runs, beside `models` in the data "
        "directory.",
    )


class DocumentsSettings(Room):
    """How PDFs are read, which takes the extra `documents`. Without it their pages are counted only."""

    pdf_processes: int = Field(
        default=2, ge=1, le=64, description="Processes that read PDFs at once; started on demand."
    )
    pdf_timeout: float = Field(
        default=20.0,
        gt=0,
        le=600,
        description="Seconds for the text of one PDF, after which its process is killed; three times as many for "
        "pictures of its pages.",
    )
    pdf_memory: int = Field(
        default=512 * 1024 * 1024, ge=128 * 1024 * 1024, description="Bytes of memory that such a process may have."
    )


class FilesSettings(Room):
    """What may be uploaded to the Files API, and how much of it."""

    max_bytes: int = Field(default=500 * 1024 * 1024, ge=1, description="Bytes of one file; more are a 413.")
    organization_bytes: int | None = Field(
        default=1024**4, ge=0, description="Bytes of all files of an organization; more are a 400."
    )
    workspace_bytes: int | None = Field(
        default=None, ge=0, description="Bytes of all files of one workspace. Default: no bound of its own."
    )
    downloadable_uploads: bool = Field(
        default=False, description="Let clients download what clients uploaded, which the real service refuses."
    )


class NetSettings(Room):
    """What the server fetches from elsewhere."""

    url_sources: bool = Field(default=False, description="Fetch the images and documents that requests name by URL.")
    allow: list[str] = Field(
        default_factory=list[str],
        description="Host names, addresses and CIDR blocks that may be reached although they are private, on any port. "
        "Plain http is spoken only with names and addresses that stand here.",
    )


class ScenarioSettings(Room):
    """Scripted answers and faults, for tests of programs that call the API (docs/testing-your-app.md)."""

    file: Path | None = Field(
        default=None, description="Scenario (TOML or JSON) that is loaded at the start. It takes one worker."
    )
    kept_requests: int = Field(
        default=1_000, ge=1, le=100_000, description="Received requests kept in memory while a scenario is loaded."
    )


class StreamSettings(Room):
    """How streams are framed."""

    ping_interval: float = Field(
        default=10.0, gt=0, description="Seconds of silence in a stream after which a ping is sent."
    )
    padding: bool = Field(default=False, description="Pad events with spaces as the real service does; seeded.")


class UsageSettings(Room):
    """The request log and usage rows. They are written behind the request's back, in batches."""

    flush_interval: float = Field(
        default=0.1, gt=0, le=60, description="Seconds between two writes of what has queued up."
    )
    flush_rows: int = Field(default=500, ge=1, description="Rows that start a write before the interval is over.")
    queue_rows: int = Field(
        default=20_000,
        ge=100,
        description="Rows kept in memory while the database does not answer; more go to a spill file.",
    )
    request_log: bool = Field(default=True, description="Write a row for every request, besides the usage rows.")


class RetentionSettings(Room):
    """What is kept of requests, and how long. Days; 0 is for ever. Sums by the day are kept for ever."""

    request_log_days: int = Field(default=30, ge=0, description="Rows of the request log.")
    usage_days: int = Field(default=90, ge=0, description="Usage rows: one for each request that asked a model.")
    hours_days: int = Field(default=400, ge=0, description="Sums of usage by the hour.")
    bodies: Literal["none"] = Field(default="none", description="What is kept of prompts and answers: nothing.")


class CommitmentSettings(Room):
    """Priority Tier capacity of a model. `[[limits.priority]]` in the configuration file."""

    model: str = Field(min_length=1, description="The model's id.")
    input_tokens_per_minute: int = Field(ge=1, description="Input tokens a minute.")
    output_tokens_per_minute: int = Field(ge=1, description="Output tokens a minute.")


class LimitsSettings(Room):
    """Rate limits: how large they are, whether they are enforced, and where they are kept."""

    mode: Literal["observe", "enforce"] = Field(
        default="observe",
        description="`observe` counts and tells limits in the headers and refuses nothing; `enforce` answers 429. A "
        "workspace may have its own.",
    )
    table: Literal["2026-01", "2026-10"] = Field(
        default="2026-10", description="Tiers 1 to 4 of 2026-01, or Start, Build, Scale and Custom of 2026-10."
    )
    tier: str | None = Field(
        default=None,
        description="Tier of organizations that have none of their own: `tier_1` to `tier_4`; `evaluation`, `start`, "
        "`build`, `scale`; or `custom`, which has no limits. Default: `tier_1`, or `start`.",
    )
    burst: float = Field(default=1.0, gt=0, le=1, description="Share of a minute's requests that may come at once.")
    token_burst: float = Field(default=1.0, gt=0, le=1, description="Share of a minute's tokens that may come at once.")
    otpm_accounting: Literal["actual", "reserve"] = Field(
        default="actual",
        description="Output counts as it is produced, or `max_tokens` is reserved first, as before 2026-02-19.",
    )
    when_redis_is_away: Literal["open", "closed"] = Field(
        default="open",
        description="`open`: each server goes on with its share of the limits; `closed`: requests are answered 529.",
    )
    replicas: int = Field(
        default=1, ge=1, description="Server processes that share the limits, on all machines; for `open`."
    )
    key_requests_per_minute: int | None = Field(
        default=None, ge=0, description="Of each API key, unless it has a budget of its own. Default: no bound."
    )
    key_tokens_per_minute: int | None = Field(default=None, ge=0, description="Likewise; uncached input and output.")
    key_requests_per_day: int | None = Field(default=None, ge=0, description="Likewise.")
    key_tokens_per_day: int | None = Field(default=None, ge=0, description="Likewise.")
    other_requests_per_minute: int | None = Field(
        default=None, ge=0, description="Of each model that is not in the catalog. Default: no limit."
    )
    other_input_tokens_per_minute: int | None = Field(default=None, ge=0, description="Likewise.")
    other_output_tokens_per_minute: int | None = Field(default=None, ge=0, description="Likewise.")
    fast_input_tokens_per_minute: int | None = Field(
        default=None, ge=0, description="Of fast mode, for each group of models. Default: the standard limits count."
    )
    fast_output_tokens_per_minute: int | None = Field(default=None, ge=0, description="Likewise.")
    priority: list[CommitmentSettings] = Field(
        default_factory=list[CommitmentSettings], description="Priority Tier commitments, in the file only."
    )
    ramp: bool = Field(default=False, description="Refuse traffic that grows too fast; the rule is our own guess.")
    ramp_growth: float = Field(default=2.0, gt=1, description="Times the requests of the minute before.")
    ramp_free_share: float = Field(default=0.1, gt=0, le=1, description="Share of a limit that is always there.")


class LoggingSettings(Room):
    """What is logged. Bodies and keys never are."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    requests: bool = Field(default=True, description="Log a line for every request.")


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
    net: NetSettings = NetSettings()
    stream: StreamSettings = StreamSettings()
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
