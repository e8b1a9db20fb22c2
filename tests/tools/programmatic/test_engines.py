"""What models behind an OpenAI-compatible server are told of tools that code may call, and how their programs run."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from engines.openai_compatible.turns import engine
from fake_openai import FakeOpenAI, Reply, call, calls, chunk, fake_openai, said, stream
from tests.tools.api import folded, tools_api
from understudy.engines.openai_compatible.dialects import DIALECTS

from .asking import RUNNER, WEATHER, Block, Talk, results

VLLM = DIALECTS["vllm"]
CODE = 'print(await get_weather({"city": "Rome"}))'


@pytest_asyncio.fixture
async def upstream() -> AsyncGenerator[FakeOpenAI]:
    async with fake_openai(said("done")) as fake:
        yield fake


def program(code: str) -> Reply:
    return stream(
        calls(call(0, "call_0", "code_execution", json.dumps({"code": code}))), chunk(finish_reason="tool_calls")
    )


@pytest.mark.parametrize("declared", [True, False])
async def test_the_model_is_told_of_functions_and_sees_what_its_code_printed(
    data_dir: Path, upstream: FakeOpenAI, *, declared: bool
) -> None:
    upstream.reply(program(CODE), said("It is cool in Rome."))
    up = engine(upstream.url, VLLM)
    async with tools_api(data_dir, engine=up) as api:
        talk = Talk(api, "How is Rome?", [RUNNER, WEATHER] if declared else [WEATHER])
        message = await talk.to_the_end()
    await up.close()
    names = [tool["function"]["name"] for tool in upstream.bodies[0]["tools"]]
    assert names == [*(["bash_code_execution", "text_editor_code_execution"] * declared), "code_execution"]
    told = upstream.bodies[0]["tools"][-1]["function"]["description"]
    assert "async def get_weather(arguments: dict) -> str" in told
    assert json.dumps(WEATHER["input_schema"], separators=(",", ":")) in told
    assert message["content"][-1]["text"] == "It is cool in Rome."
    # Two calls of the model, for three requests' worth of work: the tool's result came to the code alone.
    assert len(upstream.bodies) == 2
    assert [one["role"] for one in upstream.bodies[1]["messages"]] == ["user", "assistant", "tool"]
    assert upstream.bodies[1]["messages"][2]["content"] == '{"city": "Rome", "degrees": 4}'


async def test_streamed(data_dir: Path, upstream: FakeOpenAI) -> None:
    upstream.reply(program(CODE), said("It is cool."))
    up = engine(upstream.url, VLLM)
    async with tools_api(data_dir, engine=up) as api:
        first = folded(await api.stream("How is Rome?", tools=[WEATHER]))
        assert first["stop_reason"] == "tool_use"
        messages: list[Block] = [
            {"role": "user", "content": "How is Rome?"},
            {"role": "assistant", "content": first["content"]},
            results(first),
        ]
        last = folded(await api.stream("", messages=messages, tools=[WEATHER], container=first["container"]["id"]))
    await up.close()
    assert [block["type"] for block in last["content"]] == ["code_execution_tool_result", "text"]
