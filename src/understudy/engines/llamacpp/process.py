"""One worker process, from its start to its end. What happens when it ends is for the supervisor to decide."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, cast

from .failures import ModelLoadError
from .progress import TakenIn
from .worker import Parameters

# Lines of standard error, each cut to so many characters, that are kept.
_TAIL: Final = 40
_LINE: Final = 500
# What a worker may know of our environment. Keys of other services are not for a parser of strangers' files.
_PASSED_ON: Final = (
    "PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "LD_PRELOAD",
)  # fmt: skip
_PASSED_ON_PREFIXES: Final = ("LC_", "CUDA_", "NVIDIA_", "GGML_", "LLAMA_", "HIP_", "ROCR_", "VK_", "OMP_", "GOMP_")
# What llama.cpp writes when it ends a process itself, or the system's reason.
_MEMORY: Final = ("failed to allocate", "out of memory", "bad_alloc", "cannot allocate", "unable to allocate")


class WorkerProcess:
    """`pid` once started; `tail` is the end of what it wrote to standard error. `before` is what of files it had taken
    in when it began to load the model's, None as long as that is not known."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self.before: TakenIn | None = None
        self._reading = asyncio.get_running_loop().create_task(self._read_errors())

    @classmethod
    async def start(cls, parameters: Parameters) -> WorkerProcess:
        """A new process that has been told its `parameters`. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Without the current directory in the module path.
            "-P",
            "-m",
            "understudy.engines.llamacpp.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(os.environ),
            # Ctrl-C in a terminal is for the API, which lets what is under way end first.
            start_new_session=True,
        )
        worker = cls(process)
        assert process.stdin is not None
        process.stdin.write(json.dumps(parameters).encode() + b"\n")
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def tail(self) -> str:
        return "\n".join(self._tail)

    async def until_ready(self, timeout: float) -> float:  # noqa: ASYNC109 - part of what it says when it fails
        """Wait until it serves; the seconds that loading took. Raises ModelLoadError."""
        try:
            async with asyncio.timeout(timeout):
                while (report := await self._report()) is not None:
                    before = report.get("before")
                    if before is not None:
                        self.before = TakenIn(*before)
                    if report.get("state") == "ready":
                        return float(report.get("seconds", 0.0))
                    if report.get("state") == "failed":
                        await self.until_ended()
                        raise self._failure(str(report.get("reason", "")))
                await self.until_ended()
        except TimeoutError as error:
            raise ModelLoadError(f"The model was not loaded within {timeout:.0f} seconds.") from error
        raise self._failure("")

    async def until_ended(self) -> int:
        """Its exit code, or less than 0 for the signal that ended it."""
        code = await self._process.wait()
        await asyncio.wait([self._reading], timeout=1.0)
        return code

    async def end(self, grace: float = 2.0) -> None:
        """Have it end; kill it where it does not within `grace` seconds."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(grace):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await asyncio.wait([self._reading], timeout=1.0)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _report(self) -> Mapping[str, Any] | None:
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError:
            return None
        if not line:
            return None
        with suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                return cast("dict[str, Any]", found)
        return {}

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        held = b""
        while data := await self._process.stderr.read(16 * 1024):
            *lines, held = (held + data).split(b"\n")
            held = held[-_LINE:]
            self._tail.extend(line.decode(errors="replace")[:_LINE] for line in lines if line.strip())
        if held.strip():
            self._tail.append(held.decode(errors="replace"))

    def _failure(self, reason: str) -> ModelLoadError:
        code = self._process.returncode
        tail = self.tail
        low = f"{reason}\n{tail}".lower()
        if "no module named 'xllamacpp'" in low:
            return not_installed()
        if "libgomp" in low:
            return ModelLoadError("xllamacpp needs the system's libgomp.so.1 (Debian: apt install libgomp1).")
        if "unknown model architecture:" in tail:
            name = tail.partition("unknown model architecture:")[2].partition("\n")[0].strip(" '")
            return ModelLoadError(f"This version of llama.cpp does not know the model's architecture {name!r}.")
        if any(sign in low for sign in _MEMORY) or code == -signal.SIGKILL:
            return ModelLoadError(
                "There is not enough memory for the model: take a smaller one, a smaller n_ctx, or fewer slots."
            )
        if code is not None and code < 0:
            why = f"llama.cpp crashed while loading the model ({signal.Signals(-code).name})"
        else:
            why = "llama.cpp could not load the model"
        last = _last_words(tail)
        return ModelLoadError(f"{why}: {last}.") if last else ModelLoadError(f"{why}.", known=False)


def not_installed() -> ModelLoadError:
    return ModelLoadError("Embedded models need the extra `llamacpp`: pip install 'understudy[llamacpp]'.")


def _last_words(tail: str) -> str:
    """What llama.cpp says went wrong, from lines such as `0.00.009.171 E llama_model_load: error loading model: …`."""
    for sign in ("error loading model: ", "GGML_ASSERT", " E ", "what():"):
        for line in tail.split("\n"):
            before, found, rest = line.partition(sign)
            if found:
                return (rest if sign.startswith(("error", " ")) else line.removeprefix(before)).strip()
    return ""


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in ours.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)}
    # A crash would otherwise start a debugger to print where it was.
    return {**kept, "GGML_NO_BACKTRACE": "1", "PYTHONFAULTHANDLER": "1"}
