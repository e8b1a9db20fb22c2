"""Code in the container calls tools that the client runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engines.subjects import Watched
from tests.tools.api import Api, bash, folded, tools_api
from understudy.engines.scenarios.model import Answer, ToolCall
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.settings import SimulatorSettings

from .asking import CODE, RUNNER, TOOLS, WEATHER, Block, Talk, cell, results, weather

TWO = 'print(await get_weather({"city": "Rome"}))\nprint(await get_weather({"city": "Oslo"}))'
TOGETHER = 'import asyncio\nprint(*await asyncio.gather(*(get_weather({"city": c}) for c in ("Rome", "Oslo"))))'


def types(message: Block) -> list[str]:
    return [block["type"] for block in message["content"]]


def stdout(message: Block) -> str:
    (found,) = (block["content"] for block in message["content"] if block["type"] == "code_execution_tool_result")
    return found["stdout"]


async def test_code_waits_for_each_result_and_goes_on_where_it_waited(api: Api) -> None:
    api.script(cell(TWO), Answer(text="Both are cool."))
    talk = Talk(api, "go")
    message = await talk.to_the_end()
    first, second, third = talk.answers
    assert types(first) == ["server_tool_use", "tool_use"]
    code, called = first["content"]
    assert code["name"] == "code_execution" and code["input"] == {"code": TWO}
    assert list(called) == ["type", "id", "name", "input", "caller"]
    assert called["caller"] == {"type": CODE, "tool_id": code["id"]}
    assert called["input"] == {"city": "Rome"}
    assert first["stop_reason"] == "tool_use"
    assert first["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 0}
    assert types(second) == ["tool_use"]
    assert second["content"][0]["caller"]["tool_id"] == code["id"]
    assert types(third) == ["code_execution_tool_result", "text"]
    assert third["content"][0]["tool_use_id"] == code["id"]
    assert message["stop_reason"] == "end_turn"
    assert stdout(message) == '{"city": "Rome", "degrees": 4}\n{"city": "Oslo", "degrees": 4}\n'
    assert len({answer["container"]["id"] for answer in talk.answers}) == 1
    # One Python for all of it.
    assert len(api.containers.only.programs) == 1


async def test_a_turn_for_which_no_model_was_asked_has_used_nothing(api: Api) -> None:
    api.script(cell(TWO), Answer(text="ok"))
    talk = Talk(api, "go")
    await talk.to_the_end()
    _, second, third = talk.answers
    assert second["usage"] == {
        "input_tokens": 0,
        "output_tokens": 0,
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
    }
    assert third["usage"]["input_tokens"] > 0


async def test_calls_that_are_gathered_come_together(api: Api) -> None:
    api.script(cell(TOGETHER), Answer(text="ok"))
    talk = Talk(api, "go")
    await talk.to_the_end()
    assert types(talk.answers[0]) == ["server_tool_use", "tool_use", "tool_use"]
    assert [block["input"]["city"] for block in talk.answers[0]["content"][1:]] == ["Rome", "Oslo"]
    assert stdout(talk.answers[1]).count("degrees") == 2


async def test_streams_bring_the_calls_whole_and_a_continuing_turn_in_one_event(api: Api) -> None:
    api.script(cell(TWO), Answer(text="ok"))
    asked: Any = [{"role": "user", "content": "go"}]
    answers: list[Block] = []
    more: Block = {}
    events: list[Block] = []
    for _ in range(3):
        events = await api.stream("", messages=asked, tools=TOOLS, **more)
        message = folded(events)
        answers.append(message)
        if len(answers) == 1:
            (start,) = (event for event in events if event.get("content_block", {}).get("type") == "tool_use")
            place = events.index(start)
            assert start["content_block"]["input"] == {"city": "Rome"}
            assert events[place + 1] == {"type": "content_block_stop", "index": 1}
            assert events[-2]["delta"]["container"]["id"] == message["container"]["id"]
        if len(answers) == 2:
            assert [event["type"] for event in events] == ["message_start", "message_stop"]
        more = {"container": message["container"]["id"]}
        asked += [{"role": "assistant", "content": message["content"]}]
        if message["stop_reason"] == "tool_use":
            asked.append(results(message))
    assert types(answers[2]) == ["code_execution_tool_result", "text"]
    assert events[1]["content_block"]["type"] == "code_execution_tool_result"


async def test_what_came_to_code_is_not_in_the_models_context_and_is_not_counted(api: Api) -> None:
    api.script(cell('x = await get_weather({"city": "Rome"})\nprint(len(x))'), Answer(text="ok"), Answer(text="bye"))
    talk = Talk(api, "go")
    await talk.to_the_end(lambda block: "snow " * 20_000)
    assert talk.answers[1]["usage"]["input_tokens"] < 4_000
    talk.messages.append({"role": "user", "content": "and?"})
    counted = await api.messages.post(
        {"model": "claude-sonnet-5-5", "messages": talk.messages, "tools": TOOLS}, path="/v1/messages/count_tokens"
    )
    assert counted.json()["input_tokens"] < 4_000
    again = await talk.say()
    assert again["usage"]["input_tokens"] == counted.json()["input_tokens"]


async def test_variables_stay_for_later_calls_and_requests(api: Api) -> None:
    api.script(cell("x = 41"), cell("x += 1\nprint(x)"), Answer(text="ok"), cell("print(x * 2)"), Answer(text="ok"))
    talk = Talk(api, "go")
    message = await talk.say()
    assert message["content"][-2]["content"]["stdout"] == "42\n"
    talk.messages.append({"role": "user", "content": "again"})
    assert stdout(await talk.say()) == "84\n"


async def test_results_are_text_and_errors_are_seen_by_the_code(api: Api) -> None:
    api.script(cell('print(repr(await get_weather({"city": "Rome"})))'), Answer(text="ok"))
    talk = Talk(api, "go")
    await talk.to_the_end(lambda block: [{"type": "text", "text": "Error: "}, {"type": "text", "text": "no such city"}])
    assert stdout(talk.answers[1]) == "'Error: no such city'\n"


async def test_a_tool_that_only_code_may_call_is_none_of_the_models(data_dir: Path) -> None:
    both = {**WEATHER, "name": "both", "allowed_callers": ["direct", CODE]}
    direct = {**WEATHER, "name": "direct", "allowed_callers": ["direct"]}
    watched = Watched(SimulatorEngine(SimulatorSettings()))
    async with tools_api(data_dir, engine=watched) as api:
        await api.ask("hello", tools=[RUNNER, WEATHER, both, direct])
    functions = {function.name: function.description for function in watched.turns[0].server_functions}
    assert list(functions) == ["bash_code_execution", "text_editor_code_execution", "code_execution"]
    told = functions["code_execution"]
    assert "async def get_weather(arguments: dict) -> str\nThe weather in a city, as JSON." in told
    assert "async def both" in told
    assert "direct(" not in told


async def test_code_is_run_for_tools_alone(api: Api) -> None:
    """Recorded: the tool that runs the code need not be declared."""
    api.script(cell('print(await get_weather({"city": "Rome"}))'), Answer(text="ok"))
    talk = Talk(api, "go", tools=[WEATHER])
    await talk.to_the_end()
    assert types(talk.answers[0]) == ["server_tool_use", "tool_use"]


async def test_the_caller_has_the_name_of_the_version_that_is_declared(api: Api) -> None:
    for kind, caller in (("code_execution_20250825", "code_execution_20250825"), ("code_execution_20260521", CODE)):
        api.script(cell('print(await get_weather({"city": "Rome"}))'))
        tools = [{**RUNNER, "type": kind}, {**WEATHER, "allowed_callers": [kind]}]
        talk = Talk(api, "go", tools=tools)
        assert (await talk.say())["content"][1]["caller"]["type"] == caller


async def test_a_direct_call_beside_code_leaves_the_code_for_later(api: Api) -> None:
    both = {**WEATHER, "allowed_callers": ["direct", CODE]}
    code = ToolCall(name="code_execution", input={"code": 'print(await get_weather({"city": "Oslo"}))'})
    api.script(
        Answer(tool_calls=(code, ToolCall(name="get_weather", input={"city": "Rome"}))),
        Answer(text="ok"),
    )
    talk = Talk(api, "go", tools=[RUNNER, both])
    await talk.to_the_end()
    assert types(talk.answers[0]) == ["server_tool_use", "tool_use"]
    assert talk.answers[0]["content"][1]["caller"] == {"type": "direct"}
    assert [block["caller"]["type"] for block in talk.answers[1]["content"]] == [CODE]
    assert types(talk.answers[2]) == ["code_execution_tool_result", "text"]


async def test_two_codes_of_one_turn_run_one_after_the_other(api: Api) -> None:
    def code(city: str) -> ToolCall:
        return ToolCall(name="code_execution", input={"code": f'print(await get_weather({{"city": "{city}"}}))'})

    api.script(Answer(tool_calls=(code("Rome"), code("Oslo"))), Answer(text="ok"))
    talk = Talk(api, "go")
    message = await talk.to_the_end()
    one, other = (block["id"] for block in talk.answers[0]["content"] if block["type"] == "server_tool_use")
    assert [types(answer) for answer in talk.answers] == [
        ["server_tool_use", "server_tool_use", "tool_use"],
        ["code_execution_tool_result", "tool_use"],
        ["code_execution_tool_result", "text"],
    ]
    assert talk.answers[1]["content"][1]["caller"]["tool_id"] == other
    assert [talk.answers[1]["content"][0]["tool_use_id"], message["content"][0]["tool_use_id"]] == [one, other]


async def test_commands_run_in_the_container_of_the_code(api: Api) -> None:
    api.script(
        cell("import os\nopen(os.path.join(os.getcwd(), 'a.txt'), 'w').write('hi')"), bash("cat a.txt"), Answer(text="")
    )
    message = await api.ask("go", tools=TOOLS)
    assert message["content"][3]["content"]["stdout"] == "hi"


async def test_files_that_code_leaves_are_passed_on(api: Api) -> None:
    api.script(
        cell(
            "import os\ntext = await get_weather({'city': 'Rome'})\n"
            "with open(os.environ['OUTPUT_DIR'] + '/w.json', 'w') as f:\n    f.write(text)"
        ),
        Answer(text="ok"),
    )
    talk = Talk(api, "go")
    message = await talk.to_the_end()
    (file,) = message["content"][0]["content"]["content"]
    assert file["type"] == "code_execution_output"
    assert json.loads((await api.file(file["file_id"]))[1]) == {"city": "Rome", "degrees": 4}


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("What is the weather in Rome?", 1),
        ("What is the weather in San Francisco, New York and London?", 3),
    ],
)
async def test_the_simulator_writes_the_program(api: Api, question: str, calls: int) -> None:
    talk = Talk(api, question)
    message = await talk.to_the_end()
    called = [block for block in talk.answers[0]["content"] if block["type"] == "tool_use"]
    assert len(called) == calls
    assert len(talk.answers) == 2
    for block in called:
        assert json.loads(weather(block))["city"] in message["content"][-1]["text"]
    assert message["content"][0]["content"]["return_code"] == 0


@pytest.mark.parametrize("name", ["import", "get-weather"])
async def test_the_simulator_calls_a_tool_by_the_name_that_it_has_in_python(api: Api, name: str) -> None:
    alike = {**WEATHER, "name": "get_weather", "description": "Nothing."}
    talk = Talk(
        api, "What is the weather in Rome?", [RUNNER, *([alike] if "-" in name else []), {**WEATHER, "name": name}]
    )
    message = await talk.to_the_end()
    assert [block["name"] for block in talk.answers[0]["content"] if block["type"] == "tool_use"] == [name]
    assert "Rome" in message["content"][-1]["text"]


async def test_the_simulator_needs_no_code_where_no_tool_fits(api: Api) -> None:
    message = await api.ask("Hi there", tools=[WEATHER])
    assert types(message) == ["text"]
