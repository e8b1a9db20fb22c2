"""A llama.cpp server that somebody else runs, named by its URL in the configuration file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anthropic
import pytest

from engines.llamacpp.llama_turns import tiny
from servers import ServerStarter
from understudy.engines.llamacpp.supervisor import LlamaWorker, WorkerSettings

pytestmark = pytest.mark.slow


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def listening() -> AsyncGenerator[tuple[str, str]]:
    """A llama.cpp server on a port of 127.0.0.1: its URL and its key. Ours listen on sockets, so bytes are carried."""
    worker = LlamaWorker(WorkerSettings(tiny(), n_ctx=8192, n_threads=1, cache_ram_mib=0, warmup=False))
    await worker.start()
    path, key = worker._parameters(0)["socket"], worker._key  # pyright: ignore[reportPrivateUsage]

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(path)
        await asyncio.gather(_carry(reader, back), _carry(there, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", key
    finally:
        server.close()
        await worker.stop()


async def test_a_server_that_runs_already_answers_by_its_url(serve: ServerStarter, tmp_path: Path) -> None:
    config = tmp_path / "understudy.toml"
    async with listening() as (url, key):
        config.write_text(
            f'[engines.there]\nkind = "llamacpp"\nbase_url = "{url}"\napi_key = "{key}"\n\n'
            '[[models.map]]\nname = "mine"\ntargets = [{ engine = "there", model = "tiny" }]\n',
            "utf-8",
        )
        server = await asyncio.to_thread(serve, "--config", str(config))
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key=server.api_key, max_retries=0) as client:
            messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hi"}]
            counted = await client.messages.count_tokens(model="mine", messages=messages)
            message = await client.messages.create(model="mine", max_tokens=5, messages=messages)
            raw = await client.messages.with_raw_response.create(model="mine", max_tokens=2, messages=messages)
    assert message.usage.input_tokens == counted.input_tokens
    assert message.usage.output_tokens == 5
    assert raw.headers["understudy-engine"] == "there/tiny"
