"""The command `understudy`, which in addition writes down where its llama.cpp worker listens, and with which key.

    python -m benchmarks.llamacpp.watched <file> serve …

Nobody else is told. With it a measurement can ask the very worker that Understudy asks.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from understudy.cli import main
from understudy.engines.llamacpp.process import WorkerProcess
from understudy.engines.llamacpp.worker import Parameters

_start = WorkerProcess.start


def tell(place: Path) -> None:
    """Have every worker that is started from now on leave its place in the file `place`, the last one in the end."""

    async def start(parameters: Parameters) -> WorkerProcess:
        worker = await _start(parameters)
        told = {"socket": parameters["socket"], "api_key": parameters["api_key"], "pid": worker.pid}
        half = place.with_suffix(".half")
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(told, file)
        half.replace(place)
        return worker

    WorkerProcess.start = start


if __name__ == "__main__":
    tell(Path(sys.argv.pop(1)))
    main()
