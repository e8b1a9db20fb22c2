"""What engines other than the simulator see of the code execution tool, and how their calls are run."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from engines.claude.gateway import Gateway
from engines.openai_compatible.turns import engine
from fake_claude import MESSAGE, fake_claude
from fake_openai import FakeOpenAI, Reply, call, calls, chunk, fake_openai, said, stream
from understudy.engines.claude import Upstream
from understudy.engines.engine import (
    EngineEvent,
    EngineModel,
    EngineTurn,
    InputDelta,
    PromptTooLongError,
    Stop,
    TextDelta,
    ToolUse,
)
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.engines.openai_compatible.request import translate
from understudy.engines.routing import Chain, RoutedEngine, Target
from understudy.tools.code_execution.functions import functions_of
from understudy.wire.errors import OverloadedError
from understudy.wire.server_tools import SERVER

from .api import MODEL, PYTHON_TOOL, TOOL, Api, Block, tools_api

VLLM = DIALECTS["vllm"]


def calling(name: str, arguments: str, *, index: int = 0) -> Block:
    return calls(call(index, f"call_{index}", name, arguments))


def ending(reason: str = "tool_calls") -> Block:
    return chunk(finish_reason=reason)


def bash(command: str) -> Reply:
    return stream(calling("bash_code_execution", json.dumps({"command": command})), ending())


def translated(messages: list[Block], tools: list[Block], **more: Any) -> Block:
    request = {"model": "m", "max_tokens": 10, "messages": messages, "tools": tools, **more}
    kinds = [tool["type"] for tool in tools if tool["type"].startswith("code_execution_")]
    served = [function for kind in kinds for function in functions_of(kind)]
    turn = EngineTurn(EngineModel("m", "up", "m"), request, 10, 10, server_functions=served)
    return translate(turn, VLLM).body


@pytest_asyncio.fixture
async def upstream() -> AsyncGenerator[FakeOpenAI]:
    async with fake_openai(said("done")) as fake:
        yield fake


class TestTranslation:
    HISTORY: list[Block] = [  # noqa: RUF012
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "First this."},
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_1",
                    "name": "bash_code_execution",
                    "input": {"command": "ls"},
                },
                {
                    "type": "bash_code_execution_tool_result",
                    "tool_use_id": "srvtoolu_1",
                    "content": {
                        "type": "bash_code_execution_result",
                        "stdout": "a\n",
                        "stderr": "oh\n",
                        "return_code": 2,
                        "content": [{"type": "bash_code_execution_output", "file_id": "file_1"}],
                    },
                },
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_2",
                    "name": "text_editor_code_execution",
                    "input": {"command": "view", "path": "/x"},
                },
                {
                    "type": "text_editor_code_execution_tool_result",
                    "tool_use_id": "srvtoolu_2",
                    "content": {"type": "text_editor_code_execution_tool_result_error", "error_code": "file_not_found"},
                },
                {"type": "text", "text": "Done."},
            ],
        },
        {"role": "user", "content": "and?"},
    ]

    def test_calls_and_results_become_those_of_functions(self) -> None:
        said_ = translated(self.HISTORY, [TOOL])["messages"]
        assert [message["role"] for message in said_] == [
            "user", "assistant", "tool", "assistant", "tool", "assistant", "user",
        ]  # fmt: skip
        assert said_[1]["content"] == "First this."
        assert said_[1]["tool_calls"][0]["function"] == {"name": "bash_code_execution", "arguments": '{"command":"ls"}'}
        assert said_[2] == {
            "role": "tool",
            "tool_call_id": "srvtoolu_1",
            "content": "a\nErrors:\noh\nIt ended with status 2.\n1 file was given to the user.",
        }
        assert said_[4]["content"] == "Error: file_not_found"

    def test_without_the_tool_they_stay_words(self) -> None:
        body = translated(self.HISTORY, [{"type": "custom", "name": "f", "input_schema": {"type": "object"}}])
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
        assert "<bash_code_execution_tool_result>" in body["messages"][1]["content"]

    def test_each_version_brings_its_functions(self) -> None:
        names = [
            [tool["function"]["name"] for tool in translated(self.HISTORY[:1], [tool])["tools"]]
            for tool in (TOOL, PYTHON_TOOL)
        ]
        assert names == [["bash_code_execution", "text_editor_code_execution"], ["code_execution"]]

    def test_a_clients_tool_of_the_same_name_keeps_apart(self) -> None:
        mine = {"type": "custom", "name": "bash_code_execution", "input_schema": {"type": "object"}}
        body = translated(self.HISTORY, [mine, TOOL])
        names = [tool["function"]["name"] for tool in body["tools"]]
        assert names == ["bash_code_execution", "bash_code_execution_2", "text_editor_code_execution"]
        assert body["messages"][1]["tool_calls"][0]["function"]["name"] == "bash_code_execution_2"

    def test_the_forced_tool_is_its_first_function(self) -> None:
        body = translated(self.HISTORY, [TOOL], tool_choice={"type": "tool", "name": "code_execution"})
        assert body["tool_choice"]["function"]["name"] == "bash_code_execution"

    def test_a_turn_that_goes_on_is_no_answer_that_was_begun(self) -> None:
        paused = [self.HISTORY[0], {"role": "assistant", "content": self.HISTORY[1]["content"][:3]}]
        body = translated(paused, [TOOL])
        assert body["messages"][-1]["role"] == "tool"
        assert "continue_final_message" not in body

    def test_an_uploads_place_is_told(self) -> None:
        upload = {"type": "container_upload", "file_id": "file_1", "path": "/files/input/a.csv"}
        body = translated([{"role": "user", "content": [upload, {"type": "text", "text": "go"}]}], [TOOL])
        assert "/files/input/a.csv" in body["messages"][0]["content"]


class TestUpstream:
    async def ask(self, data_dir: Path, fake: FakeOpenAI, **more: Any) -> tuple[Block, list[Block], Api]:
        up = engine(fake.url, VLLM)
        async with tools_api(data_dir, engine=up) as api:
            whole = await api.ask("go", **more)
            events = await api.stream("go", **more)
        await up.close()
        return whole, events, api

    async def test_a_call_is_run_and_its_result_is_told_to_the_model(
        self, data_dir: Path, upstream: FakeOpenAI
    ) -> None:
        upstream.reply(bash("echo hi"), said("It said hi."), bash("echo hi"), said("It said hi."))
        message, events, _ = await self.ask(data_dir, upstream)
        assert [block["type"] for block in message["content"]] == [
            "server_tool_use",
            "bash_code_execution_tool_result",
            "text",
        ]
        assert message["content"][1]["content"]["stdout"] == "hi\n"
        assert upstream.bodies[1]["messages"][-1] == {
            "role": "tool",
            "tool_call_id": message["content"][0]["id"],
            "content": "hi",
        }
        assert events[-1]["type"] == "message_stop"

    async def test_what_the_upstream_counted_is_summed(self, data_dir: Path, upstream: FakeOpenAI) -> None:
        usage = chunk(usage={"prompt_tokens": 100, "completion_tokens": 10})
        one = stream(calling("bash_code_execution", '{"command":"echo"}'), ending(), usage)
        two = said("done", prompt=120, completion=5)
        upstream.reply(one, two, one, two)
        message, events, api = await self.ask(data_dir, upstream)
        assert message["usage"]["input_tokens"] == 220
        assert message["usage"]["output_tokens"] == 15
        assert events[-2]["usage"]["input_tokens"] == 220
        assert api.messages.records.kept[-1].input_tokens == 220

    async def test_a_client_tool_beside_it_ends_the_turn(self, data_dir: Path, upstream: FakeOpenAI) -> None:
        tools = [TOOL, {"name": "f", "input_schema": {"type": "object"}}]
        both = stream(calling("bash_code_execution", '{"command":"echo"}'), calling("f", "{}", index=1), ending())
        upstream.reply(both)
        message, _, api = await self.ask(data_dir, upstream, tools=tools)
        assert [block["type"] for block in message["content"]] == ["server_tool_use", "tool_use"]
        assert message["stop_reason"] == "tool_use"
        assert api.containers.made == {}

    async def test_a_forced_call_is_not_forced_again(self, data_dir: Path, upstream: FakeOpenAI) -> None:
        upstream.reply(bash("echo hi"), said("done"), bash("echo hi"), said("done"))
        await self.ask(data_dir, upstream, tool_choice={"type": "any"}, model="claude-haiku-4-5")
        assert [body.get("tool_choice") for body in upstream.bodies[:2]] == ["required", None]

    async def test_an_input_that_is_cut_off_is_not_run(self, data_dir: Path, upstream: FakeOpenAI) -> None:
        upstream.reply(stream(calling("bash_code_execution", '{"command":"rm -r'), ending("length")))
        message, _, api = await self.ask(data_dir, upstream)
        assert message["stop_reason"] == "max_tokens"
        assert message["content"][1]["content"]["error_code"] == "unavailable"
        assert api.containers.made == {}


async def test_an_upstream_that_speaks_claudes_api_gets_the_request_as_it_came() -> None:
    request: Block = {
        "model": "public",
        "max_tokens": 100,
        "tools": [{"type": "code_execution_20260521", "name": "code_execution"}],
        "container": {"id": "container_1", "skills": [{"type": "anthropic", "skill_id": "xlsx"}]},
        "messages": [
            {
                "role": "user",
                "content": [{"type": "container_upload", "file_id": "file_1"}, {"type": "text", "text": "a"}],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution", "input": {}}
                ],
            },
        ],
    }
    with fake_claude(lambda talk: talk.whole(200, json.dumps(MESSAGE).encode())) as fake:
        gateway = Gateway({"up": fake.url}, [("up", "up-model", 1)])
        try:
            answer = await gateway.post(request)
        finally:
            await gateway.close()
    assert answer.status == 200
    assert json.loads(fake.asked[0].body) == {**request, "model": "up-model"}


class Told:
    """An engine that calls bash until it has `rounds` results, and then tells who it is. `asked`: of all engines."""

    def __init__(
        self,
        name: str,
        asked: list[str],
        *,
        rounds: int = 3,
        fails_after: int | None = None,
        error: type[Exception] = OverloadedError,
    ) -> None:
        self.name = name
        self._asked = asked
        self._rounds = rounds
        self._fails_after = fails_after
        self._error = error

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent]]:
        self._asked.append(self.name)
        if self._fails_after is not None and self._asked.count(self.name) > self._fails_after:
            raise self._error("refused")
        said = [block for block in turn.request["messages"][-1]["content"] if turn.goes_on]
        if sum(block["type"] == "server_tool_use" for block in said) < self._rounds:
            command = InputDelta(json.dumps({"command": "echo hi"}), tokens=1)
            yield [ToolUse("bash_code_execution", tokens=1, toolset_name=SERVER), command, Stop("tool_use", 2)]
            return
        yield [TextDelta(self.name, tokens=1), Stop("end_turn", 1)]


def chain(*engines: Told, weights: tuple[int, ...] = (1, 1)) -> RoutedEngine:
    targets = [
        Target(EngineModel(MODEL, engine.name, f"{engine.name}-model"), engine=engine, weight=weight)
        for engine, weight in zip(engines, weights, strict=True)
    ]
    return RoutedEngine(Chain("m", targets))


class TestSeveralTargets:
    async def test_one_target_writes_the_whole_answer(self, data_dir: Path) -> None:
        asked: list[str] = []
        async with tools_api(data_dir, engine=chain(Told("a", asked), Told("b", asked))) as api:
            for _ in range(12):
                asked.clear()
                message = await api.ask("go")
                assert asked == [message["content"][-1]["text"]] * 4

    async def test_where_it_fails_in_the_middle_another_one_goes_on(self, data_dir: Path) -> None:
        asked: list[str] = []
        routed = chain(Told("a", asked, fails_after=2), Told("b", asked), weights=(1, 0))
        async with tools_api(data_dir, engine=routed) as api:
            message = await api.ask("go")
            assert asked == ["a", "a", "a", "b", "b"]
            assert message["content"][-1]["text"] == "b"
            assert [block["type"] for block in message["content"]].count("bash_code_execution_tool_result") == 3

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_turn_that_goes_on_is_not_passed_on_as_it_came(self, data_dir: Path, *, streamed: bool) -> None:
        """A Claude upstream knows nothing of what tools have brought here."""
        asked: list[str] = []
        failing = Target(EngineModel(MODEL, "a", "a"), engine=Told("a", asked, fails_after=0))
        claude = Target(EngineModel(MODEL, "claude", "c"), claude=cast("Upstream", object()), weight=0)
        passing = Chain("m", [failing, claude])
        waiting = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution", "input": {}}
        messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": [waiting]}]
        with passing.choose() as choice:
            async with tools_api(data_dir, engine=RoutedEngine(passing, choice)) as api:
                if streamed:
                    error = (await api.stream("", messages=messages))[-1]["error"]
                    assert error["type"] == "overloaded_error"
                else:
                    assert (await api.refusal(messages=messages)).startswith("529 ")
        assert asked == ["a"]


class TestRoom:
    async def test_results_that_are_too_much_for_the_engine_end_the_answer(self, data_dir: Path) -> None:
        engine = Told("a", [], fails_after=2, error=PromptTooLongError)
        async with tools_api(data_dir, engine=engine) as api:
            message = await api.ask("go")
            assert message["stop_reason"] == "model_context_window_exceeded"
            kinds = [block["type"] for block in message["content"]]
            assert kinds == ["server_tool_use", "bash_code_execution_tool_result"] * 2
            assert message["container"] is not None
            assert message["usage"]["output_tokens"] == 4
            assert api.messages.records.kept[-1].input_tokens == message["usage"]["input_tokens"]

    async def test_a_prompt_that_is_too_long_from_the_start_is_refused(self, data_dir: Path) -> None:
        async with tools_api(data_dir, engine=Told("a", [], fails_after=0, error=PromptTooLongError)) as api:
            assert await api.refusal("go") == "400 refused"
