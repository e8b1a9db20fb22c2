"""Models that are named by a repository are downloaded before the server starts, with a progress bar."""

from __future__ import annotations

import asyncio
from pathlib import Path

from understudy.engines.llamacpp.failures import ModelLoadError
from understudy.settings import Settings, SettingsError


def with_models_here(settings: Settings) -> Settings:
    """The same settings, in which models are named by their files. Raises SettingsError for one that is not there."""
    directory = settings.storage.data_dir.expanduser() / "models"
    models, engines = settings.models, dict(settings.engines)
    if models.engine != "simulator":
        models = models.model_copy(update={"engine": _file(models.engine, directory)})
    for name, engine in engines.items():
        if engine.kind == "llamacpp" and engine.model is not None:
            engines[name] = engine.model_copy(update={"model": _file(engine.model, directory)})
    return settings.model_copy(update={"models": models, "engines": engines})


def _file(spec: str, directory: Path) -> str:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    from understudy.engines.llamacpp.download import resolve_model

    bars: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    shown = Progress(*columns, console=Console(stderr=True), transient=True)

    def progress(file: str, done: int, whole: int) -> None:
        if not bars:
            shown.start()
        if file not in bars:
            bars[file] = shown.add_task(file, total=whole)
        shown.update(bars[file], completed=done)

    try:
        return str(asyncio.run(resolve_model(spec, directory, progress=progress)))
    except ModelLoadError as error:
        raise SettingsError(str(error)) from None
    finally:
        if bars:
            shown.stop()
