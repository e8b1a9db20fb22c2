"""What a server does with models that llama.cpp runs: its places, and what is left when a model goes."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from servers import RunningServer, ServerStarter
from tests.gguf.models import model_file
from understudy.engines.llamacpp.failures import ModelLoadError
from understudy.engines.llamacpp.local import LocalModel, local_model
from understudy.engines.llamacpp.supervisor import WorkerSettings
from understudy.engines.loading import Loader
from understudy.engines.routing import Routing

pytestmark = pytest.mark.slow

ENGINES = "/_understudy/admin/engines"
MODEL = "claude-sonnet-4-5"

# An answer that cannot be short.
WORDS = {f"p{number}": {"enum": ["word " * 60]} for number in range(60)}
SCHEMA = {"type": "object", "properties": WORDS, "required": list(WORDS), "additionalProperties": False}
LONG: dict[str, Any] = {
    "max_tokens": 30_000,
    "stream": True,
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
}


def asked(server: RunningServer, model: str, **more: Any) -> dict[str, Any]:
    return {
        "url": server.url + "/v1/messages",
        "json": {"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]} | more,
        "headers": {"x-api-key": server.api_key, "anthropic-version": "2023-06-01"},
        "timeout": 30,
    }


def engine(server: RunningServer, name: str) -> dict[str, Any]:
    return httpx.get(f"{server.url}{ENGINES}/{name}", headers={"x-api-key": server.admin_key}).json()


def test_who_waits_too_long_for_a_model_here_is_told_so(serve: ServerStarter) -> None:
    server = serve(
        "--model",
        str(model_file("tiny")),
        env={
            "UNDERSTUDY_LLAMACPP_THREADS": "1",
            "UNDERSTUDY_LLAMACPP_SLOTS": "1",
            "UNDERSTUDY_MODELS_QUEUE_TIMEOUT": "0.5",
        },
    )
    with httpx.stream("POST", **asked(server, MODEL, **LONG)) as first:
        pieces = first.iter_bytes()
        next(pieces)
        began = time.monotonic()
        second = httpx.post(**asked(server, MODEL))
        assert (second.status_code, second.json()["error"]["type"]) == (529, "overloaded_error")
        assert 0.4 < time.monotonic() - began < 5
        assert engine(server, "llamacpp")["requests"] == {"running": 1, "waiting": 0}
    deadline = time.monotonic() + 10
    while engine(server, "llamacpp")["requests"]["running"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert httpx.post(**asked(server, MODEL)).status_code == 200


async def test_a_crash_that_breaks_many_answers_off_is_over_when_the_worker_is_back(serve: ServerStarter) -> None:
    server = await asyncio.to_thread(
        serve,
        "--model",
        str(model_file("tiny")),
        env={"UNDERSTUDY_LLAMACPP_THREADS": "1", "UNDERSTUDY_LLAMACPP_SLOTS": "6"},
    )
    (worker,) = psutil.Process(server.pid).children()

    async with httpx.AsyncClient() as client:

        async def broken(begun: asyncio.Semaphore) -> str:
            async with client.stream("POST", **asked(server, MODEL, **LONG)) as answer:
                said = ""
                async for piece in answer.aiter_text():
                    said += piece
                    begun.release()
                return said

        begun = asyncio.Semaphore(0)
        answers = [asyncio.create_task(broken(begun)) for _ in range(6)]
        for _ in range(12):
            await begun.acquire()
        worker.kill()
        for said in await asyncio.gather(*answers):
            assert "event: error" in said
            assert "message_stop" not in said
        assert (await client.post(**asked(server, MODEL))).status_code == 200


def test_a_model_that_is_taken_away_ends_although_nobody_waits_for_it(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_LLAMACPP_THREADS": "1"})
    directory = server.data_dir / "models"
    directory.mkdir(exist_ok=True)
    shutil.copy(model_file("tiny"), directory / "small.gguf")
    key = {"x-api-key": server.admin_key}
    loaded = httpx.post(server.url + ENGINES, json={"path": str(directory / "small.gguf")}, headers=key)
    assert loaded.status_code == 202, loaded.text
    deadline = time.monotonic() + 30
    while engine(server, "small")["state"] != "ready" and time.monotonic() < deadline:
        time.sleep(0.05)
    (worker,) = psutil.Process(server.pid).children()
    sockets = {Path(str(one.laddr)) for one in worker.net_connections("unix") if one.laddr}
    (socket,) = {path for path in sockets if path.name == "llama.sock"}

    async def go_at_once() -> None:
        _, writer = await asyncio.open_connection(*server.address)
        head = f"DELETE {ENGINES}/small HTTP/1.1\r\nhost: x\r\nx-api-key: {server.admin_key}\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        writer.transport.abort()

    asyncio.run(go_at_once())
    psutil.wait_procs([worker], timeout=10)
    assert not worker.is_running()
    deadline = time.monotonic() + 5
    while socket.parent.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not socket.parent.exists()


async def test_nothing_runs_on_where_one_of_the_first_models_cannot_be_started() -> None:
    def model(name: str, load_timeout: float) -> LocalModel:
        settings = WorkerSettings(model_file("tiny"), n_ctx=1_024, n_parallel=1, n_threads=1, load_timeout=load_timeout)
        return local_model(name, settings)

    sound = model("sound", 60.0)
    loader = Loader(Routing(None), WorkerSettings, [], [sound, model("slow", 0.001)])
    with pytest.raises(ModelLoadError):
        await loader.start()
    assert sound.state == "stopped"
    assert sound.server.pid is None
    assert not sound.server._directory.exists()
