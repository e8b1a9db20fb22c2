"""Compaction: what a client sees of it, what the model is asked, and what is billed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import without_ids, without_signatures
from understudy.engines.engine import EngineEvent, InputDelta, TextDelta, ThinkingDelta, ToolUse
from understudy.messages.context.compaction import INSTRUCTIONS, summary_in
from understudy.tools.protocol import Asked, ToolCall, ToolResult
from understudy.wire.server_tools import SERVER, ServerFunction

from .small_windows import LONG, OLDER, THINKER, Block, Scripted, assistant, compact, folded, says, small_api, user

TALK = [user(LONG + "My name is Ada."), assistant({"type": "text", "text": "Noted."}), user("What is 17 * 23?")]
SHORTER = [user(LONG[: len(LONG) * 3 // 4]), *TALK[1:]]
TOOL: Block = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
WRITTEN = "<summary>\nAda asked for 17 * 23.\n</summary>"
SUMMARY: Block = {"type": "compaction", "content": "Ada asked for 17 * 23."}


def summarized(*answers: Sequence[EngineEvent]) -> Scripted:
    return Scripted(says(WRITTEN), *(answers or [says("391")]))


class TestAnswer:
    async def test_the_answer_begins_with_the_summary_and_goes_on_from_it(self, monkeypatch: Any) -> None:
        engine = summarized()
        small = small_api(monkeypatch, engine)
        before = copy.deepcopy(TALK)
        message = await small.ask(TALK)
        assert before == TALK
        assert message["content"] == [SUMMARY, {"type": "text", "text": "391"}]
        assert message["stop_reason"] == "end_turn"
        assert message["context_management"] == {"applied_edits": []}
        asked, then = engine.turns
        assert asked.summarizes
        assert not then.summarizes
        assert asked.request["messages"] == [*TALK, user([{"type": "text", "text": INSTRUCTIONS}])]
        assert then.request["messages"] == [*TALK, assistant(SUMMARY)]

    async def test_the_numbers_beside_the_iterations_leave_the_summary_out(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch, summarized())
        usage = (await small.ask(TALK))["usage"]
        first, second = usage["iterations"]
        assert [first["type"], second["type"]] == ["compaction", "message"]
        assert list(first) == list(second)
        assert first["input_tokens"] > 3_000 > 200 > second["input_tokens"]
        assert usage["input_tokens"] == second["input_tokens"]
        assert usage["output_tokens"] == second["output_tokens"]
        # Both are billed.
        assert small.record.input_tokens == first["input_tokens"] + second["input_tokens"]
        assert small.record.output_tokens == first["output_tokens"] + second["output_tokens"]

    async def test_a_stream_has_the_recorded_events(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch, summarized())
        events = await small.stream(TALK)
        assert [event["type"] for event in events[:5]] == [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
        ]
        assert events[1]["content_block"] == {"type": "compaction", "content": None}
        assert events[3]["delta"] == {"type": "compaction_delta", "content": SUMMARY["content"]}
        iterations = events[-2]["usage"]["iterations"]
        # It begins with the prompt of the summary (recorded).
        assert events[0]["message"]["usage"]["input_tokens"] == iterations[0]["input_tokens"]
        assert events[-2]["usage"]["input_tokens"] == iterations[1]["input_tokens"]

    async def test_below_the_trigger_nothing_is_summarized(self, monkeypatch: Any) -> None:
        engine = Scripted(says("391"))
        small = small_api(monkeypatch, engine)
        message = await small.ask([user("What is 17 * 23?")])
        assert message["content"] == [{"type": "text", "text": "391"}]
        assert [call["type"] for call in message["usage"]["iterations"]] == ["message"]
        assert len(engine.turns) == 1

    async def test_a_trigger_that_fits_the_window_is_the_requests_own(self, monkeypatch: Any) -> None:
        long = LONG * 20
        for trigger, compacted in ((50_000, True), (90_000, False)):
            small = small_api(monkeypatch, summarized(), window=200_000)
            edit = compact(trigger={"type": "input_tokens", "value": trigger})
            message = await small.ask([user(long)], context_management=edit)
            assert (message["content"][0]["type"] == "compaction") is compacted

    async def test_what_stands_before_a_summary_is_not_in_the_prompt(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch)
        first = await small.ask(TALK)
        assert first["content"][1]["text"] == "17 * 23 = 391"
        talk = [*TALK, assistant(*first["content"]), user("What is my name?")]
        second = await small.ask(talk)
        assert second["content"][0]["text"] == "Your name is Ada."
        assert second["usage"]["input_tokens"] < 300
        # It may be dropped as well.
        assert without_ids(await small.ask(talk[3:])) == without_ids(second)

    async def test_tokens_are_counted_with_the_summaries_that_are_there(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch)
        talk = [*TALK, assistant(SUMMARY, {"type": "text", "text": "391"}), user("and?")]
        counted = await small.count(talk)
        whole = await small.count([message for message in TALK if message] + [user("and?")])
        assert counted["input_tokens"] < 200
        assert counted["context_management"]["original_input_tokens"] > 3_000
        # Nothing is summarized for a count.
        assert whole["input_tokens"] == whole["context_management"]["original_input_tokens"] > 3_000

    async def test_models_that_cannot_are_named(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch)
        error = await small.refusal([user("hi")], model=OLDER)
        assert error["message"] == "`compact_20260112` strategy is not supported for this model."


class TestPause:
    async def test_the_answer_is_the_summary_alone_and_goes_on_when_it_is_sent_back(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch)
        paused = await small.ask(TALK, context_management=compact(pause_after_compaction=True))
        assert [block["type"] for block in paused["content"]] == ["compaction"]
        assert paused["stop_reason"] == small.record.stop_reason == "compaction"
        # There are no calls but that for the summary.
        assert paused["usage"]["input_tokens"] == paused["usage"]["output_tokens"] == 0
        assert [call["type"] for call in paused["usage"]["iterations"]] == ["compaction"]
        assert small.record.input_tokens > 3_000
        resumed = await small.ask([*TALK, assistant(*paused["content"])])
        assert resumed["content"] == [{"type": "text", "text": "17 * 23 = 391"}]

    async def test_messages_may_be_kept_behind_it(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch)
        paused = await small.ask(TALK, context_management=compact(pause_after_compaction=True))
        kept = [assistant(*paused["content"]), user("Hello"), assistant({"type": "text", "text": "Hi"}), TALK[-1]]
        assert (await small.ask(kept))["content"][0]["text"] == "17 * 23 = 391"


class TestSummary:
    @pytest.mark.parametrize(
        ("written", "summary"),
        [
            ("<summary>a</summary>", "a"),
            ("Sure.\n<summary>\n a \n</summary> Done.", "a"),
            ("<summary>cut off", "cut off"),
            (" plain text ", "plain text"),
            ("<summary> </summary>", None),
            ("", None),
        ],
    )
    def test_what_stands_in_the_tags_is_the_summary(self, written: str, summary: str | None) -> None:
        assert summary_in(written) == summary

    async def test_ones_own_instructions_take_the_place_of_ours(self, monkeypatch: Any) -> None:
        engine = summarized()
        await small_api(monkeypatch, engine).ask(TALK, context_management=compact(instructions="Keep the code."))
        assert engine.turns[0].request["messages"][-1] == user([{"type": "text", "text": "Keep the code."}])

    async def test_a_model_that_calls_a_tool_instead_leaves_the_conversation_as_it_is(self, monkeypatch: Any) -> None:
        engine = Scripted([ToolUse("f", None, 1), InputDelta("{}", 1)], says("391"))
        message = await small_api(monkeypatch, engine).ask(TALK, tools=[TOOL])
        assert message["content"] == [{"type": "compaction", "content": None}, {"type": "text", "text": "391"}]
        assert message["stop_reason"] == "end_turn"
        assert engine.turns[1].request["messages"] == TALK
        assert message["usage"]["input_tokens"] > 3_000

    async def test_nothing_that_shapes_the_answer_shapes_the_summary(self, monkeypatch: Any) -> None:
        engine = summarized([ToolUse("f", None, 1), InputDelta("{}", 1)])
        message = await small_api(monkeypatch, engine).ask(
            [user(LONG[:12_600])], tools=[TOOL], tool_choice={"type": "any"}, stop_sequences=["Ada"], max_tokens=7
        )
        assert message["content"][0] == SUMMARY
        assert message["stop_reason"] == "tool_use"
        asked, then = engine.turns
        assert asked.request["tool_choice"] == {"type": "auto"}
        assert (asked.stop_sequences, asked.thinking) == ([], None)
        assert 7 < asked.max_tokens <= 500
        assert then.request["tool_choice"] == {"type": "any"}
        assert (then.stop_sequences, then.max_tokens) == (["Ada"], 7)

    async def test_it_is_no_longer_than_its_limit(self, monkeypatch: Any) -> None:
        endless: list[EngineEvent] = [TextDelta("word ", 1)] * 5_000
        message = await small_api(monkeypatch, Scripted(endless, says("391"))).ask(TALK)
        assert message["content"][0]["content"] == ("word " * 500).strip()
        assert message["usage"]["iterations"][0]["output_tokens"] == 500


class TestThinking:
    THINKS: ClassVar[Block] = {"model": THINKER, "thinking": {"type": "adaptive"}}

    async def test_what_is_thought_behind_a_summary_comes_back(self, monkeypatch: Any) -> None:
        """With what the summary stands for, and without it: its signature binds it to the summary on."""
        thoughts: list[EngineEvent] = [ThinkingDelta("17 * 23 is 391", 5), *says("391")]
        small = small_api(monkeypatch, Scripted(says(WRITTEN), thoughts))
        message = await small.ask(SHORTER, **self.THINKS)
        assert [block["type"] for block in message["content"]] == ["compaction", "thinking", "text"]
        talk = [*SHORTER, assistant(*message["content"]), user("and?")]
        await small.ask(talk, **self.THINKS)
        await small.ask(talk[3:], **self.THINKS)

    async def test_elsewhere_it_is_refused(self, monkeypatch: Any) -> None:
        thoughts: list[EngineEvent] = [ThinkingDelta("17 * 23 is 391", 5), *says("391")]
        small = small_api(monkeypatch, Scripted(says(WRITTEN), thoughts))
        message = await small.ask(SHORTER, **self.THINKS)
        error = await small.refusal([user("hi"), assistant(*message["content"][1:]), user("and?")], **self.THINKS)
        assert "bound to a different conversation" in error["message"]


class TestCache:
    async def test_the_summary_reads_what_was_cached_of_the_conversation(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch, summarized(), window=50_000)
        talk = [user(LONG * 13), TALK[1], TALK[2]]
        first, second = [(await small.ask(talk, cache_control={"type": "ephemeral"}))["usage"] for _ in range(2)]
        assert first["iterations"][0]["cache_creation_input_tokens"] > 30_000
        assert first["iterations"][0]["input_tokens"] < 200
        read = second["iterations"][0]
        assert read["cache_read_input_tokens"] == first["iterations"][0]["cache_creation_input_tokens"]
        # Recorded: the answer's own numbers leave that out, as parts too.
        assert first["cache_creation_input_tokens"] == 0
        assert set(first["cache_creation"].values()) == {0}


class _Clock:
    """A server tool that brings one function, whose results are long."""

    functions = (ServerFunction("code_execution_20250825", "bash_code_execution", "Run.", {"type": "object"}),)
    container = None

    def serves(self, kind: str) -> bool:
        return kind == "code_execution_20250825"

    async def session(self, asked: Asked) -> _Clock:
        return self

    def answers(self, name: str) -> bool:
        return name == "bash_code_execution"

    def prompted(self, request: Block) -> Block:
        return request

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def run(self, call: ToolCall) -> ToolResult:
        content = {
            "type": "bash_code_execution_result",
            "stdout": (LONG * 5)[:63_000],
            "stderr": "",
            "return_code": 0,
            "content": [],
        }
        return ToolResult("bash_code_execution_tool_result", content)


class TestServerTools:
    async def test_each_call_of_the_model_looks_at_the_trigger(self, monkeypatch: Any) -> None:
        call: list[EngineEvent] = [ToolUse("bash_code_execution", SERVER, 1), InputDelta('{"command": "date"}', 5)]
        engine = Scripted(call, says(WRITTEN), call, says(WRITTEN), says("It is late."))
        small = small_api(monkeypatch, engine, tools=[_Clock()], window=20_000)
        tools = [{"type": "code_execution_20250825", "name": "code_execution"}]
        message = await small.ask([user("What time is it?")], tools=tools, max_tokens=400)
        kinds = [block["type"] for block in message["content"]]
        once = ["server_tool_use", "bash_code_execution_tool_result", "compaction"]
        assert kinds == [*once, *once, "text"]
        calls = message["usage"]["iterations"]
        assert [one["type"] for one in calls] == ["message", "compaction", "message", "compaction", "message"]
        assert message["usage"]["input_tokens"] == sum(one["input_tokens"] for one in calls[::2])
        assert message["usage"]["output_tokens"] == sum(one["output_tokens"] for one in calls[::2])
        assert small.record.input_tokens == sum(one["input_tokens"] for one in calls)
        assert small.record.output_tokens == sum(one["output_tokens"] for one in calls)
        assert calls[4]["input_tokens"] < 4_000


_PIECES = st.lists(st.text("ab <>/é\n", min_size=1, max_size=9), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    summary=_PIECES,
    said=_PIECES,
    thinks=st.booleans(),
    pauses=st.booleans(),
    calls=st.booleans(),
    tagged=st.booleans(),
    stops=st.booleans(),
)
async def test_a_stream_and_a_whole_answer_are_the_same(
    monkeypatch: Any,
    summary: list[str],
    said: list[str],
    thinks: bool,
    pauses: bool,
    calls: bool,
    tagged: bool,
    stops: bool,
) -> None:
    written = ["<summary>", *summary, "</summary>"] if tagged else summary
    answer: list[EngineEvent] = [TextDelta("x" + piece, 2) for piece in said]
    if thinks:
        answer.insert(0, ThinkingDelta("hm", 2))
    if calls:
        answer += [ToolUse("f", None, 1), InputDelta("{}", 1)]
    more: dict[str, Any] = {"context_management": compact(pause_after_compaction=pauses), "tools": [TOOL]}
    if stops:
        more["stop_sequences"] = ["ab"]
    messages: list[Block] = []
    for streamed in (False, True):
        small = small_api(monkeypatch, Scripted([TextDelta(piece, 1) for piece in written], answer))
        asked: dict[str, Any] = {"thinking": {"type": "adaptive"}, **more}
        messages.append(folded(await small.stream(TALK, **asked)) if streamed else await small.ask(TALK, **asked))
    whole, stream = (without_signatures(without_ids(message)) for message in messages)
    assert stream == whole
    block = whole["content"][0]
    assert block == {"type": "compaction", "content": summary_in("".join(written))}
    assert (whole["stop_reason"] == "compaction") == pauses
