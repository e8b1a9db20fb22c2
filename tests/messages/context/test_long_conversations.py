"""Conversations that outgrow their model's window: over a socket, with the official SDK."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import anthropic
import pytest
from anthropic import beta_tool

from servers import RunningServer, start_server
from tests.gguf.models import model_file

EDITS: list[Any] = [
    {"type": "clear_tool_uses_20250919", "trigger": {"type": "input_tokens", "value": 1_500}},
    {"type": "compact_20260112"},
]
BETAS = ["context-management-2025-06-27", "compact-2026-01-12"]
WINDOW = 4_000

CONFIG = f"""
[[models.map]]
name = "small"
targets = [{{ engine = "simulator", model = "small" }}]
max_input_tokens = {WINDOW}
"""


def client_of(server: RunningServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=server.url, api_key=server.api_key, max_retries=0, default_headers={"anthropic-version": "2023-06-01"}
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    directory = tmp_path_factory.mktemp("small")
    config = directory / "understudy.toml"
    config.write_text(CONFIG)
    running = start_server(directory, "--config", str(config))
    yield running
    assert running.stop() == 0, running.printed()


def talk(server: RunningServer, model: str, turns: int, window: int, words: int) -> int:
    """Ask so often, and send everything back each time. Returns how many summaries were written."""
    messages: list[Any] = []
    summaries = 0
    with client_of(server) as client:
        for turn in range(turns):
            messages.append({"role": "user", "content": f"Turn {turn}: " + "tell me more of rivers. " * words})
            asked: dict[str, Any] = {
                "model": model,
                "max_tokens": 32,
                "messages": messages,
                "betas": BETAS,
                "context_management": {"edits": EDITS},
            }
            if turn % 2:
                with client.beta.messages.stream(**asked) as stream:
                    message = stream.get_final_message()
            else:
                message = client.beta.messages.create(**asked)
            assert message.stop_reason in {"end_turn", "max_tokens"}
            assert message.usage.input_tokens <= window
            for entry in message.usage.iterations or []:
                assert entry.input_tokens <= window
            summaries += message.content[0].type == "compaction"
            content = [block.to_dict() for block in message.content]
            messages.append({"role": "assistant", "content": content or "(nothing)"})
    assert len(messages) == 2 * turns
    return summaries


def test_three_hundred_turns_stay_inside_a_small_window(small: RunningServer) -> None:
    assert talk(small, "small", 300, WINDOW, words=30) > 10


def test_a_tool_runner_goes_on_over_summaries(small: RunningServer) -> None:
    read: list[int] = []

    @beta_tool
    def read_page(number: int) -> str:
        """Read one page of the report.

        Args:
            number: The number of the page.
        """
        read.append(number)
        return f"Page {number}. " + "The quick brown fox jumps over the lazy dog. " * 205

    with client_of(small) as client:
        runner = client.beta.messages.tool_runner(
            model="small",
            max_tokens=300,
            tools=[read_page],
            messages=[{"role": "user", "content": "Read page 1 of the report with read_page."}],
            betas=["compact-2026-01-12"],
            context_management={"edits": [{"type": "compact_20260112"}]},
            max_iterations=6,
        )
        messages = list(runner)
    assert read == [1]
    assert [block.type for block in messages[-1].content] == ["compaction", "text"]
    assert messages[-1].stop_reason == "end_turn"


def test_a_tool_runner_compacts_when_it_is_told_to(small: RunningServer) -> None:
    @beta_tool
    def get_time(city: str) -> str:
        """The time in a city.

        Args:
            city: The city.
        """
        return f"It is noon in {city}."

    with client_of(small) as client:
        runner = client.beta.messages.tool_runner(
            model="small",
            max_tokens=300,
            tools=[get_time],
            messages=[{"role": "user", "content": "What is the time in Oslo?"}],
            betas=["compact-2026-09-04"],
            max_iterations=6,
        )
        reasons: list[str | None] = []
        for message in runner:
            if not reasons:
                runner.compact_before_next_turn()
            reasons.append(message.stop_reason)
    assert reasons == ["tool_use", "compaction", "end_turn"]


@pytest.mark.slow
def test_a_local_model_stays_inside_its_own_window(tmp_path: Path) -> None:
    """Its window is far below the least trigger that can be asked for."""
    model = tmp_path / "tiny.gguf"
    model.symlink_to(model_file("tiny"))
    env = {"UNDERSTUDY_LLAMACPP_THREADS": "1", "UNDERSTUDY_LLAMACPP_SLOTS": "1", "UNDERSTUDY_LLAMACPP_CONTEXT": "4096"}
    server = start_server(tmp_path / "server", "--model", str(model), env=env)
    try:
        window = cast("int", client_of(server).models.retrieve("tiny").max_input_tokens)
        assert window <= 4_096
        assert talk(server, "tiny", 300, window, words=8) > 10
    finally:
        assert server.stop() == 0, server.printed()
