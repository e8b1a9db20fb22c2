"""The models behind the API, and what is read for them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr

from understudy.settings.room import Room


class EngineSettings(Room):
    """One engine beside the built-in simulator. `[engines.<name>]` in the configuration file."""

    kind: Literal["openai", "claude", "bedrock", "vertex", "llamacpp", "simulator"] = Field(
        description="What it speaks."
    )
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
    region: str | None = Field(
        default=None, description="Of kind `bedrock` or `vertex`: the cloud's region. Bedrock's default is AWS's own."
    )
    project: str | None = Field(default=None, description="Of kind `vertex`: the project. Default: Google's own.")
    profile: str | None = Field(default=None, description="Of kind `bedrock`: the profile in AWS's files.")
    inference_profile: Literal["us", "eu", "apac", "jp", "au", "ca", "us-gov", "global", "none"] | None = Field(
        default=None,
        description="Of kind `bedrock`: the area of the inference profiles by which public models are called. Default: "
        "the region's.",
    )
    betas: list[str] = Field(
        default_factory=list[str], description="Of kind `bedrock` or `vertex`: further betas that it may be sent."
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


class NetSettings(Room):
    """What the server fetches from elsewhere."""

    url_sources: bool = Field(default=False, description="Fetch the images and documents that requests name by URL.")
    allow: list[str] = Field(
        default_factory=list[str],
        description="Host names, addresses and CIDR blocks that may be reached although they are private, on any port. "
        "Plain http is spoken only with names and addresses that stand here.",
    )
