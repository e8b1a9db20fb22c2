"""Chunks become events: in order, whole, and one block at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.openai_compatible.turns import told
from fake_openai import call, calls, chunk, texts, usage
from understudy.engines.engine import EngineEvent, PromptUsage, Stop, TextDelta
from understudy.engines.openai_compatible.answer import Answer
from understudy.engines.openai_compatible.errors import UpstreamError
from understudy.engines.openai_compatible.tools import Names

Json = dict[str, Any]
STOP = chunk(finish_reason="stop")
CALLED = chunk(finish_reason="tool_calls")


def events(*chunks: Json, **more: Any) -> list[EngineEvent]:
    options: dict[str, Any] = {"max_tokens": 1_000, "thinks": True, **more}
    answer = Answer(options.pop("names", Names()), **options)
    found = [event for made in chunks for event in answer.take(made)]
    return found + answer.end()


def made(*chunks: Json, **more: Any) -> list[tuple[str, ...]]:
    return told(events(*chunks, **more))


WEATHER_CALL = [("call", "weather"), ("input", '{"city": "Rome"}')]
TIME_CALL = [("call", "time"), ("input", "{}")]
TOOL_USE = [("stop", "tool_use")]

PIECES: dict[str, tuple[list[Json], list[tuple[str, ...]]]] = {
    "a call in pieces": (
        [
            calls(call(0, "a", "weather", "")),
            calls(call(0, None, None, '{"city"')),
            calls(call(0, None, None, ': "Rome"}')),
        ],
        WEATHER_CALL,
    ),
    "a call in one chunk": ([calls(call(0, "a", "weather", '{"city": "Rome"}'))], WEATHER_CALL),
    "two calls in one chunk": (
        [calls(call(0, "a", "weather", '{"city": "Rome"}'), call(1, "b", "time", "{}"))],
        WEATHER_CALL + TIME_CALL,
    ),
    "two calls that alternate": (
        [
            calls(call(0, "a", "weather", "")),
            calls(call(1, "b", "time", "")),
            calls(call(1, None, None, "{")),
            calls(call(0, None, None, '{"city": ')),
            calls(call(1, None, None, "}")),
            calls(call(0, None, None, '"Rome"}')),
        ],
        WEATHER_CALL + TIME_CALL,
    ),
    "arguments before the name": (
        [calls(call(0, "a", None, '{"city": ')), calls(call(0, None, "weather", '"Rome"}'))],
        WEATHER_CALL,
    ),
    "no ids": (
        [calls(call(0, None, "weather", '{"city": "Rome"}')), calls(call(1, None, "time", "{}"))],
        WEATHER_CALL + TIME_CALL,
    ),
    "ids and no numbers": (
        [
            calls(call(None, "a", "weather", '{"city": ')),
            calls(call(None, "a", None, '"Rome"}')),
            calls(call(None, "b", "time", "{}")),
        ],
        WEATHER_CALL + TIME_CALL,
    ),
    "neither ids nor numbers": (
        [
            calls(call(None, None, "weather", '{"city": ')),
            calls(call(None, None, None, '"Rome"}')),
            calls(call(None, None, "time", "{}")),
        ],
        WEATHER_CALL + TIME_CALL,
    ),
    "one number for all": (
        [calls(call(0, "a", "weather", '{"city": "Rome"}')), calls(call(0, "b", "time", "{}"))],
        WEATHER_CALL + TIME_CALL,
    ),
    "one number for all and no ids": (
        [calls(call(0, None, "weather", '{"city": "Rome"}')), calls(call(0, None, "time", "{}"))],
        WEATHER_CALL + TIME_CALL,
    ),
    "one id for two numbers": (
        [calls(call(0, "a", "weather", '{"city": "Rome"}')), calls(call(1, "a", "time", "{}"))],
        WEATHER_CALL + TIME_CALL,
    ),
    "the name in every piece": (
        [calls(call(0, "a", "weather", '{"city": ')), calls(call(0, "a", "weather", '"Rome"}'))],
        WEATHER_CALL,
    ),
    "an object for arguments": ([calls(call(0, "a", "weather", {"city": "Rome"}))], WEATHER_CALL),
    "arguments made a string twice": (
        [calls(call(0, "a", "weather", json.dumps('{"city":"Rome"}')))],
        [("call", "weather"), ("input", '{"city":"Rome"}')],
    ),
    "no arguments": ([calls(call(0, "a", "time"))], [("call", "time")]),
    "null for arguments": ([calls(call(0, "a", "time", "null"))], [("call", "time")]),
    "arguments without their end": ([calls(call(0, "a", "weather", '{"city": "Rome'))], WEATHER_CALL),
    "the older field for one call": ([chunk({"function_call": {"name": "time", "arguments": "{}"}})], TIME_CALL),
    "text behind a call": ([calls(call(0, "a", "time", "{}")), *texts("Now.")], [*TIME_CALL, ("text", "Now.")]),
    "text within a call": (
        [
            calls(call(0, "a", "weather", '{"city": ')),
            *texts("wait"),
            calls(call(0, None, None, '"Rome"}')),
            *texts(" what"),
        ],
        [*WEATHER_CALL, ("text", "wait what")],
    ),
    "blank text between calls": (
        [calls(call(0, "a", "time", "{}")), *texts("\n\n"), calls(call(1, "b", "time", "{}"))],
        TIME_CALL * 2,
    ),
}


@pytest.mark.parametrize("name", PIECES)
def test_calls_come_one_after_the_other(name: str) -> None:
    chunks, expected = PIECES[name]
    assert made(*chunks, CALLED) == expected + TOOL_USE


def test_a_call_is_passed_on_while_it_comes() -> None:
    answer = Answer(Names(), max_tokens=100, thinks=False)
    assert told(answer.take(calls(call(0, "a", "weather", "")))) == [("call", "weather")]
    assert told(answer.take(calls(call(0, None, None, '{"city"')))) == [("input", '{"city"')]
    assert told(answer.take(calls(call(1, "b", "time", "{}")))) == []
    # The first is whole, so the second need not wait any longer.
    assert told(answer.take(calls(call(0, None, None, ': "Rome"}')))) == [("input", ': "Rome"}'), *TIME_CALL]


@pytest.mark.parametrize(
    "piece",
    [
        call(0, "a", "weather", "Rome"),
        call(0, "a", "weather", "[1]"),
        call(0, "a", "weather", '{"city": }'),
        call(0, "a", "weather", '"Rome"'),
        call(0, "a", None, "{}"),
    ],
)
def test_a_call_that_no_client_could_run_is_an_error(piece: Json) -> None:
    with pytest.raises(UpstreamError):
        events(calls(piece), CALLED)


def test_more_input_than_an_object_is_an_error() -> None:
    with pytest.raises(UpstreamError):
        events(calls(call(0, "a", "time", "{}")), calls(call(1, "b", "time", "{}")), calls(call(0, None, None, "{}")))


def test_a_call_that_was_cut_stays_as_it_is() -> None:
    pieces = [calls(call(0, "a", "weather", '{"ci')), calls(call(1, "b", "time", "{"))]
    assert made(*pieces, chunk(finish_reason="length")) == [
        ("call", "weather"),
        ("input", '{"ci'),
        ("call", "time"),
        ("input", "{"),
        ("stop", "max_tokens"),
    ]


def test_a_tool_of_a_toolset_gets_its_own_name_back() -> None:
    names = Names()
    upstream = names.upstream("left_click", "computer")
    assert made(calls(call(0, "a", upstream, "{}")), CALLED, names=names)[0] == ("call", "left_click", "computer")


def test_one_call_at_most() -> None:
    answer = Answer(Names(), max_tokens=100, thinks=False, one_call=True)
    found = answer.take(calls(call(0, "a", "time", "{}"), call(1, "b", "weather", "{}")))
    assert answer.over
    assert told(found + answer.end()) == TIME_CALL + TOOL_USE


def test_no_call_where_none_is_allowed() -> None:
    assert made(*texts("hi"), calls(call(0, "a", "time", "{}")), CALLED, calls=False) == [
        ("text", "hi"),
        ("stop", "end_turn"),
    ]


def test_a_forced_call_that_does_not_come_is_an_error() -> None:
    with pytest.raises(UpstreamError):
        events(*texts("no"), STOP, forced=True)
    assert made(*texts("no"), chunk(finish_reason="length"), forced=True)[-1] == ("stop", "max_tokens")


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", "end_turn"),
        ("eos", "end_turn"),
        ("tool_calls", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        (None, "end_turn"),
    ],
)
def test_finish_reasons(reason: str | None, stop: str) -> None:
    assert made(*texts("a"), chunk({}, reason))[-1] == ("stop", stop)


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_an_upstream_that_gave_up_is_an_error(reason: str) -> None:
    with pytest.raises(UpstreamError):
        events(*texts("a"), chunk({}, reason))


def test_a_refusal_is_said_and_explained() -> None:
    found = events(chunk({"refusal": "I will"}), chunk({"refusal": " not."}), STOP)
    assert told(found) == [("text", "I will not."), ("stop", "refusal")]
    stop = found[-1]
    assert isinstance(stop, Stop)
    assert stop.details == {"type": "refusal", "category": None, "explanation": "I will not."}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thinking_has_a_field_of_its_own(field: str) -> None:
    chunks = [chunk({field: "hm"}), chunk({field: "m", "content": ""}), *texts("\n\n", "Yes"), STOP]
    assert made(*chunks) == [("thinking", "hmm"), ("text", "\n\nYes"), ("stop", "end_turn")]
    assert made(*chunks, thinks=False) == [("text", "\n\nYes"), ("stop", "end_turn")]


def test_the_same_thinking_in_two_fields_is_told_once() -> None:
    both = chunk({"reasoning_content": "hm", "reasoning": "hm"})
    assert made(both, STOP)[0] == ("thinking", "hm")


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        ("yes", "<think>\nhm\n</think>\n\nYes", [("thinking", "hm\n"), ("text", "Yes")]),
        ("yes", " \n<think>hm</think>Yes <think>", [("thinking", "hm"), ("text", "Yes <think>")]),
        ("yes", "<think>hm", [("thinking", "hm")]),
        ("yes", "<think></think>Yes", [("text", "Yes")]),
        ("yes", "<thin", [("text", "<thin")]),
        ("yes", "no <think>hm</think>", [("text", "no <think>hm</think>")]),
        ("open", "hm</think>Yes", [("thinking", "hm"), ("text", "Yes")]),
        ("no", "<think>hm</think>", [("text", "<think>hm</think>")]),
    ],
)
def test_thinking_may_stand_between_tags(mode: Any, text: str, expected: list[tuple[str, ...]]) -> None:
    assert made(*texts(text), STOP, think_tags=mode)[:-1] == expected
    assert made(*texts(*text), STOP, think_tags=mode)[:-1] == expected


def test_content_may_be_a_list() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Yes"}]
    assert made(chunk({"content": parts}), STOP) == [("thinking", "hm"), ("text", "Yes"), ("stop", "end_turn")]


def test_a_character_in_two_halves_is_one() -> None:
    assert made(*texts("a\ud83d", "\ude00b"), STOP)[0] == ("text", "a😀b")
    assert made(*texts("a\ud83d", "b"), STOP)[0] == ("text", "a�b")


@pytest.mark.parametrize("blank", ["", " ", "\n\n"])
def test_white_space_alone_is_no_text(blank: str) -> None:
    assert made(*texts(blank), STOP) == [("stop", "end_turn")]


class TestTokens:
    def test_the_upstreams_numbers_are_taken(self) -> None:
        found = events(*texts("a", "b"), STOP, chunk(usage=usage(11, 7, 4)))
        assert [event for event in found if isinstance(event, PromptUsage)] == [PromptUsage(11, 4)]
        assert found[-1] == Stop("end_turn", 7)

    @pytest.mark.parametrize(
        "numbers",
        [usage(-1, -5), usage("11", "7"), usage(None, None), usage(1.5, 2.5), usage(True, False), {}, usage(0, 0)],
    )
    def test_numbers_that_cannot_be_are_not(self, numbers: Json) -> None:
        found = events(*texts("hello", " world"), STOP, chunk(usage=numbers))
        assert found[-1] == Stop("end_turn", 2)
        assert not any(isinstance(event, PromptUsage) for event in found)

    def test_no_more_is_read_from_the_cache_than_there_is(self) -> None:
        assert PromptUsage(11, 11) in events(STOP, chunk(usage=usage(11, 1, 50)))

    def test_usage_in_every_chunk_counts_each_event(self) -> None:
        pieces = [chunk({"content": text}, usage=usage(9, so_far)) for text, so_far in (("a", 1), ("b", 4), ("c", 5))]
        found = [event.tokens for event in events(*pieces, STOP) if isinstance(event, TextDelta)]
        assert found == [1, 3, 1]

    def test_no_more_tokens_than_were_allowed(self) -> None:
        found = events(*texts(*["tok " for _ in range(10)]), STOP, chunk(usage=usage(9, 12)), max_tokens=8)
        assert sum(event.tokens for event in found if isinstance(event, TextDelta)) == 8
        assert found[-1] == Stop("end_turn", 8)

    @pytest.mark.parametrize("counted", [True, False])
    def test_an_upstream_that_minds_no_limit_is_stopped(self, counted: bool) -> None:
        answer = Answer(Names(), max_tokens=10, thinks=False)
        for number in range(1, 1_000):
            numbers = usage(5, number) if counted else None
            answer.take(chunk({"content": " a"}, usage=numbers))
            if answer.over:
                assert number <= 30
                assert told(answer.end()) == [("stop", "max_tokens")]
                return
        raise AssertionError("it was never stopped")


INPUTS = st.dictionaries(st.text(max_size=4), st.one_of(st.text(max_size=8), st.integers(), st.none()), max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["f", "g"]), INPUTS), min_size=1, max_size=4), st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_however_calls_are_interleaved_they_are_the_same(
    wanted: list[tuple[str, Json]], ids: bool, data: st.DataObject
) -> None:
    queues: list[list[Json]] = []
    for index, (name, given_input) in enumerate(wanted):
        text = json.dumps(given_input)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        id_ = f"call_{index}" if ids else None
        queues.append([call(index, id_, name, ""), *(call(index, None, None, piece) for piece in pieces)])
    order = [data.draw(st.sampled_from(range(len(queues)))) for _ in range(sum(map(len, queues)))]
    # Calls begin in order, as their numbers say.
    sent = [calls(queues[0].pop(0))]
    begun = 1
    for place in order:
        if begun < len(queues) and place >= begun:
            sent.append(calls(queues[begun].pop(0)))
            begun += 1
        elif place < begun and queues[place]:
            sent.append(calls(queues[place].pop(0)))
    for number, queue in enumerate(queues):
        if number >= begun:
            begun += 1
        sent += [calls(piece) for piece in queue]
    found: list[list[Any]] = []
    for kind, *rest in made(*sent, CALLED):
        if kind == "call":
            found.append([rest[0], ""])
        elif kind == "input":
            found[-1][1] += rest[0]
    assert [(name, json.loads(text or "{}")) for name, text in found] == wanted
