"""The official SDK against servers whose models ask advisors: the simulator, an upstream of the OpenAI kind, and a
model of this machine."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from fake_claude import Talk, fake_claude
from fake_openai import call, calls, chunk, fake_openai, said, stream
from installations import query
from recordings.replaying import needs_recordings, replay
from servers import RunningServer, ServerStarter, start_server
from streams import parse_sse
from tests.gguf.models import scripted_model

from .api import ADVISING, BETA, REDACTED, TOOL

MODEL = "claude-sonnet-4-6"
ASKED = "What's 2+2? Consult your advisor first."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    running = start_server(tmp_path_factory.mktemp("advised"))
    yield running
    assert running.stop() == 0


def answer(server: RunningServer, *, streamed: bool, **more: Any) -> Any:
    client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    wanted: Any = {
        "model": MODEL,
        "max_tokens": 2_000,
        "betas": [BETA],
        "tools": [TOOL],
        "messages": [{"role": "user", "content": ASKED}],
        **more,
    }
    if not streamed:
        return client.beta.messages.create(**wanted)
    with client.beta.messages.stream(**wanted) as events:
        return events.get_final_message()


def types_of(message: Any) -> list[str]:
    return [block.type for block in message.content if block.type != "thinking"]


def assert_advised(message: Any, advisor: str = ADVISING) -> None:
    assert types_of(message) == ["server_tool_use", "advisor_tool_result", "text"]
    first, advice, last = message.usage.iterations
    assert [one.type for one in (first, advice, last)] == ["message", "advisor_message", "message"]
    assert advice.model == advisor
    assert message.usage.output_tokens == first.output_tokens + last.output_tokens


@pytest.mark.parametrize("streamed", [False, True])
def test_the_simulator_is_advised(server: RunningServer, *, streamed: bool) -> None:
    message = answer(server, streamed=streamed)
    assert_advised(message)
    assert message.content[1].content.text == "2 + 2 = 4. There is nothing to plan here: answer it."
    assert message.content[-1].text == "2 + 2 = 4"


@pytest.mark.parametrize("streamed", [False, True])
def test_sealed_advice_goes_on_with_the_conversation(server: RunningServer, *, streamed: bool) -> None:
    tool = TOOL | {"model": REDACTED, "max_tokens": 1024}
    message = answer(server, streamed=streamed, tools=[tool])
    assert_advised(message, REDACTED)
    assert message.content[1].content.type == "advisor_redacted_result"
    assert message.content[1].content.stop_reason == "end_turn"
    again = answer(
        server,
        streamed=streamed,
        tools=[tool],
        messages=[
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": "And what is 3*3?"},
        ],
    )
    assert types_of(again) == ["text"]


def test_both_models_stand_in_the_usage(serve: ServerStarter) -> None:
    running = serve()
    message = answer(running, streamed=False)
    assert running.stop() == 0
    rows = query(running.data_dir, "SELECT model, input_tokens, output_tokens, input_cost FROM usage ORDER BY id")
    advice = message.usage.iterations[1]
    counted = {row[0]: tuple(row[1:3]) for row in rows}
    assert counted == {
        MODEL: (message.usage.input_tokens, message.usage.output_tokens),
        ADVISING: (advice.input_tokens, advice.output_tokens),
    }
    assert all(str(row[3]) > "0" for row in rows)


def test_in_a_batch_both_models_cost_half(serve: ServerStarter) -> None:
    running = serve()
    client = anthropic.Anthropic(base_url=running.url, api_key=running.api_key, max_retries=0)
    params: Any = {
        "model": MODEL,
        "max_tokens": 500,
        "tools": [TOOL],
        "messages": [{"role": "user", "content": ASKED}],
    }
    batches = client.beta.messages.batches
    made = batches.create(betas=[BETA], requests=[{"custom_id": "one", "params": params}])
    deadline = time.monotonic() + 30
    while batches.retrieve(made.id).processing_status != "ended":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (result,) = batches.results(made.id)
    assert running.stop() == 0
    assert result.result.type == "succeeded"
    assert_advised(result.result.message)
    rows = query(running.data_dir, "SELECT model, service_tier, input_tokens, input_cost FROM usage ORDER BY model")
    # Nano-dollars for a token: half of 5 and of 3 dollars for a million.
    assert [row[:2] for row in rows] == [(ADVISING, "batch"), (MODEL, "batch")]
    assert [int(str(row[3])) for row in rows] == [int(str(rows[0][2])) * 2_500, int(str(rows[1][2])) * 1_500]


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_upstream_of_the_openai_kind_is_advised_by_another(
    serve: ServerStarter, tmp_path: Path, *, streamed: bool
) -> None:
    asks = stream(calls(call(0, "c", "advisor", "{}")), chunk(finish_reason="tool_calls"))
    async with fake_openai(asks, said("Go on.")) as working, fake_openai(said("Drain the queue first.")) as advising:
        config = tmp_path / "config.toml"
        config.write_text(
            "".join(
                f'[engines.{name}]\nkind = "openai"\nbase_url = "{upstream.url}"\n\n'
                for name, upstream in (("working", working), ("advising", advising))
            )
            + "".join(
                f'[[models.map]]\nname = "{name}"\ntargets = [{{ engine = "{engine}", model = "m" }}]\n\n'
                for name, engine in ((MODEL, "working"), ("my-advisor", "advising"))
            ),
            "utf-8",
        )
        running = await asyncio.to_thread(serve, "--config", str(config))
        tool = TOOL | {"model": "my-advisor"}
        message = await asyncio.to_thread(answer, running, streamed=streamed, tools=[tool])
    assert_advised(message, "my-advisor")
    assert message.content[1].content.text == "Drain the queue first."
    assert ASKED in advising.bodies[0]["messages"][1]["content"]


@pytest.mark.slow
def test_a_model_of_this_machine_is_advised(serve: ServerStarter) -> None:
    model = scripted_model("<tool_call>\n{}\n</tool_call>", after_tool_result="So be it.")
    running = serve("--model", str(model), env={"UNDERSTUDY_LLAMACPP_CONTEXT": "4096"})
    for streamed in (False, True):
        message = answer(
            running,
            streamed=streamed,
            max_tokens=100,
            tools=[TOOL | {"max_tokens": 1024}],
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        )
        assert types_of(message) == ["server_tool_use", "advisor_tool_result", "text"]


@needs_recordings
@pytest.mark.parametrize(("feature", "passed"), [("tool:advisor_20260301", 3)])
def test_recorded_exchanges_are_answered_alike(
    server: RunningServer, tmp_path: Path, feature: str, passed: int
) -> None:
    judged = replay(server, tmp_path, "--filter", feature)
    assert judged.failed() == {}
    # The fourth brings thinking that another installation has signed.
    assert len(judged.passed()) == passed


MESSAGE: dict[str, Any] = {
    "id": "msg_of_upstream",
    "type": "message",
    "role": "assistant",
    "model": "claude-upstream-9",
    "content": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "Drain it first."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 900, "output_tokens": 12, "service_tier": "standard"},
}
TOO_LONG = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"},
}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, MESSAGE, "Drain it first."),
        (400, TOO_LONG, "prompt_too_long"),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, "overloaded"),
    ],
    ids=["advice", "too-long", "overloaded"],
)
def test_a_claude_upstream_advises_the_simulator(
    serve: ServerStarter, tmp_path: Path, status: int, body: dict[str, Any], expected: str
) -> None:
    def say(talk: Talk) -> None:
        talk.whole(status, json.dumps(body).encode())

    with fake_claude(say) as fake:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[engines.up]\nkind = "claude"\nbase_url = "{fake.url}"\napi_key = "of the upstream"\n\n'
            f'[[models.map]]\nname = "{ADVISING}"\ntargets = [{{ engine = "up", model = "claude-upstream-9" }}]\n',
            "utf-8",
        )
        running = serve("--config", str(config))
        message = answer(running, streamed=False, tools=[TOOL | {"max_tokens": 2048}])
        sent = json.loads(fake.asked[0].body)
    content = message.content[1].content
    assert (content.text if status == 200 else content.error_code) == expected
    assert (sent["model"], sent["max_tokens"]) == ("claude-upstream-9", 2048)
    assert "anthropic-beta" not in fake.asked[0].headers
    if status == 200:
        advice = message.usage.iterations[1]
        assert (advice.model, advice.input_tokens, advice.output_tokens) == (ADVISING, 900, 12)
    else:
        assert [one.type for one in message.usage.iterations] == ["message", "message"]


def test_a_stream_is_kept_open_by_pings_while_the_advisor_thinks(serve: ServerStarter) -> None:
    env = {"UNDERSTUDY_STREAM_PING_INTERVAL": "0.2", "UNDERSTUDY_SIMULATOR_TIME_TO_FIRST_TOKEN": "0.7"}
    running = serve(env=env)
    headers = {"x-api-key": running.api_key, "anthropic-version": "2023-06-01", "anthropic-beta": BETA}
    body = {
        "model": MODEL,
        "max_tokens": 500,
        "stream": True,
        "tools": [TOOL],
        "messages": [{"role": "user", "content": ASKED}],
    }
    answered = httpx.post(f"{running.url}/v1/messages", json=body, headers=headers, timeout=60, trust_env=False)
    events = parse_sse(answered.content)
    starts = {event["content_block"]["type"]: place for place, event in enumerate(events) if "content_block" in event}
    called, brought = starts["server_tool_use"], starts["advisor_tool_result"]
    between = [event["type"] for event in events[called + 1 : brought]]
    stopped = between.index("content_block_stop")
    assert set(between[stopped + 1 :]) == {"ping"}
