"""The official SDK against a server that runs code in real containers."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic import beta_tool

from bubblewrap import have_bubblewrap
from clients.installs import python_client, run
from servers import RunningServer, ServerStarter, clean_environment, start_server
from tests.gguf.models import scripted_model
from tests.tools.real import MODEL, asked, client
from tests.tools.web.api import PAGES

CALLER: Any = "code_execution_20260120"
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city, as JSON.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "allowed_callers": [CALLER],
}
TOOLS: Any = [{"type": CALLER, "name": "code_execution"}, WEATHER]
GUIDE = Path(__file__).resolve().parents[3] / "docs" / "programmatic-tool-calling.md"
QUESTION = "What is the weather in San Francisco, New York and London?"


def run_to_the_end(sdk: anthropic.Anthropic, messages: Any, *, streamed: bool, **more: Any) -> list[Any]:
    """The answers to a conversation, tools being run in between."""
    answers: list[Any] = []
    answer: Any
    while True:
        wanted: Any = {"model": MODEL, "max_tokens": 2_000, "tools": TOOLS, "messages": messages, **more}
        if streamed:
            with sdk.messages.stream(**wanted) as stream:
                answer = stream.get_final_message()
        else:
            answer = sdk.messages.create(**wanted)
        answers.append(answer)
        if answer.stop_reason != "tool_use":
            return answers
        more["container"] = answer.container.id
        # What was forced was done.
        more.pop("tool_choice", None)
        called = [block for block in answer.content if block.type == "tool_use"]
        messages = [
            *messages,
            {"role": "assistant", "content": answer.content},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": block.id, "content": json.dumps(block.input)}
                    for block in called
                ],
            },
        ]


@pytest.mark.parametrize("streamed", [False, True])
def test_code_in_a_container_calls_the_clients_tools(server: RunningServer, *, streamed: bool) -> None:
    answers = run_to_the_end(client(server), asked(QUESTION), streamed=streamed)
    first, last = answers
    called = [block for block in first.content if block.type == "tool_use"]
    assert [block.input for block in called] == [
        {"city": "San Francisco"}, {"city": "New York"}, {"city": "London"},
    ]  # fmt: skip
    assert {block.caller.type for block in called} == {CALLER}
    assert last.content[0].content.return_code == 0
    assert "New York" in last.content[-1].text
    assert first.container.id == last.container.id


@pytest.mark.parametrize("streamed", [False, True])
def test_one_call_after_the_other_comes_in_answers_that_used_nothing(server: RunningServer, *, streamed: bool) -> None:
    code = "x = await get_weather({'city': 'Rome'})\nprint(x, await get_weather({'city': 'Oslo'}))"
    messages: Any = [
        *asked("go"),
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "srvtoolu_01abc", "name": "code_execution", "input": {"code": code}}
            ],
        },
    ]
    first, second, _ = run_to_the_end(client(server), messages, streamed=streamed)
    assert [block.input for block in first.content] == [{"city": "Rome"}]
    assert [block.input for block in second.content] == [{"city": "Oslo"}]
    assert second.usage.input_tokens == second.usage.output_tokens == 0


def test_the_sdks_tool_runner_runs_them(server: RunningServer) -> None:
    sdk = client(server)

    @beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return json.dumps({"city": city, "degrees": 7})

    schema: Any = get_weather.to_dict()
    get_weather.to_dict = lambda: {**schema, "allowed_callers": [CALLER]}  # pyright: ignore[reportAttributeAccessIssue]
    tools: Any = [{"type": CALLER, "name": "code_execution"}, get_weather]
    runner = sdk.beta.messages.tool_runner(model=MODEL, max_tokens=2_000, tools=tools, messages=asked(QUESTION))
    messages = list(runner)
    assert len(messages) == 2
    assert messages[0].stop_reason == "tool_use"
    assert '"degrees": 7' in messages[-1].content[-1].text  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("streamed", [False, True])
def test_web_search_is_filtered_by_code(server: RunningServer, *, streamed: bool) -> None:
    tools: Any = [{"type": "web_search_20260318", "name": "web_search"}]
    question = "Search the web: what is the latest stable Ruby version?"
    (answer,) = run_to_the_end(client(server), asked(question), streamed=streamed, tools=tools)
    assert [block.type for block in answer.content if block.type != "thinking"] == [
        "server_tool_use",
        "server_tool_use",
        "web_search_tool_result",
        "code_execution_tool_result",
        "text",
    ]
    assert PAGES[0]["title"] in answer.content[-1].text
    assert answer.usage.server_tool_use.web_search_requests == 1


@pytest.mark.parametrize("sdk", ["2", pytest.param("0.125", marks=pytest.mark.slow)])
def test_the_guides_example_runs(server: RunningServer, tmp_path: Path, sdk: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    program = tmp_path / "example.py"
    program.write_text(example, "utf-8")
    python = sys.executable if sdk == "2" else str(python_client(f"anthropic-{sdk}"))
    env = clean_environment({"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.api_key})
    printed = run([python, str(program)], env=env, timeout=60)
    assert all(city in printed for city in ("San Francisco", "New York", "London"))


def test_code_that_misbehaves_fails_alone(server: RunningServer) -> None:
    """Frames that no program of ours sends, more memory than there is, and calls without end."""
    sdk = client(server)
    attacks = {
        "import os\nfor one in range(3, 9):\n    try: os.write(one, b'\\xff' * 64)\n    except OSError: pass\n"
        "await get_weather({})": "unavailable",
        "import os, time\nend = time.monotonic() + 3\nframe = b'\\0\\0\\0\\x0b{\"seen\":-1}'\n"
        "while time.monotonic() < end:\n    try: os.write(3, frame * 99)\n    except OSError: break": "unavailable",
        "while True: last = await web_fetch({'url': 'none'})": "unavailable",
        "x = [bytes(1 << 30) for _ in range(99)]": None,
        "while True: await get_weather(1)": "TypeError",
        "await get_weather({'x': 'y' * 2_000_000})": "ValueError",
    }
    for number, (code, expected) in enumerate(attacks.items()):
        call = {"type": "server_tool_use", "id": f"srvtoolu_01x{number}", "name": "code_execution"}
        messages: Any = [*asked("go"), {"role": "assistant", "content": [{**call, "input": {"code": code}}]}]
        began = time.monotonic()
        tools: Any = [*TOOLS, {"type": "web_fetch_20260209", "name": "web_fetch"}]
        answer = sdk.messages.create(model=MODEL, max_tokens=1_000, tools=tools, messages=messages)
        result: Any = next(block for block in answer.content if block.type == "code_execution_tool_result")
        assert result.type == "code_execution_tool_result"
        assert time.monotonic() - began < 20
        if expected is not None:
            assert expected in json.dumps(result.content.model_dump())
    assert sdk.messages.create(model=MODEL, max_tokens=100, messages=asked("hello")).stop_reason == "end_turn"


def test_a_result_of_many_megabytes_reaches_the_code(server: RunningServer) -> None:
    sdk = client(server)
    code = "print(len(await get_weather({'city': 'Rome'})))"
    call = {"type": "server_tool_use", "id": "srvtoolu_01big", "name": "code_execution", "input": {"code": code}}
    messages: Any = [*asked("go"), {"role": "assistant", "content": [call]}]
    first = sdk.messages.create(model=MODEL, max_tokens=1_000, tools=TOOLS, messages=messages)
    waiting: Any = first.content[0]
    assert first.container is not None
    messages += [
        {"role": "assistant", "content": [waiting.model_dump()]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": waiting.id, "content": "x" * 25_000_000}],
        },
    ]
    last: Any = sdk.messages.create(
        model=MODEL, max_tokens=1_000, tools=TOOLS, messages=messages, container=first.container.id
    )
    assert last.content[0].content.stdout == "25000000\n"
    assert last.usage.input_tokens < 5_000


@pytest.mark.slow
def test_a_model_of_this_machine_has_its_program_run(server: RunningServer, serve: ServerStarter) -> None:
    del server
    code = r"print(await get_weather({\"city\": \"Rome\"}))"
    model = scripted_model(f'"{code}"}}\n</tool_call>', after_tool_result="It is cool.")
    sdk = client(serve("--model", str(model), env={"UNDERSTUDY_LLAMACPP_CONTEXT": "4096"}))
    tools: Any = [{"type": "code_execution_20250522", "name": "code_execution"}, WEATHER]
    for streamed in (False, True):
        choice: Any = {"type": "tool", "name": "code_execution"}
        wanted: Any = {"model": "claude-sonnet-4-6", "tools": tools, "tool_choice": choice}
        first, last = run_to_the_end(sdk, asked("go"), streamed=streamed, **wanted)
        assert [block.type for block in first.content] == ["server_tool_use", "tool_use"]
        assert first.content[1].input == {"city": "Rome"}
        assert json.loads(last.content[0].content.stdout) == {"city": "Rome"}
        assert last.content[1].text == "It is cool."


@pytest.mark.slow
def test_a_restart_of_the_server_loses_nothing_that_was_told(tmp_path: Path) -> None:
    have_bubblewrap()
    running = start_server(tmp_path)
    code = "a = await get_weather({'city': 'Rome'})\nprint(a, await get_weather({'city': 'Oslo'}))"
    call = {"type": "server_tool_use", "id": "srvtoolu_01again", "name": "code_execution", "input": {"code": code}}
    messages: Any = [*asked("go"), {"role": "assistant", "content": [call]}]
    more: Any = {}
    try:
        for city in ("Rome", "Oslo"):
            answer: Any = client(running).messages.create(
                model=MODEL, max_tokens=1_000, tools=TOOLS, messages=messages, **more
            )
            (block,) = answer.content
            assert block.input == {"city": city}
            more = {"container": answer.container.id}
            messages += [
                {"role": "assistant", "content": [block.model_dump()]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block.id, "content": city}]},
            ]
            if city == "Rome":
                running.stop()
                running = start_server(tmp_path)
        last: Any = client(running).messages.create(
            model=MODEL, max_tokens=1_000, tools=TOOLS, messages=messages, **more
        )
        assert last.content[0].content.stdout == "Rome Oslo\n"
    finally:
        running.stop()
