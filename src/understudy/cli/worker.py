"""How settings reach the server's processes, and the application each of them makes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import orjson

from understudy.settings import Settings, load_settings

if TYPE_CHECKING:
    from understudy.http.envelope import Envelope

Flags: TypeAlias = Mapping[str, Mapping[str, Any]]

# Holds the path of the configuration file and the flags; secrets stay where they came from.
_VARIABLE = "_UNDERSTUDY_WORKER"


def create_from(settings: Settings) -> Envelope:
    """The application of this process, and the bounds of its connections."""
    from understudy.cli.lean import import_libraries_alone

    import_libraries_alone()
    from understudy.app import create_app
    from understudy.http.protocol import BoundedHttpProtocol

    app = create_app(settings)
    BoundedHttpProtocol.bounds = settings.http
    BoundedHttpProtocol.request_log = app.request_log
    return app


@contextmanager
def hand_over(config: Path | None, flags: Flags, settings: Settings) -> Generator[None, None, None]:
    """Let processes started meanwhile find their settings, and a directory to add up their metrics in."""
    metrics = tempfile.mkdtemp(prefix="metrics-", dir=settings.storage.data_dir.expanduser())
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
    os.environ[_VARIABLE] = orjson.dumps([config, flags], default=str).decode()
    try:
        yield
    finally:
        shutil.rmtree(metrics, ignore_errors=True)


def create() -> Envelope:
    """The application of a worker process; uvicorn calls it by its name."""
    from understudy.cli.logs import configure_logging

    config, flags = cast("tuple[str | None, Flags]", orjson.loads(os.environ[_VARIABLE]))
    settings = load_settings(Path(config) if config else None, flags)
    configure_logging(settings.logging)
    return create_from(settings)
