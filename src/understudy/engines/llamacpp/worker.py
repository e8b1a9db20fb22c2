"""The process in which llama.cpp runs: an error in its C++ ends this process and not the one that serves the API.

`python -m understudy.engines.llamacpp.worker` reads one line of JSON from its standard input (`Parameters`), serves on
the Unix socket that it names, and writes lines of JSON to its standard output: `{"state": "loading", "before": …}` with
what of files it has taken in before the model's (see `progress`), and then either `{"state": "ready", "seconds": …}` or
`{"state": "failed", "reason": …}`.
It ends when its standard input does, so it never outlives whoever started it. Started by `supervisor`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from typing import Any, Final, NoReturn, TextIO, TypedDict

from understudy.engines.llamacpp.progress import taken_in

_PR_SET_PDEATHSIG: Final = 1


class Parameters(TypedDict):
    """What a worker is told. Sizes of contexts and batches are in tokens; `n_ctx` 0 is the model's own.

    `n_ctx` is for all slots together: each has an equal part, or with `kv_unified` as much as there is.
    `cache_ram_mib` bounds the prompts that are kept in memory beside the slots. `chat_template` empty is the model's.
    `memory_limit` is in bytes, 0 is what the system has left; not every system knows such a limit.
    `parent` is the process that the worker must not outlive.
    """

    model: str
    mmproj: str
    n_ctx: int
    n_parallel: int
    n_threads: int
    n_batch: int
    n_gpu_layers: int
    cache_ram_mib: int
    kv_unified: bool
    chat_template: str
    chat_template_kwargs: dict[str, str]
    warmup: bool
    memory_limit: int
    verbosity: int
    socket: str
    api_key: str
    parent: int


def main() -> NoReturn:
    report = _own_output()
    parameters: Parameters = json.loads(sys.stdin.buffer.readline())
    _end_with_the_parent(parameters["parent"])
    _bound_memory(parameters["memory_limit"])
    with contextlib.suppress(FileNotFoundError):
        os.unlink(parameters["socket"])  # noqa: PTH108 - pathlib is not needed for one call
    began = time.monotonic()
    try:
        # Stubs do not come with it.
        import xllamacpp  # pyright: ignore[reportMissingTypeStubs]

        _say(report, state="loading", before=taken_in())
        server = _serve(xllamacpp, parameters)
    except Exception as error:
        # llama.cpp writes its log from a thread of its own.
        time.sleep(0.1)
        _say(report, state="failed", reason=str(error))
        _end(1)
    _say(report, state="ready", seconds=round(time.monotonic() - began, 3))
    # The server's threads work; this one only keeps `server` alive.
    while server is not None:
        signal.pause()
    _end(0)


def _serve(library: Any, parameters: Parameters) -> object:
    settings: Any = library.CommonParams()
    settings.model.path = parameters["model"]
    settings.mmproj.path = parameters["mmproj"]
    settings.no_mmproj = not parameters["mmproj"]
    settings.hostnames = [parameters["socket"]]
    settings.api_keys = [parameters["api_key"]]
    settings.ui = False
    settings.cors_origins = ""
    settings.offline = True
    settings.verbosity = parameters["verbosity"]
    settings.warmup = parameters["warmup"]
    settings.n_ctx = parameters["n_ctx"]
    settings.n_parallel = parameters["n_parallel"]
    settings.kv_unified = parameters["kv_unified"]
    # A request that is given up is noticed between two batches of its prompt.
    settings.n_batch = parameters["n_batch"]
    settings.n_ubatch = parameters["n_batch"]
    settings.n_gpu_layers = parameters["n_gpu_layers"]
    settings.cpuparams.n_threads = parameters["n_threads"]
    settings.cpuparams_batch.n_threads = parameters["n_threads"]
    settings.cache_ram_mib = parameters["cache_ram_mib"]
    settings.chat_template = parameters["chat_template"]
    settings.default_template_kwargs = parameters["chat_template_kwargs"]
    return library.Server(settings)


def _own_output() -> TextIO:
    """Standard output for reports alone: whatever else is printed, by C++ too, goes to standard error."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return report


def _say(report: TextIO, **line: object) -> None:
    # Nobody listens: the parent is gone, and so is this process in a moment.
    with contextlib.suppress(OSError):
        report.write(json.dumps(line) + "\n")
        report.flush()


def _end_with_the_parent(parent: int) -> None:
    """Loading holds the interpreter's lock, so that no thread of ours runs: on Linux the kernel ends us even then."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            _end(1)
    threading.Thread(target=_watch, daemon=True).start()


def _bound_memory(limit: int) -> None:
    """Asking for more fails, and should the system's memory run out nevertheless, this process ends and no other.

    Without that, a context too large for the machine is granted, and found out only while it is filled.
    """
    import resource

    limit = limit or _memory_left()
    if limit:
        with contextlib.suppress(OSError, ValueError):
            # Not address space: a model's file and what graphics drivers reserve are not memory.
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")


def _memory_left() -> int:
    """Bytes; 0 where that is not known."""
    left = 0
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo") as file:  # noqa: PTH123
        kibibytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in file)}
        left = 1024 * (kibibytes.get("MemAvailable", 0) + kibibytes.get("SwapFree", 0))
    with contextlib.suppress(OSError, ValueError), open("/sys/fs/cgroup/memory.max") as file:  # noqa: PTH123
        left = min(left, int(file.read()))
    return left


def _watch() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    _end(0)


def _end(code: int) -> NoReturn:
    """At once, without what C++ does at the end of a process: there is nothing to save, and that can hang."""
    os._exit(code)


if __name__ == "__main__":
    main()
