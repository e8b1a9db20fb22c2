"""The worker process and who keeps it running, with real models in a real llama.cpp."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from structlog.testing import capture_logs

from tests.gguf.models import model_file
from understudy.engines.llamacpp import supervisor
from understudy.engines.llamacpp.connection import Connection
from understudy.engines.llamacpp.external import ExternalLlama
from understudy.engines.llamacpp.failures import LlamaError, LlamaGoneError, ModelLoadError
from understudy.engines.llamacpp.gguf import read_header
from understudy.engines.llamacpp.supervisor import LlamaWorker, WorkerSettings

TEXT = {"prompt": "Once upon a time", "stream": True, "return_progress": True, "ignore_eos": True}


def settings_for(model: Path, **more: Any) -> WorkerSettings:
    wanted: dict[str, Any] = {
        "n_ctx": 16_384,
        "n_parallel": 2,
        "n_threads": 1,
        "cache_ram_mib": 0,
        "warmup": False,
        "restart_wait": 10.0,
    }
    return WorkerSettings(model=model, **{**wanted, **more})


@asynccontextmanager
async def working(**more: Any) -> AsyncGenerator[LlamaWorker]:
    worker = LlamaWorker(settings_for(model_file("tiny"), **more))
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def busy(connection: Connection) -> int:
    slots = cast("list[dict[str, Any]]", await connection._whole("GET", "/slots", None, 10.0))
    return sum(slot["is_processing"] for slot in slots)


async def seconds_until_free(connection: Connection) -> float:
    began = time.monotonic()
    while await busy(connection):
        assert time.monotonic() - began < 10.0
        await asyncio.sleep(0.002)
    return time.monotonic() - began


async def say(connection: Connection, tokens: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    body = {**TEXT, "n_predict": tokens}
    async with aclosing(connection.stream("/completion", body, first=20.0, idle=20.0)) as lists:
        async for events in lists:
            found += events
    return found


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_worker_answers_and_leaves_nothing_behind() -> None:
    async with working() as worker:
        assert worker.state == "ready"
        pid = worker.pid
        assert pid is not None
        events = await say(worker.connection, 20)
        assert events[-1]["stop"] is True
        assert events[-1]["tokens_predicted"] == 20
        found = await worker.properties()
        assert (found.n_ctx, found.total_slots, found.vision) == (16_384, 2, False)
        assert found.model_path == str(worker.settings.model)
        assert "<|im_start|>" in found.chat_template
        assert (found.bos_token, found.eos_token) == ("<|endoftext|>", "<|im_end|>")
        assert await worker.properties() is found
        assert worker.header.architecture == "qwen3"
        directory = Path(_socket_of(pid)).parent
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        # Without the key, nothing.
        with pytest.raises(LlamaError) as raised:
            await Connection(directory / "llama.sock", "wrong").get("/props")
        assert raised.value.status == 401
        assert not [one for one in psutil.Process(pid).net_connections("inet") if one.status == psutil.CONN_LISTEN]
        connection = worker.connection
    assert worker.state == "stopped"
    assert gone(pid)
    assert not directory.exists()
    with pytest.raises(LlamaGoneError):
        await connection.get("/health")


def _socket_of(pid: int) -> str:
    found = [one.laddr for one in psutil.Process(pid).net_connections("unix") if one.laddr]
    return next(str(one) for one in found if str(one).endswith("llama.sock"))


async def test_a_prompt_that_is_too_long_is_told_with_its_numbers() -> None:
    async with working(n_ctx=2048) as worker:
        body = {**TEXT, "prompt": [500] * 5000, "n_predict": 1}
        with pytest.raises(LlamaError) as raised:
            async for _ in worker.connection.stream("/completion", body, first=20.0, idle=20.0):
                pass
        assert (raised.value.status, raised.value.type) == (400, "exceed_context_size_error")
        assert raised.value.details == {"n_prompt_tokens": 5000, "n_ctx": 2048}


async def test_giving_up_frees_the_slot_while_decoding_and_while_reading_a_prompt() -> None:
    async with working(n_ctx=131_072, n_parallel=1) as worker:
        connection = worker.connection
        # A slot's last token may be on its way, and nothing of the request before.
        lists = connection.stream("/completion", {**TEXT, "n_predict": 100_000}, first=20.0, idle=20.0)
        for _ in range(10):
            await anext(lists)
        assert await busy(connection) == 1
        await lists.aclose()
        assert await seconds_until_free(connection) < 0.2

        # Cut such that reading all of it takes many seconds.
        prompt = [token % 8000 for token in range(100_000)]
        lists = connection.stream("/completion", {**TEXT, "prompt": prompt, "n_predict": 1}, first=20.0, idle=20.0)
        steps: list[float] = []
        while len(steps) < 4:
            began = time.monotonic()
            progress = (await anext(lists))[-1]["prompt_progress"]
            steps.append(time.monotonic() - began)
            assert progress["processed"] < 50_000
        await lists.aclose()
        # Within a batch of the prompt, which gets slower the longer it is; a busy machine stretches both.
        assert await seconds_until_free(connection) < max(0.2, 3 * max(steps))


async def test_a_worker_that_is_killed_fails_its_requests_at_once_and_starts_again() -> None:
    async with working() as worker:
        connection, first = worker.connection, worker.pid
        assert first is not None
        lists = connection.stream("/completion", {**TEXT, "n_predict": 100_000}, first=20.0, idle=20.0)
        await anext(lists)
        before = await worker.properties()
        with capture_logs() as logs:
            os.kill(first, signal.SIGKILL)
            began = time.monotonic()
            with pytest.raises(LlamaGoneError):
                while True:
                    await anext(lists)
            assert time.monotonic() - began < 1.0
            # The next request waits for the worker that takes its place.
            assert len(await say(connection, 5)) >= 5
        assert worker.state == "ready"
        assert worker.pid != first
        assert await worker.properties() == before
        ended = next(entry for entry in logs if entry["event"] == "llamacpp_worker_ended")
        assert ended["exit_code"] == -signal.SIGKILL


async def test_a_crash_in_the_library_is_logged_with_its_last_words() -> None:
    async with working() as worker:
        assert worker.pid is not None
        with capture_logs() as logs:
            os.kill(worker.pid, signal.SIGABRT)
            await _until(worker, "restarting")
            assert len(await say(worker.connection, 5)) >= 5
        ended = next(entry for entry in logs if entry["event"] == "llamacpp_worker_ended")
        assert ended["exit_code"] == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in ended["stderr"]


async def test_a_worker_that_cannot_start_again_refuses_requests_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_BACKOFF", (0.01,))
    monkeypatch.setattr(supervisor, "_PATIENCE", 2)
    model = tmp_path / "model.gguf"
    whole = model_file("tiny").read_bytes()
    model.write_bytes(whole)
    worker = LlamaWorker(settings_for(model))
    await worker.start()
    try:
        assert worker.pid is not None
        (tmp_path / "half.gguf").write_bytes(whole[:5000])
        (tmp_path / "half.gguf").replace(model)
        os.kill(worker.pid, signal.SIGKILL)
        await _until(worker, "failed")
        began = time.monotonic()
        with pytest.raises(LlamaGoneError):
            await worker.connection.get("/props")
        assert time.monotonic() - began < 0.5
        (tmp_path / "whole.gguf").write_bytes(whole)
        (tmp_path / "whole.gguf").replace(model)
        await _until(worker, "ready")
        assert len(await say(worker.connection, 3)) >= 3
    finally:
        await worker.stop()


async def _until(worker: LlamaWorker, state: str) -> None:
    async with asyncio.timeout(20):
        while worker.state != state:
            await asyncio.sleep(0.01)


async def test_a_worker_that_was_stopped_can_start_again() -> None:
    worker = LlamaWorker(settings_for(model_file("tiny")))
    for _ in range(2):
        await worker.start()
        assert (await worker.connection.get("/health"))["status"] == "ok"
        await worker.stop()
        assert worker.state == "stopped"


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_a_start_that_is_given_up_leaves_no_process(how: str) -> None:
    before = {child.pid for child in psutil.Process().children()}
    worker = LlamaWorker(settings_for(model_file("tiny")))
    starting = asyncio.create_task(worker.start())
    while not ({child.pid for child in psutil.Process().children()} - before):
        await asyncio.sleep(0.001)
    if how == "stop":
        await worker.stop()
        with pytest.raises(ModelLoadError):
            await starting
        assert worker.state == "stopped"
    else:
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert worker.state == "failed"
    assert {child.pid for child in psutil.Process().children()} <= before


PARENT = """
import asyncio, json, sys
from pathlib import Path
from understudy.engines.llamacpp.supervisor import LlamaWorker, WorkerSettings

