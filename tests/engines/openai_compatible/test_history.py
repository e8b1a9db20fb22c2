"""What is known of a conversation's beginning is what translating it anew would say."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.openai_compatible.turns import TIME, WEATHER, request, turn
from generated import in_process
from understudy.engines.openai_compatible import history as history_module
from understudy.engines.openai_compatible.dialects import DIALECTS, Dialect
from understudy.engines.openai_compatible.history import History
from understudy.engines.openai_compatible.request import translate
from understudy.wire.client_tools_members import TOOLSETS
from understudy.wire.errors import InvalidRequestError

Json = dict[str, Any]

PLAIN = DIALECTS["generic"]
SEEING = replace(DIALECTS["vllm"], vision=True)
DIALECTS_TRIED = [PLAIN, SEEING, replace(DIALECTS["sglang"], prefill=None)]
IMAGE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}


def used(number: int, name: str = "weather", **more: Any) -> Json:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {"n": number}, **more}


def result(number: int, content: Any = "sunny", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content, **more}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


NUMBERS = st.integers(0, 3)
NAMES = st.sampled_from(["weather", "time", "gone", "x" * 70, "x" * 69 + "y"])
SAID = st.one_of(
    st.sampled_from(["Hello", "", "Two\nlines"]).map(text),
    NUMBERS.flatmap(lambda number: NAMES.map(lambda name: used(number, name))),
    NUMBERS.map(lambda number: used(number, toolset_name="computer_20250124")),
    st.just({"type": "thinking", "thinking": "hm", "signature": "s"}),
    st.just({"type": "redacted_thinking", "data": "d"}),
    st.just({"type": "compaction", "content": "In short: hello."}),
    st.just({"type": "compaction", "content": None}),
    st.just({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}),
)
ASKED = st.one_of(
    st.sampled_from(["Hello", "", "What?"]).map(text),
    NUMBERS.map(result),
    NUMBERS.map(lambda number: result(number, [text("rain")], is_error=True)),
    NUMBERS.map(lambda number: result(number, [text("see"), IMAGE])),
    NUMBERS.map(lambda number: result(number, [{"type": "tool_reference", "tool_name": "time"}])),
    st.just(IMAGE),
    st.just({"type": "tool_removal", "tool": {"type": "tool_reference", "name": "weather"}}),
)


@st.composite
def messages(draw: st.DrawFn) -> list[Json]:
    found: list[Json] = []
    for number in range(draw(st.integers(1, 12))):
        role = ("user", "assistant")[number % 2]
        if draw(st.integers(0, 9)) == 0:
            role = draw(st.sampled_from(["user", "assistant"]))
        blocks = st.lists(ASKED if role == "user" else SAID, max_size=3)
        found.append({"role": role, "content": draw(st.one_of(st.sampled_from(["Hi", "", "Yes"]), blocks))})
    return found


def body(given_: Json, dialect: Dialect, known: History | None = None) -> str:
    try:
        return orjson.dumps(translate(turn(given_), dialect, history=known).body).decode()
    except InvalidRequestError as error:
        return error.message


@settings(in_process, max_examples=in_process.max_examples // 4)
@given(st.data())
def test_a_conversation_that_grows_is_said_as_if_it_were_new(data: st.DataObject) -> None:
    every = data.draw(messages())
    known = {dialect.name: History() for dialect in DIALECTS_TRIED}
    toolboxes = [[], [WEATHER], [TIME, WEATHER], [{**WEATHER, "name": "x" * 69 + "y"}, {**WEATHER, "name": "x" * 70}]]
    for _ in range(data.draw(st.integers(2, 6))):
        upto = data.draw(st.integers(1, len(every)))
        tools = data.draw(st.sampled_from(toolboxes))
        given_ = request(*every[:upto], tools=tools)
        for dialect in DIALECTS_TRIED:
            expected = body(copy.deepcopy(given_), dialect)
            assert body(given_, dialect, known[dialect.name]) == expected


def conversation(turns: int, words: str = "Question") -> list[Json]:
    every: list[Json] = [{"role": "user", "content": words}]
    for number in range(turns):
        every.append({"role": "assistant", "content": [text("Let me see."), used(number)]})
        every.append({"role": "user", "content": [result(number)]})
    return every


def test_what_comes_again_is_known_up_to_the_assistants_last_word() -> None:
    known, every = History(), conversation(5)
    for upto in (5, 7):
        assert known.find(every[:upto]) is None
        translate(turn(request(*every[:upto], tools=[WEATHER])), PLAIN, history=known)
    found = known.find(every)
    assert found is not None
    assert found.messages == every[:6]
    # It goes on from there, and keeps the newest beginning alone.
    translate(turn(request(*every, tools=[WEATHER])), PLAIN, history=known)
    longer = known.find(every)
    assert longer is not None
    assert len(longer.messages) == 10
    assert known.find(every[:7]) is None


def test_messages_that_are_only_equal_are_not_known() -> None:
    known, every = History(), conversation(3)
    for _ in range(3):
        translate(turn(request(*every)), PLAIN, history=known)
    assert known.find(every) is not None
    assert known.find(copy.deepcopy(every)) is None
    # Equal to Python, and another thing in JSON.
    assert every[3]["content"][1]["input"] == {"n": 1}
    other = [*every]
    other[3] = {"role": "assistant", "content": [text("Let me see."), {**used(1), "input": {"n": True}}]}
    assert other == every
    assert '{\\"n\\":true}' in body(request(*other), PLAIN, known)


@pytest.mark.parametrize(
    ("call", "tools"),
    [
        # Each tool is given the name that the call had before.
        (used(9, "computer_left_click"), [{"type": next(iter(TOOLSETS))}]),
        (used(9, "left_click", toolset_name="computer"), [{**TIME, "name": "computer_left_click"}]),
    ],
)
def test_a_name_that_another_tool_takes_is_said_anew(call: Json, tools: list[Json]) -> None:
    known, every = History(), conversation(3)
    every[1]["content"].append(call)
    for _ in range(3):
        translate(turn(request(*every)), PLAIN, history=known)
    given_ = request(*every, tools=tools)
    assert body(given_, PLAIN, known) == body(copy.deepcopy(given_), PLAIN)
    assert body(given_, PLAIN, known) != body(request(*every), PLAIN, known)


def test_a_summary_takes_the_place_of_what_is_known() -> None:
    known, every = History(), conversation(3)
    for _ in range(3):
        translate(turn(request(*every)), PLAIN, history=known)
    summary = {"role": "assistant", "content": [{"type": "compaction", "content": "In short."}]}
    for rest in ([summary], [summary, {"role": "user", "content": "And?"}]):
        said = translate(turn(request(*every, *rest)), SEEING, history=known).body["messages"]
        assert said[0]["role"] == "user"
        assert said[0]["content"].startswith("In short.")


def test_a_tool_that_a_result_has_brought_stays() -> None:
    known, every = History(), conversation(3)
    every[2]["content"][0]["content"] = [{"type": "tool_reference", "tool_name": "time"}]
    given_ = request(*every, tools=[WEATHER, {**TIME, "defer_loading": True}])
    for _ in range(4):
        assert len(translate(turn(given_), PLAIN, history=known).body["tools"]) == 2


def test_a_list_of_tools_is_known_and_gives_the_same_names() -> None:
    known, tools = History(), [WEATHER, {**TIME, "name": "y" * 100}]
    first = translate(turn(request(tools=tools)), PLAIN, history=known)
    assert known.tools(tools) is not None
    second = translate(turn(request(tools=tools)), PLAIN, history=known)
    assert orjson.dumps(second.body) == orjson.dumps(first.body)
    short = next(name for name in second.names.given.values() if name.startswith("yy"))
    assert second.names.ours(short) == ("y" * 100, None)
    assert known.tools([*tools]) is not None
    assert known.tools(copy.deepcopy(tools)) is None
    assert known.tools(tools[1:]) is None


def test_memory_is_bounded_and_the_last_conversations_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_MOST_BYTES", 50_000)
    monkeypatch.setattr(history_module, "_MOST_SEEN", 4)
    known = History()
    every = [conversation(4, f"{number} " + "word " * 500) for number in range(40)]
    for one in every:
        for _ in range(2):
            translate(turn(request(*one)), PLAIN, history=known)
    noted = [place for place, one in enumerate(every) if known.find(one) is not None]
    assert noted
    assert noted == list(range(noted[0], 40))
    assert len(noted) < 20


def test_one_conversation_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_LONGEST", 5_000)
    known, every = History(), conversation(30)
    for _ in range(3):
        assert body(request(*every), PLAIN, known) == body(request(*every), PLAIN)
    assert known.find(every) is None


def test_nesting_that_is_too_deep_is_refused_alike() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    every = conversation(3)
    every[1]["content"][1]["input"] = deep
    known = History()
    for _ in range(3):
        with pytest.raises(InvalidRequestError, match="nested too deeply"):
            translate(turn(request(*every)), PLAIN, history=known)
