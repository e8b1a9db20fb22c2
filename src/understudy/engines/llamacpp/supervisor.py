"""Keeps a worker process running: started, watched, started again when it ends, and stopped with us."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

import structlog

from .connection import Connection
from .failures import LlamaGoneError, ModelLoadError
from .gguf import GgufInfo, read_header
from .process import WorkerProcess, not_installed
from .processors import default_threads
from .progress import share, size_of, taken_in
from .properties import LlamaProperties, read_properties
from .worker import Parameters

_log = structlog.stdlib.get_logger(__name__)

State = Literal["starting", "ready", "restarting", "stopped", "failed"]

# Seconds before each start in a row; the last is for all that follow.
_BACKOFF: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# Starts in a row that fail before requests are refused at once instead of waiting.
_PATIENCE: Final = 4
# Seconds after which a worker that ran counts as sound.
_SOUND: Final = 60.0
_SOCKET: Final = "llama.sock"
# Bytes of a Unix socket's path on the system that has the least room, with the end.
_LONGEST_PATH: Final = 103


class LlamaServer(Protocol):
    """A llama.cpp server, ours or another's.

    `start` raises ModelLoadError. Requests over `connection` can be sent at any time: they fail with LlamaGoneError
    when nobody answers.
    """

    @property
    def connection(self) -> Connection: ...

    @property
    def state(self) -> State: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def properties(self) -> LlamaProperties: ...


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a model is run. Contexts and batches are in tokens, times in seconds.

    `n_ctx` is for all slots together, 0 is the model's own, and more than the model's own for each slot is lowered to
    that; with `kv_unified` each slot may use all of it. `memory_limit` is in bytes; None is what the system has left.
    `n_parallel` is how many answers are made at once. `n_threads` None is one less than the physical cores.
    `n_gpu_layers` -1 is as many as fit. `cache_ram_mib` bounds the prompts kept in memory beside the slots.
    `chat_template` None is the model's own. `restart_wait` is how long a request waits for a worker that starts again.
    """

    model: Path
    mmproj: Path | None = None
    n_ctx: int = 32_768
    n_parallel: int = 4
    n_threads: int | None = None
    n_batch: int = 256
    n_gpu_layers: int = -1
    cache_ram_mib: int = 1024
    kv_unified: bool = True
    chat_template: str | None = None
    chat_template_kwargs: Mapping[str, str] = field(default_factory=dict[str, str])
    warmup: bool = True
    memory_limit: int | None = None
    load_timeout: float = 600.0
    restart_wait: float = 30.0