async def main():
    worker = LlamaWorker(WorkerSettings(Path(sys.argv[1]), n_ctx=2048, n_threads=1, cache_ram_mib=0, warmup=False))
    await worker.start()
    print(worker.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_when_its_parent_does(how: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(model_file("tiny"))], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    try:
        pid = int(parent.stdout.readline())
        directory = Path(_socket_of(pid)).parent
        parent.send_signal(how)
        parent.wait(10)
        due = time.monotonic() + 5.0
        while not gone(pid):
            assert time.monotonic() < due
            time.sleep(0.01)
        # Of all there was, this is left.
        shutil.rmtree(directory)
    finally:
        parent.kill()
        parent.wait(10)
        parent.stdout.close()


MIDDLE = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-P", "-m", "understudy.engines.llamacpp.worker"], stdin=0).pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the worker's standard input is all there is")
def test_a_worker_ends_with_its_parent_though_its_input_does_not(tmp_path: Path) -> None:
    """While a model is loaded no thread of the worker can read its input: this is what ends it then."""
    middle = subprocess.Popen(
        [sys.executable, "-c", MIDDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert middle.stdin is not None and middle.stdout is not None
    worker = LlamaWorker(settings_for(model_file("tiny")))
    worker._header = read_header(worker.settings.model)
    told = worker._parameters(verbosity=0) | {"parent": middle.pid, "socket": str(tmp_path / "s.sock")}
    try:
        pid = int(middle.stdout.readline())
        middle.stdin.write(json.dumps(told).encode() + b"\n")
        middle.stdin.flush()
        states = [json.loads(middle.stdout.readline())["state"] for _ in range(2)]
        assert states == ["loading", "ready"]
        middle.kill()
        middle.wait(10)
        due = time.monotonic() + 5.0
        while not gone(pid):
            assert time.monotonic() < due
            time.sleep(0.01)
    finally:
        middle.kill()
        middle.wait(10)
        middle.stdin.close()
        middle.stdout.close()


async def refused(model: Path, **more: Any) -> str:
    """What starting a worker says that does not start."""
    worker = LlamaWorker(settings_for(model, **more))
    with pytest.raises(ModelLoadError) as raised:
        await worker.start()
    assert worker.state == "failed"
    assert worker.pid is None
    with pytest.raises(LlamaGoneError):
        await worker.connection.get("/health")
    return str(raised.value)


async def test_what_a_look_at_the_file_tells_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "WorkerProcess", None)
    whole = model_file("tiny").read_bytes()
    (tmp_path / "text.gguf").write_text("Once upon a time")
    (tmp_path / "half.gguf").write_bytes(whole[: len(whole) // 2])
    assert re.search(r"There is no model at .*none\.gguf", await refused(tmp_path / "none.gguf"))
    assert "is not a GGUF file" in await refused(tmp_path / "text.gguf")
    assert "is not whole" in await refused(tmp_path / "half.gguf")
    assert "give it as `mmproj`" in await refused(model_file("mmproj"))
    assert "is no projector" in await refused(model_file("tiny"), mmproj=model_file("tiny"))
    monkeypatch.setattr(supervisor.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'understudy[llamacpp]'" in await refused(model_file("tiny"))


async def test_what_llama_cpp_says_of_a_model_is_told(tmp_path: Path) -> None:
    whole = model_file("tiny").read_bytes()
    other = tmp_path / "other.gguf"
    other.write_bytes(whole.replace(b"qwen3", b"qwenX"))
    assert await refused(other) == "This version of llama.cpp does not know the model's architecture 'qwenX'."
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(whole.replace(b"blk.1.ffn_up.weight", b"blk.1.ffn_uq.weight"))
    assert re.search(r"llama\.cpp could not load the model: .*blk\.1\.ffn_up\.weight", await refused(broken))


async def test_more_context_than_there_is_memory_for_is_refused() -> None:
    message = await refused(model_file("tiny"), n_ctx=262_144 * 8, n_parallel=8, memory_limit=300_000_000)
    assert message.startswith("There is not enough memory for the model")


async def test_more_context_than_the_model_has_is_lowered_to_that() -> None:
    async with working(n_ctx=2_000_000_000, n_parallel=1) as worker:
        assert (await worker.properties()).n_ctx == worker.header.context_length == 262_144


async def test_images_need_the_projector() -> None:
    async with working(mmproj=model_file("mmproj")) as worker:
        assert (await worker.properties()).vision


async def test_a_worker_knows_no_keys_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_ADMIN_KEY", "planted")
    async with working() as worker:
        known = psutil.Process(worker.pid).environ()
        assert "UNDERSTUDY_ADMIN_KEY" not in known
        assert "PATH" in known


async def test_a_server_of_somebody_else_is_used_in_the_same_way() -> None:
    """Over TCP to the real thing: a relay stands in for a `llama-server` on another machine."""
    async with working() as worker:
        assert worker.pid is not None
        path = _socket_of(worker.pid)

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_unix_connection(path)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer), return_exceptions=True)

        listening = await asyncio.start_server(relay, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        external = ExternalLlama(url, worker._key)
        await external.start()
        assert external.state == "ready"
        assert await external.properties() == await worker.properties()
        assert len(await say(external.connection, 5)) >= 5
        await external.stop()
        for wrong, why in ((None, "does not accept the API key"), ("wrong", "does not accept the API key")):
            refusing = ExternalLlama(url, wrong)
            with pytest.raises(ModelLoadError, match=why):
                await refusing.start()
            assert refusing.state == "failed"
            await refusing.stop()
        listening.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


async def test_a_server_of_somebody_else_is_waited_for_while_it_loads() -> None:
    answers = [
        b'HTTP/1.1 503 X\r\nContent-Length: 62\r\n\r\n{"error":{"code":503,"message":"Loading","type":"unavailable"}}',
        b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"status":"ok"}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers and await reader.readuntil(b"\r\n\r\n"):
            writer.write(answers.pop(0))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    external = ExternalLlama(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    with pytest.raises(ModelLoadError, match=r"no llama\.cpp server"):
        await external.start()
    assert not answers
    await external.stop()
    listening.close()
    nobody = ExternalLlama("http://127.0.0.1:1")
    with pytest.raises(ModelLoadError, match="cannot be reached"):
        await nobody.start()


def test_whatever_a_worker_is_told_it_says_why_it_ends() -> None:
    told = json.dumps({"parent": 1}).encode() + b"\n"
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "understudy.engines.llamacpp.worker"], input=told, capture_output=True, timeout=20
    )
    assert ended.returncode != 0
