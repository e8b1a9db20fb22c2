"""Models on this machine in the model map: those that the server starts with, and those it is told of later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from .catalog import Catalog
from .llamacpp.failures import ModelLoadError
from .routing import Mapped, Routing

if TYPE_CHECKING:
    from .llamacpp.local import LocalModel
    from .llamacpp.supervisor import WorkerSettings

_log = structlog.stdlib.get_logger("understudy.models")

_LONGEST_NAME: Final = 128


def lines_for_all(model: LocalModel, taken: Iterable[str]) -> list[Mapped]:
    """Lines from the file's name and from all public models to `model`, but for the names that are `taken`."""
    mapped = set(taken)
    lines = [
        model.mapped(public.id) for public in Catalog().models() if mapped.isdisjoint((public.id, *public.aliases))
    ]
    if model.path.stem not in mapped:
        lines.append(model.mapped(model.path.stem))
    return lines


class Loader:
    """Takes models into the map and out of it while the server runs. llama.cpp's side is imported with the first.

    `settings_of` gives the settings that a model file is run with, `queue_timeout` the seconds that a request waits
    while its model is busy. Only files in `directories` are loaded.
    """

    def __init__(
        self,
        routing: Routing,
        settings_of: Callable[[Path], WorkerSettings],
        directories: Sequence[Path],
        models: Iterable[LocalModel] = (),
        *,
        queue_timeout: float = 30.0,
    ) -> None:
        self._routing = routing
        self._settings_of = settings_of
        self._directories = directories
        self._queue_timeout = queue_timeout
        self.models = {model.name: model for model in models}
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the models that the server begins with. Raises ModelLoadError for one that cannot be started, and then
        none of them runs."""
        try:
            await _all(model.start() for model in self.models.values())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await _all([*(model.stop() for model in self.models.values()), *self._ending])

    def load(self, path: Path, name: str | None, names: Sequence[str]) -> LocalModel:
        """Begin to load the model at `path` as the engine `name`, to answer for `names`; by default the file's name.

        Raises ModelLoadError for a file that may not or cannot be loaded, ValueError for a name that is taken.
        """
        from .llamacpp.gguf import allowed
        from .llamacpp.local import local_model

        real = allowed(path, self._directories)
        name = name or real.stem
        if len(name) > _LONGEST_NAME:
            raise ValueError(f"the name has more than {_LONGEST_NAME} characters")
        model = local_model(name, self._settings_of(real), self._queue_timeout)
        self._routing.put(name, model.backend, [model.mapped(one) for one in names or [name]])
        self.models[name] = model
        model.loading = asyncio.create_task(self._start(model))
        return model

    async def unload(self, name: str) -> None:
        """Take a model away; answers under way are cut. Raises KeyError."""
        model = self.models.pop(name)
        self._routing.drop(name)
        # Whoever asked for it may go before it has ended, which it does all the same.
        ending = asyncio.create_task(model.stop())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        await asyncio.shield(ending)

    async def _start(self, model: LocalModel) -> None:
        try:
            await model.start()
        except ModelLoadError as error:
            # It stays in the map, to say why it does not answer.
            _log.warning("a model could not be loaded", engine=model.name, reason=str(error))


async def _all(works: Iterable[Awaitable[None]]) -> None:
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
