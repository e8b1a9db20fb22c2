"""What a server of the OpenAI kind sees as the model that is advised, and as the advisor."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from engines.openai_compatible.turns import engine
from fake_openai import FakeOpenAI, call, calls, chunk, fake_openai, said, stream
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.wire.advising import SYSTEM

from .api import REDACTED, TOOL, AdvisedApi, Block, folded, types_of


@pytest_asyncio.fixture
async def upstream() -> AsyncGenerator[FakeOpenAI]:
    asks = stream(calls(call(0, "call_0", "advisor", "{}")), chunk(finish_reason="tool_calls"))
    async with fake_openai(asks, said("Drain the queue first."), said("Done.")) as fake:
        yield fake


async def ask(fake: FakeOpenAI, tool: Block, *, streamed: bool) -> Block:
    up = engine(fake.url, DIALECTS["vllm"])
    try:
        api = AdvisedApi(up)
        return folded(await api.stream(tools=[tool])) if streamed else await api.ask(tools=[tool])
    finally:
        await up.close()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("tool", [TOOL, TOOL | {"model": REDACTED}], ids=["plain", "redacted"])
async def test_advice_comes_as_the_result_of_a_call(upstream: FakeOpenAI, tool: Block, *, streamed: bool) -> None:
    message = await ask(upstream, tool, streamed=streamed)
    assert types_of(message) == ["server_tool_use", "advisor_tool_result", "text"]
    first, advising, last = upstream.bodies
    assert [one["function"]["name"] for one in first["tools"]] == ["advisor"]
    assert advising["messages"][0] == {"role": "system", "content": SYSTEM}
    assert "tools" not in advising
    told = last["messages"][-1]
    assert (told["role"], told["content"]) == ("tool", "Drain the queue first.")


async def test_usage_of_the_upstream_is_what_each_model_is_billed(upstream: FakeOpenAI) -> None:
    message = await ask(upstream, TOOL, streamed=False)
    advice = message["usage"]["iterations"][1]
    assert (advice["type"], advice["input_tokens"], advice["output_tokens"]) == ("advisor_message", 11, 7)