class LlamaWorker:
    """One model in a process of its own, on a Unix socket in a directory that only this user may enter.

    Belongs to the event loop on which it was started, and must be stopped there.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self._state: State = "stopped"
        self._key = secrets.token_urlsafe(32)
        self._directory = _directory()
        self._connection = Connection(self._directory / _SOCKET, self._key, ready=self._until_ready)
        self._process: WorkerProcess | None = None
        self._loading: WorkerProcess | None = None
        self._progress, self._size = 0.0, 0
        self._watching: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._properties: LlamaProperties | None = None
        self._header: GgufInfo | None = None

    @property
    def state(self) -> State:
        return self._state

    @property
    def load_progress(self) -> float | None:
        """Which share of the model's files was taken in, from 0 to 1, while they are loaded. All of them being there,
        there is still the context to be made. None when nothing is loaded, and where it cannot be seen."""
        loading = self._loading
        if loading is None:
            return None
        now = taken_in(loading.pid)
        if now is None or loading.before is None:
            return 0.0 if sys.platform == "linux" else None
        # Parts that are not needed any more are let go of.
        self._progress = max(self._progress, share(loading.before, now, self._size))
        return self._progress

    @property
    def connection(self) -> Connection:
        """The same for as long as this object lives. Requests over it wait for a worker that starts again."""
        return self._connection

    @property
    def header(self) -> GgufInfo:
        """What the model's file says of it, once started."""
        if self._header is None:
            raise LlamaGoneError("The model was not started.")
        return self._header

    @property
    def pid(self) -> int | None:
        """The process that serves now."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Load the model and serve it. Raises ModelLoadError; the state is then `failed`, and nothing is left over."""
        if self._state not in ("stopped", "failed") or self._watching is not None:
            return
        self._become("starting")
        try:
            if sys.platform == "win32":
                raise ModelLoadError("Embedded models need Linux or macOS.")
            if importlib.util.find_spec("xllamacpp") is None:
                raise not_installed()
            self._header = await asyncio.to_thread(_check, self.settings)
            # Its name cannot be guessed; one that is there already would be an error.
            self._directory.mkdir(mode=0o700)
            await self._load(self.settings.load_timeout)
            if self.state != "starting":
                raise ModelLoadError("The model was stopped while it was loaded.")
        except BaseException as error:
            await self._release()
            if self.state == "starting":
                self._become("failed")
            if isinstance(error, OSError):
                raise ModelLoadError(f"The model's process cannot be started: {error}.") from error
            raise
        self._become("ready")
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """End the process. Requests that are under way fail with LlamaGoneError."""
        self._become("stopped")
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        await self._release()

    async def properties(self) -> LlamaProperties:
        """Asked once each time the worker has started. Raises what a request raises."""
        if self._properties is None:
            self._properties = await read_properties(self.connection)
        return self._properties

    async def _watch(self) -> None:
        """Start the worker again whenever it ends. Never ends by itself."""
        clock = asyncio.get_running_loop().time
        failures = 0
        began = clock()
        while True:
            process = self._process
            if process is not None:
                code = await process.until_ended()
                if clock() - began > _SOUND:
                    failures = 0
                self._become("failed" if failures >= _PATIENCE else "restarting")
                self._drop()
                _log.error(
                    "llamacpp_worker_ended", model=str(self.settings.model), exit_code=code, stderr=process.tail or None
                )
                self._process = None
            await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            failures += 1
            began = clock()
            try:
                await self._load(self.settings.load_timeout)
            except (ModelLoadError, OSError) as error:
                _log.error("llamacpp_worker_not_started", model=str(self.settings.model), reason=str(error))
                if failures >= _PATIENCE:
                    self._become("failed")
                continue
            began = clock()
            self._become("ready")
            _log.info("llamacpp_worker_restarted", model=str(self.settings.model), pid=self.pid)

    async def _load(self, seconds: float) -> None:
        """A new process that serves. Raises ModelLoadError and OSError, with no process left."""
        process = await WorkerProcess.start(self._parameters(verbosity=0))
        self._size = size_of(self.settings.model, self.settings.mmproj)
        self._loading, self._progress = process, 0.0
        try:
            await process.until_ready(seconds)
        except ModelLoadError as error:
            await process.end()
            raise await self._explain(error, seconds) from error
        except BaseException:
            process.kill()
            await process.end()
            raise
        finally:
            self._loading = None
        self._process = process

    async def _explain(self, error: ModelLoadError, seconds: float) -> ModelLoadError:
        """Why, by trying once more with llama.cpp's log of errors.

        Without a log a worker prints nothing of what is in requests, so that is how it serves.
        """
        if error.known:
            return error
        process = await WorkerProcess.start(self._parameters(verbosity=1))
        try:
            await process.until_ready(seconds)
        except ModelLoadError as explained:
            return explained
        finally:
            process.kill()
            await process.end()
        return error

    async def _until_ready(self) -> None:
        """What every request waits for. Raises LlamaGoneError."""
        if self._state == "ready":
            return
        try:
            async with asyncio.timeout(self.settings.restart_wait):
                while self._state in ("starting", "restarting"):
                    await self._changed.wait()
        except TimeoutError:
            raise LlamaGoneError("The model's process is starting again.") from None
        if self._state in ("stopped", "failed"):
            raise LlamaGoneError("The model's process does not run.")

    def _become(self, state: State) -> None:
        self._state = state
        # Wakes all who wait now, and none who will.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _drop(self) -> None:
        self._properties = None
        self._connection.drop()

    async def _release(self) -> None:
        self._drop()
        process, self._process = self._process, None
        if process is not None:
            await process.end()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _parameters(self, verbosity: int) -> Parameters:
        settings = self.settings
        most = (self.header.context_length or settings.n_ctx) * settings.n_parallel
        return Parameters(
            model=str(settings.model),
            mmproj=str(settings.mmproj or ""),
            n_ctx=min(settings.n_ctx, most),
            n_parallel=settings.n_parallel,
            n_threads=settings.n_threads or default_threads(),
            n_batch=settings.n_batch,
            n_gpu_layers=settings.n_gpu_layers,
            cache_ram_mib=settings.cache_ram_mib,
            kv_unified=settings.kv_unified,
            chat_template=settings.chat_template or "",
            chat_template_kwargs=dict(settings.chat_template_kwargs),
            warmup=settings.warmup,
            memory_limit=settings.memory_limit or 0,
            verbosity=verbosity,
            socket=str(self._directory / _SOCKET),
            api_key=self._key,
            parent=os.getpid(),
        )


def _check(settings: WorkerSettings) -> GgufInfo:
    """What a look at the files can tell, before a process is started. Raises ModelLoadError."""
    header = read_header(settings.model)
    if header.architecture == "clip":
        raise ModelLoadError(f"{settings.model} is a projector for images: give it as `mmproj`, beside a model.")
    if settings.mmproj is not None and (found := read_header(settings.mmproj)).architecture != "clip":
        raise ModelLoadError(f"{settings.mmproj} is no projector for images but a model ({found.architecture}).")
    return header


def _directory() -> Path:
    """Of a name of its own, short enough for a socket in it."""
    name = f"understudy-{secrets.token_hex(8)}"
    directory = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(directory / _SOCKET)) > _LONGEST_PATH:
        directory = Path("/tmp") / name  # noqa: S108 - nobody can guess it
    return directory
