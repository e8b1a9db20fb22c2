"""Code that waits: for how long, in whose container, and what becomes of it when nobody answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.tools.api import Api, bash, folded, tools_api
from understudy.engines.scenarios.model import Answer
from understudy.messages import server_tools

from .asking import RUNNER, TOOLS, WEATHER, Block, Talk, cell, results

ONE = 'print("before")\nprint(await get_weather({"city": "Rome"}))'
WEATHER_OF_ROME = '{"city": "Rome", "degrees": 4}'


def ran(message: Block) -> Block:
    (found,) = (block["content"] for block in message["content"] if block["type"] == "code_execution_tool_result")
    return found


async def test_a_call_without_a_result_times_out_in_the_code(data_dir: Path) -> None:
    async with tools_api(data_dir, wait=0.2) as api:
        api.script(cell(ONE), Answer(text="ok"))
        talk = Talk(api, "go")
        await talk.say()
        await asyncio.sleep(0.4)
        message = await talk.go_on()
    assert ran(message) == {
        "type": "code_execution_result",
        "stdout": "before\n",
        "stderr": "TimeoutError: Calling tool ['get_weather'] timed out (no response after 0.2s).\n",
        "return_code": 0,
        "content": [],
        "abort_reason": None,
    }


async def test_code_may_try_again_after_a_timeout(data_dir: Path) -> None:
    code = (
        'try:\n    await get_weather({"city": "Rome"})\n'
        'except TimeoutError:\n    print(await get_weather({"city": "Oslo"}))'
    )
    async with tools_api(data_dir, wait=0.5) as api:
        api.script(cell(code), Answer(text="ok"))
        talk = Talk(api, "go")
        await talk.say()
        await asyncio.sleep(0.7)
        again = await talk.go_on()
        assert [block["input"] for block in again["content"]] == [{"city": "Oslo"}]
        message = await talk.go_on()
    assert ran(message)["stdout"] == '{"city": "Oslo", "degrees": 4}\n'


async def test_code_that_no_longer_waits_is_run_again_with_what_it_was_told(data_dir: Path) -> None:
    """As after a restart of the server, or in another of its processes."""
    code = 'for city in ("Rome", "Oslo"):\n    print(await get_weather({"city": city}))'
    async with tools_api(data_dir, waiting=0) as api:
        api.script(cell(code), Answer(text="ok"))
        talk = Talk(api, "go")
        message = await talk.to_the_end()
        assert len(talk.answers) == 3
        assert [block["input"]["city"] for block in talk.answers[1]["content"]] == ["Oslo"]
        assert ran(message)["stdout"].count("\n") == 2
        assert len(api.containers.only.programs) == 3
        assert api.containers.only.running == set()
        assert api.containers.held == set()


async def test_a_container_is_given_back_when_nobody_goes_on(data_dir: Path) -> None:
    async with tools_api(data_dir, seconds=0.3) as api:
        api.script(cell(ONE), Answer(text="ok"))
        talk = Talk(api, "go")
        await talk.say()
        assert len(api.containers.held) == 1
        await asyncio.sleep(0.6)
        assert api.containers.held == set()
        assert api.containers.only.running == set()
        assert ran(await talk.go_on())["stdout"] == f"before\n{WEATHER_OF_ROME}\n"


async def test_no_more_than_so_many_containers_wait(data_dir: Path) -> None:
    async with tools_api(data_dir, waiting=2) as api:
        talks: list[Talk] = []
        api.script(*[cell(ONE)] * 5, Answer(text="ok"))
        for _ in range(5):
            talks.append(Talk(api, "go"))
            await talks[-1].say()
        await asyncio.sleep(0.1)
        assert len(api.containers.held) == 2
        assert ran(await talks[0].go_on())["stdout"].endswith(f"{WEATHER_OF_ROME}\n")


async def test_an_expired_container_is_refused(api: Api) -> None:
    api.script(cell(ONE))
    talk = Talk(api, "go")
    await talk.say()
    await api.tool.close()
    api.containers.expired.update(api.containers.made)
    talk.messages.append(results(talk.answers[0]))
    refused = await api.refusal(messages=talk.messages, tools=TOOLS, **talk.more)
    assert refused.startswith("400 Container")


async def test_another_turn_may_use_the_container_meanwhile(api: Api) -> None:
    api.script(cell(ONE))
    talk = Talk(api, "go")
    await talk.say()
    api.script(bash("echo other"), Answer(text="ok"))
    other = await api.ask("go", tools=TOOLS, container=talk.more["container"])
    assert other["content"][1]["content"]["stdout"] == "other\n"
    api.script(Answer(text="ok"))
    assert ran(await talk.go_on())["stdout"] == f"before\n{WEATHER_OF_ROME}\n"
    assert len(api.containers.only.programs) == 1


async def test_other_code_takes_the_place_of_code_that_waits(api: Api) -> None:
    api.script(cell(ONE))
    talk = Talk(api, "go")
    await talk.say()
    api.script(cell("print(1)"), Answer(text="ok"))
    other = await api.ask("go", tools=TOOLS, container=talk.more["container"])
    assert ran(other)["stdout"] == "1\n"
    api.script(Answer(text="ok"))
    assert ran(await talk.go_on())["stdout"] == f"before\n{WEATHER_OF_ROME}\n"


async def test_a_cell_that_takes_too_long_is_ended(api: Api) -> None:
    api.tool.limits = type(api.tool.limits)(0.3, 100_000)
    api.script(cell("print('begun', flush=True)\nwhile True:\n    pass"), Answer(text="ok"))
    found = ran(await api.ask("go", tools=TOOLS))
    assert found["return_code"] != 0
    assert found["stdout"] == "begun\n"
    assert "detection_timeout" in found["stderr"]


async def test_time_spent_waiting_for_the_client_is_not_the_cells(api: Api) -> None:
    api.tool.limits = type(api.tool.limits)(0.5, 100_000)
    api.script(cell(ONE), Answer(text="ok"))
    talk = Talk(api, "go")
    await talk.say()
    await asyncio.sleep(0.7)
    assert ran(await talk.go_on())["return_code"] == 0


async def test_code_that_ends_python_is_told_as_an_error(api: Api) -> None:
    api.script(cell("import os\nos._exit(3)"), cell("print(1)"), Answer(text="ok"))
    message = await api.ask("go", tools=TOOLS)
    assert message["content"][1]["content"] == {
        "type": "code_execution_tool_result_error",
        "error_code": "unavailable",
    }
    assert message["content"][3]["content"]["stdout"] == "1\n"


async def test_an_answer_goes_on_after_results_that_take_their_time(api: Api) -> None:
    """Streamed: what the code prints and the model says follow in one answer."""
    api.script(cell(ONE), Answer(text="Cool."))
    first = folded(await api.stream("go", tools=[RUNNER, WEATHER]))
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": first["content"]},
        results(first),
    ]
    events = await api.stream("", messages=messages, tools=TOOLS, container=first["container"]["id"])
    assert [block["type"] for block in folded(events)["content"]] == ["code_execution_tool_result", "text"]
    assert json.loads(ran(folded(events))["stdout"].splitlines()[1]) == json.loads(WEATHER_OF_ROME)


async def test_requests_for_one_container_run_one_after_the_other(api: Api) -> None:
    """Also where the first leaves its Python waiting there."""
    api.script(cell("x = 1"), Answer(text="ok"))
    first = await api.ask("go", tools=TOOLS)
    code = "import time\ntime.sleep(0.2)\nx += 1\nprint(x)"
    api.script(cell(code), cell(code), Answer(text="ok"), Answer(text="ok"))
    container = first["container"]["id"]
    answers = await asyncio.gather(*(api.ask("go", tools=TOOLS, container=container) for _ in range(2)))
    printed = [
        block["content"]["stdout"]
        for answer in answers
        for block in answer["content"]
        if block["type"] == "code_execution_tool_result"
    ]
    assert sorted(printed) == ["2\n", "3\n"]


async def test_code_whose_python_was_ended_meanwhile_is_run_again(api: Api) -> None:
    api.script(cell(ONE), Answer(text="ok"))
    talk = Talk(api, "go")
    await talk.say()
    await api.containers.only.programs[0].end()
    assert ran(await talk.go_on())["stdout"] == f"before\n{WEATHER_OF_ROME}\n"


async def test_code_that_takes_its_time_is_not_waited_for_in_silence(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_tools, "_PATIENCE", 0.05)
    slow = (
        'import time\nawait get_weather({"city": "Rome"})\ntime.sleep(0.3)\nprint(await get_weather({"city": "Oslo"}))'
    )
    api.script(cell(slow), Answer(text="ok"))
    first = folded(await api.stream("go", tools=TOOLS))
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": first["content"]},
        results(first),
    ]
    events = await api.stream("", messages=messages, tools=TOOLS, container=first["container"]["id"])
    assert events[0]["message"]["content"] == []
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    assert folded(events)["content"][0]["input"] == {"city": "Oslo"}
    assert folded(events)["usage"]["output_tokens"] == 0


async def test_a_call_that_the_conversation_has_lost_is_made_again(api: Api) -> None:
    calls = 'get_weather({"city": "Rome"}), get_weather({"city": "Oslo"})'
    api.script(cell(f"import asyncio\nprint(len(await asyncio.gather({calls})))"), Answer(text="ok"))
    talk = Talk(api, "go")
    await talk.say()
    lost = talk.messages[1]["content"].pop()
    again = await talk.go_on(lambda block: "here")
    assert again["content"] == [lost]
    assert ran(await talk.go_on())["stdout"] == "2\n"


async def test_a_request_that_is_sent_again_is_answered_again(api: Api) -> None:
    """As by a client that has not seen the answer, after which the code went on."""
    code = 'for city in ("Rome", "Oslo"):\n    print(await get_weather({"city": city}))'
    api.script(cell(code), Answer(text="ok"))
    talk = Talk(api, "go")
    await talk.say()
    await talk.go_on()
    del talk.messages[-1]
    async with asyncio.timeout(10):
        again = await talk.say()
    assert [block["input"] for block in again["content"]] == [{"city": "Oslo"}]
    assert ran(await talk.go_on())["stdout"].count("\n") == 2


async def test_code_that_says_it_waits_for_nothing_has_failed(api: Api) -> None:
    frame = b'\0\0\0\x15{"calls":[],"seen":0}'
    says = f"import os\nfor one in range(3, 9):\n    try: os.write(one, {frame!r})\n    except OSError: pass"
    api.script(cell(says), Answer(text="ok"))
    message = await api.ask("go", tools=TOOLS)
    assert [block["type"] for block in message["content"]] == ["server_tool_use", "code_execution_tool_result", "text"]
    assert ran(message)["error_code"] == "unavailable"
