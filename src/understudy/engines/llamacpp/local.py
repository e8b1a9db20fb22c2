"""A GGUF model on this machine as an engine of the model map."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from understudy.engines.routing import Backend, Facts, Mapped, MappedTarget, Slots

from .engine import LlamaEngine
from .failures import ModelLoadError
from .gguf import read_header
from .supervisor import LlamaWorker, State, WorkerSettings


@dataclass(slots=True)
class LocalModel:
    """A model under the name of its engine. `error` says why it does not run, if it does not. `queue_timeout`: seconds
    that a request for it waits while it is busy."""

    name: str
    path: Path
    server: LlamaWorker
    backend: Backend
    facts: Facts
    queue_timeout: float = 30.0
    error: str | None = None
    loading: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def state(self) -> State:
        return self.server.state

    @property
    def load_progress(self) -> float | None:
        """From 0 to 1 while the model is loaded, as LlamaWorker has it."""
        return self.server.load_progress

    async def start(self) -> None:
        """Raises ModelLoadError."""
        try:
            await self.server.start()
        except ModelLoadError as error:
            self.error = str(error)
            raise

    async def stop(self) -> None:
        if self.loading is not None:
            self.loading.cancel()
            await asyncio.gather(self.loading, return_exceptions=True)
        await self.server.stop()

    def mapped(self, name: str) -> Mapped:
        """The line that leads from the model name `name` here."""
        return Mapped(name, (MappedTarget(self.name, self.path.stem),), self.facts, self.queue_timeout)


def failures_of(settings: WorkerSettings, in_a_row: int = 5) -> int:
    """`in_a_row` on top of one for each answer that may be under way: a crash breaks all of them off, and a moment
    later the worker is there again."""
    return in_a_row + settings.n_parallel


def local_model(name: str, settings: WorkerSettings, queue_timeout: float = 30.0) -> LocalModel:
    """The model, not started. Reads the head of its file, and raises ModelLoadError where that is not sound."""
    header = read_header(settings.model)
    trained = header.context_length or settings.n_ctx
    context = min(settings.n_ctx or trained, trained)
    worker = LlamaWorker(settings)
    facts = Facts(
        max_input_tokens=context or None,
        image_input=settings.mmproj is not None,
        pdf_input=True,
        structured_outputs=True,
    )
    backend = Backend(
        LlamaEngine(name, worker),
        # What is more than it answers at once waits where waiting has an end, and another target may be free.
        slots=Slots(settings.n_parallel),
        failures=failures_of(settings),
        kind="llamacpp",
    )
    return LocalModel(name, settings.model, worker, backend, facts, queue_timeout)
