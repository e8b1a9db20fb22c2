"""Engines of the configuration file, end to end: `understudy serve --config`, the official SDK, and an upstream."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anthropic
import pytest

from fake_openai import FakeOpenAI, Json, Reply, call, calls, chunk, fake_openai, said, stream, usage
from servers import ServerFailed, ServerStarter


def answers(body: Json) -> Reply:
    """A model that calls the tool it is given, and speaks of the result."""
    if body["messages"][-1]["role"] == "tool":
        return said(f"It is {body['messages'][-1]['content']}.", prompt=40, completion=6)
    if body.get("tools"):
        return stream(
            calls(call(0, "call_1", "get_weather", '{"city": ')),
            calls(call(0, arguments='"Lima"}')),
            chunk(finish_reason="tool_calls"),
            chunk(usage=usage(30, 9, 10)),
        )
    return said("Hel", "lo.")


def configured(tmp_path: Path, fake: FakeOpenAI) -> str:
    path = tmp_path / "understudy.toml"
    path.write_text(
        f"""
[engines.local]
kind = "openai"
base_url = "{fake.url}"
api_key = "an upstream's key"
dialect = "vllm"

[[models.map]]
name = "my-qwen"
targets = [{{ engine = "local", model = "qwen3-32b" }}]
""",
        "utf-8",
    )
    return str(path)


async def test_an_upstream_that_counts_is_asked_for_the_tokens_of_a_prompt(
    serve: ServerStarter, tmp_path: Path
) -> None:
    def counts(body: Json) -> Reply:
        if "stream" not in body:
            return Reply([b'{"count": 33, "max_model_len": 4096}'], content_type="application/json")
        # vLLM says how long the prompt is with every chunk (`continuous_usage_stats`).
        return stream(chunk({"content": "Hello."}, usage=usage(33, 1)), chunk({}, "stop", usage=usage(33, 2)))

    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hi"}]
    async with fake_openai(script=counts) as fake:
        server = await asyncio.to_thread(serve, "--config", configured(tmp_path, fake))
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key=server.api_key, max_retries=0) as client:
            counted = await client.messages.count_tokens(model="my-qwen", messages=messages)
            events = [
                event
                async for event in await client.messages.create(
                    model="my-qwen", max_tokens=9, messages=messages, stream=True
                )
            ]
    assert counted.input_tokens == 33
    assert fake.paths == ["/tokenize", "/v1/chat/completions"]
    assert events[0].type == "message_start"
    assert events[0].message.usage.input_tokens == 33


def text_of(message: anthropic.types.Message) -> str:
    (block,) = message.content
    assert block.type == "text"
    return block.text


async def test_a_mapped_model_answers_through_an_openai_compatible_server(serve: ServerStarter, tmp_path: Path) -> None:
    tool: anthropic.types.ToolParam = {
        "name": "get_weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    async with fake_openai(script=answers) as fake:
        server = await asyncio.to_thread(serve, "--config", configured(tmp_path, fake))
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key=server.api_key, max_retries=0) as client:
            raw = await client.messages.with_raw_response.create(
                model="my-qwen", max_tokens=50, messages=[{"role": "user", "content": "Hi"}]
            )
            assert raw.headers["understudy-engine"] == "local/qwen3-32b"
            message = await raw.parse()
            assert text_of(message) == "Hello."
            assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 7)
            async with client.messages.stream(
                model="my-qwen",
                max_tokens=50,
                tools=[tool],
                messages=[{"role": "user", "content": "The weather in Lima?"}],
            ) as events:
                called = await events.get_final_message()
            assert called.stop_reason == "tool_use"
            (block,) = called.content
            assert block.type == "tool_use"
            assert block.input == {"city": "Lima"}
            assert (called.usage.input_tokens, called.usage.cache_read_input_tokens) == (20, 10)
            told = await client.messages.create(
                model="my-qwen",
                max_tokens=50,
                tools=[tool],
                messages=[
                    {"role": "user", "content": "The weather in Lima?"},
                    {"role": "assistant", "content": called.content},
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": block.id, "content": "sunny"}],
                    },
                ],
            )
            assert text_of(told) == "It is sunny."
            assert "my-qwen" in {model.id async for model in client.models.list(limit=100)}
            # What is not mapped is the simulator's.
            simulated = await client.messages.with_raw_response.create(
                model="claude-sonnet-4-5", max_tokens=50, messages=[{"role": "user", "content": "Hi"}]
            )
            assert simulated.headers["understudy-engine"].startswith("simulator/")
        assert all(body["model"] == "qwen3-32b" for body in fake.bodies if "messages" in body)
        assert all(headers["authorization"] == "Bearer an upstream's key" for headers in fake.headers)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[engines.local]\nkind = "openai"\n', "base_url is needed"),
        ('[[models.map]]\nname = "a"\ntargets = [{ engine = "nobody", model = "m" }]\n', "nobody"),
        ('[engines.local]\nkind = "smoke signals"\n', "kind"),
        ('[engines.up]\nkind = "claude"\nbase_url = "http://127.0.0.1:1"\noptions = { a = 1 }\n', "options"),
        ('[engines.local]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\nspeed = 1\n', "speed"),
    ],
)
def test_a_wrong_engine_is_told_at_the_start(serve: ServerStarter, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "understudy.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ServerFailed, match=told):
        serve("--config", str(path))
