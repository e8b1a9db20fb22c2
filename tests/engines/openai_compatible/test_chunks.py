"""Chunks of a stream that are read without being parsed each are the ones that parsing would give."""

from __future__ import annotations

import gc
import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_openai import call, calls, chunk, sse, texts, usage
from generated import in_process
from understudy.engines.engine import EngineEvent, TextDelta
from understudy.engines.openai_compatible.answer import Answer
from understudy.engines.openai_compatible.chunks import Chunk, Chunks
from understudy.engines.openai_compatible.errors import UpstreamError
from understudy.engines.openai_compatible.tools import Names

Json = dict[str, Any]

SOME = [" lorem", "", " ", "\n\n", '"', "\\", '"content":"x"', "<think>", "</think>", "é", "😀", "data: "]
PIECES = st.one_of(st.sampled_from(SOME), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
TEXTS = st.lists(PIECES.filter(bool), min_size=8, max_size=20).map(lambda pieces: texts(*pieces))


TAGS: list[Literal["no", "yes", "open"]] = ["no", "yes", "open"]


def whole(chunks: list[Json]) -> bytes:
    return sse(chunks)


def read(reader: Chunks, *pieces: bytes) -> list[Chunk]:
    return [found for piece in pieces for found in reader.feed(piece)]


def said(found: list[Chunk]) -> list[Json | str]:
    """Texts alone, whichever way they were read, and chunks that say something else."""
    every: list[Json | str] = []
    for one in found:
        if isinstance(one, list):
            every += one
        else:
            delta = one["choices"][0]["delta"] if one.get("choices") else {}
            every += [one] if one.get("usage") or delta.keys() != {"content"} else [delta["content"]]
    return [one for one in every if one != ""]


def events_of(
    found: list[Chunk], most: int = 100, think_tags: Literal["no", "yes", "open"] = "no"
) -> tuple[list[EngineEvent], bool | str]:
    answer = Answer(Names(), max_tokens=most, thinks=True, think_tags=think_tags)
    events: list[EngineEvent] = []
    try:
        for one in found:
            if isinstance(one, list):
                answer.say(one, events)
            else:
                events += answer.take(one)
            if answer.over:
                break
        return [*events, *answer.end()], answer.over
    except UpstreamError as error:
        return events, error.message


OTHERS: list[Json] = [
    chunk({"reasoning_content": "hm"}),
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "both", "reasoning": "and"}),
    calls(call(0, "a", "weather", "{}")),
    calls(call(1, "b", "time", '{"a"')),
    chunk({"content": "paid"}, usage=usage(3, 4)),
    chunk({"content": "last"}, finish_reason="stop"),
    chunk({"refusal": "no"}),
    {"choices": [], "usage": usage(3, 4)},
    {**chunk({"content": "with more"}), "system_fingerprint": "x"},
]


@in_process
@given(st.data())
def test_however_its_bytes_are_cut_a_stream_says_what_its_chunks_say(data: st.DataObject) -> None:
    some = st.lists(st.one_of(PIECES.map(lambda text: chunk({"content": text})), st.sampled_from(OTHERS)), max_size=6)
    chunks: list[Json] = [*data.draw(some), *data.draw(TEXTS), *data.draw(some)]
    stream = whole(chunks)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True) if start < end]
    reader = Chunks()
    found = read(reader, *pieces)
    assert reader.done
    assert not reader.broken
    assert said(found) == said(list(chunks))
    most, tags = data.draw(st.sampled_from([1, 5, 1000])), data.draw(st.sampled_from(TAGS))
    assert events_of(found, most, tags) == events_of(list(chunks), most, tags)


def test_texts_that_look_alike_are_read_together() -> None:
    reader = Chunks()
    found = read(reader, whole(texts(*[f"t{number}" for number in range(50)])))
    assert isinstance(found[-1], list)
    assert len(found[-1]) > 40


@pytest.mark.parametrize(
    "line",
    [
        # What stands in the place of the text is no string, or more than one value.
        '{"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]}',
        '{"choices":[{"index":0,"delta":{"content":null}}]}',
        '{"choices":[{"index":0,"delta":{"content":["a"]}}]}',
        '{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"z"}}]}',
        '{"choices":[{"index":0,"delta":{"content":"a"}}],"error":{"message":"broken"}}',
    ],
)
def test_one_that_only_resembles_the_others_is_parsed(line: str) -> None:
    usual = '{"choices":[{"index":0,"delta":{"content":"t"}}]}'
    lines = [usual] * 5 + [line] + [usual] * 5
    found = read(Chunks(), "".join(f"data: {one}\n\n" for one in lines).encode())
    assert json.loads(line) in found
    assert said(found).count("t") == 10


def test_a_text_that_is_said_twice_is_the_second_one() -> None:
    line = b'data: {"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]}\n\n'
    assert said(read(Chunks(), line * 3, line * 3)) == ["b"] * 6


@pytest.mark.parametrize("odd", [b'"t', b'"t","u"', b'"t"]', b"t", b'"\x01"', b""])
def test_garbage_among_texts_that_look_alike_is_refused(odd: bytes) -> None:
    usual = b'data: {"choices":[{"index":0,"delta":{"content":"t"}}]}\n\n'
    with pytest.raises(UpstreamError, match=r"cannot be read"):
        read(Chunks(), usual * 5, usual * 5 + usual.replace(b'"t"', odd) + usual * 5)


def test_what_belongs_to_an_event_that_has_begun_does_not_overtake_it() -> None:
    usual = b'data: {"choices":[{"index":0,"delta":{"content":"t"}}]}\n\n'
    found = read(Chunks(), usual * 5, b'data: {"choices":[]}\n', usual * 5)
    assert said(found) == [*"ttttt", {"choices": []}, *"ttttt"]


def test_half_a_character_before_texts_that_look_alike_stands_where_it_came() -> None:
    half = chunk({"content": "\ud83d"})
    together: list[Chunk] = [chunk({"content": "first"}), half, ["one", "two"]]
    apart: list[Chunk] = [chunk({"content": "first"}), half, *texts("one", "two")]
    assert events_of(together) == events_of(apart)
    assert [event.text for event in events_of(together)[0] if isinstance(event, TextDelta)] == [
        "first",
        "\ufffdone",
        "two",
    ]


def test_an_answer_is_no_work_for_the_garbage_collector() -> None:
    def answer() -> None:
        events, _ = events_of([chunk({"content": "first"}), ["one", "two"], chunk(finish_reason="stop")])
        assert events[:1] == [TextDelta("first", 1)]

    answer()
    gc.collect()
    gc.disable()
    try:
        answer()
        assert gc.collect() == 0
    finally:
        gc.enable()
