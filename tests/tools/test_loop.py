"""The turn with server tools: what stands in the answer, whole and streamed, and how it goes on."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import without_ids, without_signatures
from understudy.engines.scenarios.model import Answer, Text, Thinking, ToolCall

from .api import MODEL, PYTHON_TOOL, TOOL, Api, Block, bash, call, edits, folded, tools_api

WEATHER: Block = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def kinds(message: Block) -> list[str]:
    return [block["type"] for block in message["content"]]


class TestShape:
    async def test_a_command_and_its_result_stand_in_one_answer(self, api: Api) -> None:
        api.script(bash("echo hi"), Answer(text="It said hi."))
        message = await api.ask("go")
        call_, result, text = message["content"]
        assert list(call_) == ["type", "id", "name", "input"]
        assert call_["id"].startswith("srvtoolu_01")
        assert call_["input"] == {"command": "echo hi"}
        assert result == {
            "type": "bash_code_execution_tool_result",
            "tool_use_id": call_["id"],
            "content": {
                "type": "bash_code_execution_result",
                "stdout": "hi\n",
                "stderr": "",
                "return_code": 0,
                "content": [],
            },
        }
        assert text == {"type": "text", "text": "It said hi."}
        assert message["stop_reason"] == "end_turn"
        assert list(message["container"]) == ["id", "expires_at"]
        assert message["container"]["id"].startswith("container_01")
        assert message["container"]["expires_at"].endswith("Z")
        assert message["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 0}

    async def test_the_python_tool_has_a_shape_of_its_own(self, api: Api) -> None:
        api.script(call("code_execution", code="print(6 * 7)"), Answer(text="42"))
        message = await api.ask("go", tools=[PYTHON_TOOL])
        assert message["content"][0]["name"] == "code_execution"
        assert message["content"][1]["type"] == "code_execution_tool_result"
        assert message["content"][1]["content"] == {
            "type": "code_execution_result",
            "stdout": "42",
            "stderr": "",
            "return_code": 0,
            "content": [],
            "abort_reason": None,
        }

    async def test_a_traceback_names_the_cell(self, api: Api) -> None:
        api.script(call("code_execution", code="1 / 0"), Answer(text="no"))
        message = await api.ask("go", tools=[PYTHON_TOOL])
        result = message["content"][1]["content"]
        assert result["return_code"] == 1
        assert f"/tmp/{message['content'][0]['id']}/cell.py" in result["stderr"]

    async def test_a_stream_brings_each_result_whole(self, api: Api) -> None:
        api.script(bash("echo hi"), Answer(text="It said hi."))
        events = await api.stream("go")
        told = [event["type"] for event in events]
        assert told[:4] == ["message_start", "content_block_start", "ping", "content_block_delta"]
        assert events[3]["delta"] == {"type": "input_json_delta", "partial_json": ""}
        start = next(event for event in events if event.get("content_block", {}).get("type", "").endswith("_result"))
        assert start["content_block"]["content"]["stdout"] == "hi\n"
        assert told[events.index(start) + 1] == "content_block_stop"
        end = events[-2]
        assert end["delta"]["container"]["id"].startswith("container_")
        assert end["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 0}
        assert events[0]["message"]["container"] is None

    async def test_a_stream_folds_to_the_whole_answer(self, api: Api) -> None:
        answers = bash("echo hi"), edits(command="create", path="/tmp/a", file_text="a"), Answer(text="done")
        api.script(*answers, *answers)
        whole = await api.ask("go")
        streamed = folded(await api.stream("go"))
        for message in (whole, streamed):
            message["container"]["expires_at"] = ""
        assert without_ids(whole) == without_ids(streamed)

    async def test_without_a_call_there_is_no_container(self, api: Api) -> None:
        api.script(Answer(text="hello"))
        message = await api.ask("go")
        assert message["container"] is None
        assert "server_tool_use" not in message["usage"]
        assert api.containers.made == {}

    async def test_calls_of_one_round_come_before_their_results(self, api: Api) -> None:
        calls = [ToolCall(name="bash_code_execution", input={"command": f"echo {place}"}) for place in range(2)]
        api.script(Answer(tool_calls=tuple(calls)), Answer(text="done"))
        message = await api.ask("go")
        assert kinds(message) == ["server_tool_use"] * 2 + ["bash_code_execution_tool_result"] * 2 + ["text"]
        assert [block["tool_use_id"] for block in message["content"][2:4]] == [
            block["id"] for block in message["content"][:2]
        ]


class TestUsage:
    async def test_it_is_the_sum_of_all_calls_of_the_model(self, api: Api) -> None:
        answers = bash("echo hi"), bash("echo ho"), Answer(text="done")
        api.script(*answers, *answers)
        message = await api.ask("go", betas="compact-2026-01-12")
        usage = message["usage"]
        entries = usage["iterations"]
        assert len(entries) == 3
        for name in ("input_tokens", "output_tokens"):
            assert usage[name] == sum(entry[name] for entry in entries)
        assert entries[0]["input_tokens"] < entries[1]["input_tokens"] < entries[2]["input_tokens"]
        record = api.messages.records.kept[-1]
        assert (record.input_tokens, record.output_tokens) == (usage["input_tokens"], usage["output_tokens"])

    async def test_the_start_tells_of_the_first_call_alone(self, api: Api) -> None:
        api.script(bash("echo hi"), Answer(text="done"))
        events = await api.stream("go")
        assert events[0]["message"]["usage"]["input_tokens"] < events[-2]["usage"]["input_tokens"]

    async def test_count_tokens_counts_the_first_prompt(self, api: Api) -> None:
        api.script(Answer(text="done"))
        message = await api.ask("go")
        request = {"model": MODEL, "messages": [{"role": "user", "content": "go"}], "tools": [TOOL]}
        counted = await api.messages.post(request, "/v1/messages/count_tokens")
        assert counted.json() == {"input_tokens": message["usage"]["input_tokens"]}

    async def test_the_prompt_cache_is_asked_for_each_call(self, api: Api) -> None:
        system = [{"type": "text", "text": "word " * 3_000, "cache_control": {"type": "ephemeral"}}]
        api.script(bash("echo hi"), Answer(text="done"))
        usage = (await api.ask("go", system=system))["usage"]
        assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] > 3_000

    async def test_what_all_calls_wrote_to_the_cache_is_told_by_lifetime(self, api: Api) -> None:
        # The breakpoint goes along with the conversation, so that each call writes.
        api.script(bash("echo hi"), bash("echo ho"), Answer(text="done"))
        usage = (await api.ask("word " * 3_000, cache_control={"type": "ephemeral"}))["usage"]
        written = usage["cache_creation_input_tokens"]
        assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0}
        record = api.messages.records.kept[-1]
        assert record.cache_creation_5m_input_tokens == written
        assert record.cache_read_input_tokens == usage["cache_read_input_tokens"] > written / 2

    async def test_a_prompt_that_no_model_has_read_is_not_in_the_cache(self, api: Api) -> None:
        """What a paused turn waits for is run before the model is asked."""
        text = {"type": "text", "text": "word " * 3_000, "cache_control": {"type": "ephemeral"}}
        waiting = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution", "input": {}}
        messages = [{"role": "user", "content": [text]}, {"role": "assistant", "content": [waiting]}]
        api.script(Answer(text="done"))
        usage = (await api.ask("", messages=messages))["usage"]
        assert usage["cache_creation_input_tokens"] > 3_000
        assert usage["cache_read_input_tokens"] == 0

    async def test_an_answer_without_any_call_of_the_model_has_used_nothing(self, api: Api) -> None:
        prints = {"command": "head -c 90000 /dev/urandom | base64 -w 0 | head -c 90000"}
        calls = [
            {"type": "server_tool_use", "id": f"srvtoolu_{place}", "name": "bash_code_execution", "input": prints}
            for place in range(4)
        ]
        messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": calls}]
        message = await api.ask("", messages=messages, model="claude-haiku-4-5")
        assert message["stop_reason"] == "model_context_window_exceeded"
        assert kinds(message) == ["bash_code_execution_tool_result"] * 4
        assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (0, 0)
        assert api.messages.records.kept[-1].input_tokens == 0

    async def test_max_tokens_bounds_the_whole_answer(self, api: Api) -> None:
        api.script(bash("echo hi"), Answer(text="word " * 200))
        message = await api.ask("go", max_tokens=100)
        assert message["stop_reason"] == "max_tokens"
        assert message["usage"]["output_tokens"] == 100


class TestPausing:
    async def test_after_ten_rounds_the_turn_pauses_before_the_next_call(self, api: Api) -> None:
        api.script(*(bash(f"echo {place}") for place in range(11)))
        message = await api.ask("go")
        assert message["stop_reason"] == "pause_turn"
        assert kinds(message) == ["server_tool_use", "bash_code_execution_tool_result"] * 10 + ["server_tool_use"]
        assert len(api.containers.only.commands) == 10

    async def test_a_paused_turn_goes_on_with_the_result_that_waits(self, api: Api) -> None:
        api.script(*(bash(f"echo {place}") for place in range(11)), Answer(text="done"))
        paused = folded(await api.stream("go"))
        messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": paused["content"]}]
        rest = folded(await api.stream("", messages=messages, container=paused["container"]["id"]))
        assert kinds(rest) == ["bash_code_execution_tool_result", "text"]
        assert rest["content"][0]["tool_use_id"] == paused["content"][-1]["id"]
        assert rest["content"][0]["content"]["stdout"] == "10\n"
        assert rest["stop_reason"] == "end_turn"
        assert rest["container"]["id"] == paused["container"]["id"]

    async def test_the_answer_is_taken_back_as_history(self, api: Api) -> None:
        api.script(bash("echo hi"), Answer(text="done"), Answer(text="yes"))
        first = await api.ask("go")
        messages = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": first["content"]},
            {"role": "user", "content": "sure?"},
        ]
        assert (await api.ask("", messages=messages))["content"] == [{"type": "text", "text": "yes"}]

    async def test_without_its_tool_a_paused_turn_is_refused(self, api: Api) -> None:
        waiting = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution", "input": {}}
        messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": [waiting]}]
        assert (await api.refusal(tools=[WEATHER], messages=messages)).endswith(
            "but no `bash_code_execution` tool was provided"
        )

    async def test_another_tool_than_the_one_that_waits_does_not_help(self, api: Api) -> None:
        waiting = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
        messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": [waiting]}]
        assert (await api.refusal(messages=messages)).endswith("but no `web_search` tool was provided")


class TestClientTools:
    async def test_a_call_beside_a_clients_waits_for_the_clients_result(self, api: Api) -> None:
        both = ToolCall(name="bash_code_execution", input={"command": "echo hi"}), ToolCall(name="get_weather")
        api.script(Answer(tool_calls=both), Answer(text="done"))
        tools = [TOOL, WEATHER]
        first = await api.ask("go", tools=tools)
        assert kinds(first) == ["server_tool_use", "tool_use"]
        assert first["stop_reason"] == "tool_use"
        assert api.containers.made == {}
        messages = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": first["content"]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": first["content"][1]["id"], "content": "sunny"}],
            },
        ]
        second = await api.ask("", messages=messages, tools=tools)
        assert kinds(second) == ["bash_code_execution_tool_result", "text"]
        assert second["content"][0]["tool_use_id"] == first["content"][0]["id"]
        api.script(Answer(text="bye"))
        messages += [{"role": "assistant", "content": second["content"]}, {"role": "user", "content": "thanks"}]
        third = await api.ask("", messages=messages, tools=tools)
        assert third["content"] == [{"type": "text", "text": "bye"}]

    async def test_results_before_a_clients_call_stay(self, api: Api) -> None:
        api.script(bash("echo hi"), call("get_weather"))
        message = await api.ask("go", tools=[TOOL, WEATHER])
        assert kinds(message) == ["server_tool_use", "bash_code_execution_tool_result", "tool_use"]
        assert message["stop_reason"] == "tool_use"

    async def test_a_clients_tool_of_the_same_name_stays_the_clients(self, api: Api) -> None:
        mine = {"name": "bash_code_execution", "input_schema": {"type": "object"}}
        message = await api.ask("go", tools=[mine, TOOL], tool_choice={"type": "any"}, model="claude-haiku-4-5")
        assert kinds(message) == ["tool_use"]


class TestForcing:
    @pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "code_execution"}])
    @pytest.mark.parametrize("tool", [TOOL, PYTHON_TOOL])
    async def test_a_forced_call_is_made_once(self, api: Api, tool: Block, choice: Block) -> None:
        message = await api.ask("hello", tools=[tool], tool_choice=choice, model="claude-haiku-4-5")
        assert [kind for kind in kinds(message) if kind == "server_tool_use"] == ["server_tool_use"]
        assert kinds(message)[-1] == "text"

    async def test_none_is_called_where_none_may_be(self, api: Api) -> None:
        message = await api.ask("Use code execution to compute 2 + 2.", tool_choice={"type": "none"})
        assert "server_tool_use" not in kinds(message)


class TestThinking:
    async def test_thinking_between_tools_is_signed_and_comes_back(self, api: Api) -> None:
        think = [Answer(content=(Thinking(thinking=f"thought {n}"), *more)) for n, more in enumerate(_CALL_THEN_TEXT)]
        api.script(*think, Answer(text="sure"))
        thinking = {"type": "adaptive", "display": "omitted"}
        first = await api.ask("go", thinking=thinking)
        assert [kind for kind in kinds(first) if kind != "text"] == [
            "thinking",
            "server_tool_use",
            "bash_code_execution_tool_result",
            "thinking",
        ]
        assert all(block["signature"] for block in first["content"] if block["type"] == "thinking")
        messages = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": first["content"]},
            {"role": "user", "content": "sure?"},
        ]
        assert (await api.ask("", messages=messages, thinking=thinking))["stop_reason"] == "end_turn"


_CALL_THEN_TEXT = (
    (ToolCall(name="bash_code_execution", input={"command": "echo hi"}),),
    (Text(text="done"),),
)


class TestCutting:
    async def test_a_call_that_is_cut_off_has_a_result_all_the_same(self, api: Api) -> None:
        api.script(bash("echo " + "word " * 200))
        message = await api.ask("go", max_tokens=60)
        assert message["stop_reason"] == "max_tokens"
        assert kinds(message) == ["server_tool_use", "bash_code_execution_tool_result"]
        assert message["content"][1]["content"]["error_code"] == "unavailable"
        assert message["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 0}
        assert api.containers.made == {}

    @pytest.mark.parametrize("text", ["H", "Hell"])
    async def test_a_text_that_looks_like_the_beginning_of_a_stop_sequence_stays_before_its_call(
        self, api: Api, text: str
    ) -> None:
        says_and_calls = Text(text=text), ToolCall(name="bash_code_execution", input={"command": "echo hi"})
        api.script(Answer(content=says_and_calls), Answer(text=text))
        message = await api.ask("go", stop_sequences=["Hello"])
        assert kinds(message) == ["text", "server_tool_use", "bash_code_execution_tool_result", "text"]
        assert [block["text"] for block in message["content"] if block["type"] == "text"] == [text, text]

    async def test_a_stop_sequence_ends_the_answer_in_any_round(self, api: Api) -> None:
        api.script(bash("echo STOP"), Answer(text="One STOP two"))
        message = await api.ask("go", stop_sequences=["STOP"])
        assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "STOP")
        assert message["content"][-1]["text"] == "One "

    async def test_a_client_that_goes_away_ends_the_command(self, api: Api) -> None:
        api.script(bash("sleep 30"))
        task = asyncio.ensure_future(api.ask("go"))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if api.containers.made and api.containers.only.running:
                break
        task.cancel()
        # Nobody is there to read it. An error that no test reads is told at any time later, in the midst of others.
        with pytest.raises(AssertionError, match="overloaded_error"):
            await task
        assert api.containers.only.running == set()
        assert api.containers.held == set()

    async def test_an_engine_that_fails_in_a_later_round_breaks_the_stream_off(self, api: Api) -> None:
        api.script(bash("echo hi"), Answer(error={"status": 529}))  # pyright: ignore[reportArgumentType]
        events = await api.stream("go")
        assert events[-1]["type"] == "error"
        assert events[-1]["error"]["type"] == "overloaded_error"
        assert api.containers.held == set()


_STEPS = st.sampled_from(
    [
        bash("echo hi"),
        bash("exit 1"),
        edits(command="create", path="a", file_text="a"),
        edits(command="view", path="none"),
        call("bash_code_execution"),
        Answer(content=(Text(text="Now."), ToolCall(name="text_editor_code_execution", input={"command": "view"}))),
        Answer(content=(Thinking(thinking="So."), ToolCall(name="bash_code_execution", input={"command": "echo 1"}))),
        Answer(
            tool_calls=(
                ToolCall(name="text_editor_code_execution", input={"command": "view", "path": "a"}),
                ToolCall(name="bash_code_execution", input={"command": "echo 2"}),
            )
        ),
    ]
)
_ENDS = st.sampled_from([Answer(text="done"), call("get_weather", city="Rome"), Answer(thinking="So.", text="done")])


@given(steps=st.lists(_STEPS, max_size=5), end=_ENDS, max_tokens=st.sampled_from([4096, 150, 60]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_called_streams_fold_to_the_whole_and_are_taken_back(
    migrated: Path, steps: list[Answer], end: Answer, max_tokens: int
) -> None:
    async def one() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with tools_api(shutil.copytree(migrated, Path(folder) / "data")) as api:
                tools = [TOOL, WEATHER]
                api.script(*steps, end)
                whole = await api.ask("go", tools=tools, max_tokens=max_tokens)
                api.scenarios.reset()
                api.script(*steps, end)
                streamed = folded(await api.stream("go", tools=tools, max_tokens=max_tokens))
                for message in (whole, streamed):
                    (message["container"] or {}).pop("expires_at", None)
                assert without_signatures(without_ids(whole)) == without_signatures(without_ids(streamed))
                messages: list[Block] = [{"role": "user", "content": "go"}]
                if whole["content"]:
                    messages.append({"role": "assistant", "content": whole["content"]})
                answers = [
                    {"type": "tool_result", "tool_use_id": block["id"], "content": "sunny"}
                    for block in whole["content"]
                    if block["type"] == "tool_use"
                ]
                messages.append({"role": "user", "content": answers or "and?"})
                api.scenarios.reset()
                api.script(Answer(text="bye"))
                assert (await api.ask("", messages=messages, tools=tools))["content"][-1]["text"] == "bye"

    asyncio.run(one())
