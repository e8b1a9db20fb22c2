"""The engines and the model map, from the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from understudy.engines.claude import ClaudeUpstream, Upstream
from understudy.engines.claude.engine import ClaudeEngine
from understudy.engines.engine import Engine
from understudy.engines.loading import Loader, lines_for_all
from understudy.engines.routing import Backend, Facts, Mapped, MappedTarget, Routing, Slots
from understudy.settings import EngineSettings, LlamaCppSettings, Settings, SettingsError

from .upstreams import claude_settings, cloud_upstream, key_of

if TYPE_CHECKING:
    from understudy.engines.llamacpp.local import LocalModel
    from understudy.engines.llamacpp.supervisor import WorkerSettings

_NEEDED: Final = {"llamacpp": "model or base_url"}


def _worker_settings(settings: LlamaCppSettings, path: Path, options: Mapping[str, Any]) -> WorkerSettings:
    from understudy.engines.llamacpp.supervisor import WorkerSettings

    given = WorkerSettings(
        path,
        mmproj=settings.mmproj,
        n_ctx=settings.context,
        n_parallel=settings.slots,
        n_threads=settings.threads,
        n_gpu_layers=settings.gpu_layers,
        # Slots share nothing through it.
        cache_ram_mib=0,
        load_timeout=settings.load_timeout,
    )
    return replace(given, **options)


def _local_model(name: str, spec: str, settings: Settings, options: Mapping[str, Any]) -> LocalModel:
    from understudy.engines.llamacpp.failures import ModelLoadError
    from understudy.engines.llamacpp.local import local_model

    try:
        worker = _worker_settings(settings.llamacpp, Path(spec), options)
        return local_model(name, worker, settings.models.queue_timeout)
    except ModelLoadError as error:
        raise SettingsError(str(error)) from None
    except TypeError as error:
        raise SettingsError(f"engines.{name}.options: {error}.") from None


def _bounded(model: LocalModel, settings: EngineSettings) -> Backend:
    from understudy.engines.llamacpp.local import failures_of

    worker = model.server.settings
    return replace(
        model.backend,
        slots=Slots(settings.max_concurrency or worker.n_parallel, settings.max_queue),
        failures=failures_of(worker, settings.failures),
        cool_down=settings.cool_down,
    )


def _external_model(name: str, url: str, key: str | None, settings: EngineSettings) -> Engine:
    from understudy.engines.llamacpp.engine import LlamaEngine
    from understudy.engines.llamacpp.external import ExternalLlama
    from understudy.engines.llamacpp.writer import Waits

    waits = Waits(settings.first_byte_timeout, settings.idle_timeout)
    try:
        server = ExternalLlama(url.rstrip("/").removesuffix("/v1"), key, connect_timeout=settings.connect_timeout)
        return LlamaEngine(name, server, waits=waits)
    except ValueError as error:
        raise SettingsError(f"engines.{name}.base_url: {error}") from None


def _openai_compatible(name: str, base_url: str, key: str | None, settings: EngineSettings) -> Engine:
    from understudy.engines.openai_compatible.dialects import DIALECTS, changed
    from understudy.engines.openai_compatible.engine import OpenAICompatibleEngine
    from understudy.engines.openai_compatible.http import Timeouts

    dialect = DIALECTS.get(settings.dialect)
    if dialect is None:
        raise SettingsError(f"engines.{name}.dialect: there is {', '.join(DIALECTS)}.")
    try:
        dialect = changed(dialect, settings.options)
    except ValueError as error:
        raise SettingsError(f"engines.{name}.options.{error}.") from None
    timeouts = Timeouts(settings.connect_timeout, settings.first_byte_timeout, settings.idle_timeout)
    secret = None if key is None else SecretStr(key)
    return OpenAICompatibleEngine(name, base_url, secret, dialect=dialect, timeouts=timeouts)


def _backend(name: str, settings: EngineSettings, simulator: Engine) -> Backend:
    engine: Engine | None = None
    claude: Upstream | None = None
    key = key_of(name, settings)
    if settings.options and settings.kind != "openai":
        raise SettingsError(f"engines.{name}.options: there are none for this kind of engine.")
    if settings.kind == "simulator":
        engine = simulator
    elif settings.kind in {"bedrock", "vertex"}:
        claude = cloud_upstream(name, settings)
        engine = ClaudeEngine(name, claude)
    elif settings.base_url is None:
        raise SettingsError(f"engines.{name}: {_NEEDED.get(settings.kind, 'base_url')} is needed.")
    elif settings.kind == "llamacpp":
        engine = _external_model(name, settings.base_url, key, settings)
    elif settings.kind == "claude":
        claude = ClaudeUpstream(name, claude_settings(settings, settings.base_url, key))
        engine = ClaudeEngine(name, claude)
    else:
        engine = _openai_compatible(name, settings.base_url, key, settings)
    slots = Slots(settings.max_concurrency, settings.max_queue)
    return Backend(engine, claude, slots, settings.failures, settings.cool_down, settings.kind)


def model_map(
    settings: Settings, simulator: Engine, front: Callable[[Engine], Engine]
) -> tuple[Routing, Loader, list[Callable[[], Awaitable[None]]]]:
    """The model map, the models on this machine, and what closes the connections to others. `front`: see Routing."""
    backends = {"simulator": Backend(simulator)}
    local: list[LocalModel] = []
    for name, each in settings.engines.items():
        if each.kind == "llamacpp" and each.model is not None:
            model = _local_model(name, each.model, settings, each.options)
            model.backend = _bounded(model, each)
            local.append(model)
            backends[name] = model.backend
        else:
            backends[name] = _backend(name, each, simulator)
    mapped = [
        Mapped(
            one.name,
            tuple(MappedTarget(each.engine, each.model, each.weight) for each in one.targets),
            Facts(**one.model_dump(exclude={"name", "targets", "retry_rate_limits", "price"})),
            settings.models.queue_timeout,
            one.retry_rate_limits,
        )
        for one in settings.models.map
    ]
    default: Engine | None = simulator if settings.models.simulator else None
    if settings.models.engine != "simulator":
        if "llamacpp" in backends:
            raise SettingsError("engines.llamacpp: this is the name of the engine that models.engine runs.")
        model = _local_model("llamacpp", settings.models.engine, settings, {})
        local.append(model)
        backends["llamacpp"] = model.backend
        mapped += lines_for_all(model, [one.name for one in mapped])
        default = None
    if local and settings.server.workers > 1:
        raise SettingsError(
            "server.workers: every worker process would run the models on this machine by itself. Run a llama-server "
            "beside it and name that as an engine, or use one worker."
        )
    try:
        routing = Routing(default, settings.models.names, mapped=mapped, backends=backends, front=front)
    except ValueError as error:
        raise SettingsError(f"models.map: {error}.") from None
    directories = [*settings.llamacpp.directories, settings.storage.data_dir.expanduser() / "models"]
    loader = Loader(
        routing,
        lambda path: _worker_settings(settings.llamacpp, path, {}),
        directories,
        local,
        queue_timeout=settings.models.queue_timeout,
    )
    others = [backend for name, backend in backends.items() if name not in loader.models]
    ends: list[Callable[[], Awaitable[None]]] = [one.claude.close for one in others if one.claude is not None]
    if any(one.kind == "openai" for one in others):
        from understudy.engines.openai_compatible.engine import OpenAICompatibleEngine

        ends += [one.engine.close for one in others if isinstance(one.engine, OpenAICompatibleEngine)]
    return routing, loader, ends
