"""Understudy serving one GGUF model, and what it asks and costs."""

from __future__ import annotations

import http.client
import json
import random
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import cpu_seconds_alone
from benchmarks.rounds import settled_cpu
from benchmarks.servers import BenchmarkError, Server, start_python, stop

from .asking import Place, understudy, worker

SLOTS = 8

_numbers = random.Random(0)
"""Of eight digits each, so that all prompts are equally long, and what two have in common is the template's alone."""


@dataclass(frozen=True)
class Serving:
    """`ours` is asked through Understudy, `straight` is the same worker. `template`: what the model reads of a question
    that is one place in it."""

    server: Server
    worker_pid: int
    ours: Place
    straight: Place
    template: str

    def message(self, tokens: int, *, stream: bool = True, system: str | None = None, text: str = "") -> dict[str, Any]:
        """A request for so many tokens that no other request of this run equals."""
        request: dict[str, Any] = {
            "model": "claude-sonnet-4-5",
            "max_tokens": tokens,
            "stream": stream,
            "messages": [{"role": "user", "content": f"{_number()}{text}"}],
        }
        return request if system is None else {**request, "system": system}

    def completion(self, tokens: int) -> dict[str, Any]:
        """What the worker is asked for where Understudy is asked for `message(tokens)`."""
        prompt = self.template.replace(_PLACE, _number())
        return {"prompt": prompt, "n_predict": tokens, "stream": True, "cache_prompt": True}

    def own_cpu(self) -> float:
        """CPU seconds of Understudy's process, without its worker, once both are at rest."""
        settled_cpu(self.server)
        return cpu_seconds_alone(self.server.pid)


_PLACE = "00000000"


def _number() -> str:
    return str(_numbers.randrange(10_000_000, 100_000_000))


@contextmanager
def serving(model: Path, scratch: Path) -> Generator[Serving]:
    """`understudy serve --model …` with one thread for the engine, ended at the end. Raises BenchmarkError."""
    directory = scratch / model.stem
    directory.mkdir()
    told = directory / "worker.json"
    command = ["-m", "benchmarks.llamacpp.watched", str(told), "serve", "--port", "0", "--model", str(model)]
    env = {"UNDERSTUDY_LLAMACPP_THREADS": "1", "UNDERSTUDY_LLAMACPP_SLOTS": str(SLOTS)}
    # The engine's thread and the API have a core each where the system gives them one: nobody is pinned.
    server = start_python("understudy", [*command, "--data-dir", str(directory / "data")], directory, env, set())
    try:
        place = json.loads(told.read_bytes())
        straight = worker(Path(place["socket"]), place["api_key"])
        ours = understudy(server.host, server.port, server.headers)
        yield Serving(server, place["pid"], ours, straight, _rendered(straight))
    finally:
        stop(server)


def _rendered(straight: Place) -> str:
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(straight.address))
        # As Understudy asks for it where the client does not ask for thinking.
        kwargs = {"enable_thinking": False}
        body = {"messages": [{"role": "user", "content": _PLACE}], "chat_template_kwargs": kwargs}
        connection.request("POST", "/apply-template", json.dumps(body), straight.headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise BenchmarkError(f"the worker renders no prompt: {answer[:500].decode(errors='replace')}")
    return json.loads(answer)["prompt"]
