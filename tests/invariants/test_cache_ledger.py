"""Invariant 7: what is read from the prompt cache is the longest prefix that somebody wrote, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cached_requests import (
    CATALOG,
    MODEL_ID,
    Block,
    Caching,
    Unpaced,
    asking,
    breakpoints,
    cached_requests,
    marked,
    model_of,
    places,
    texts,
    tool,
)
from every_block import everything, text
from generated import LONG
from understudy.messages.caching.breakpoints import read_pieces
from understudy.messages.counting import Counted, count_marked, count_prompt

SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large]
some = settings(max_examples=2_000 if LONG else 100, deadline=None, suppress_health_check=SUPPRESSED)


def caching_for(request: Block) -> Caching:
    return Caching(model=model_of(request["model"]))


async def counted_at_breakpoints(request: Block) -> Counted:
    model = model_of(request["model"])
    pieces = await read_pieces(request, model, Unpaced())
    return await count_marked(request, model, [piece.mark for piece in pieces if piece.ttl], Unpaced())


@some
@given(cached_requests())
async def test_what_was_written_is_read_and_the_parts_add_up(request_body: Block) -> None:
    caching = caching_for(request_body)
    first, second = await caching.send(request_body), await caching.send(copy.deepcopy(request_body))
    assert first.cache_read_input_tokens == 0
    assert second.cache_creation_input_tokens == 0
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens > 0
    assert second.input_tokens == first.input_tokens


@some
@given(cached_requests())
async def test_prefixes_grow_and_the_whole_is_what_is_counted(request_body: Block) -> None:
    counted = await counted_at_breakpoints(request_body)
    assert counted.total == await count_prompt(request_body, model_of(request_body["model"]))
    assert [0, *counted.prefixes, counted.total] == sorted([0, *counted.prefixes, counted.total])


@some
@given(cached_requests(), st.data())
async def test_a_changed_byte_leaves_only_the_breakpoints_before_it_readable(
    request_body: Block, data: st.DataObject
) -> None:
    caching = caching_for(request_body)
    blocks = places(request_body)
    at = breakpoints(request_body)
    prefixes = (await counted_at_breakpoints(request_body)).prefixes
    await caching.send(request_body)
    changed = data.draw(st.integers(0, len(blocks) - 1))
    other = copy.deepcopy(request_body)
    change_one_byte(places(other)[changed])
    before = [tokens for place, tokens in zip(at, prefixes, strict=False) if place < changed]
    use = await caching.send(other)
    if changed > at[-1]:
        # The automatic breakpoint may have been hit as well.
        assert use.cache_read_input_tokens >= before[-1]
    else:
        assert use.cache_read_input_tokens == (before[-1] if before else 0)


def change_one_byte(block: Block) -> None:
    if "input_schema" in block:
        block["description"] += "."
    elif block["type"] == "text":
        block["text"] = block["text"][:-1] + chr(ord(block["text"][-1]) ^ 1)
    elif block["type"] == "tool_use":
        block["input"]["q"] += "!"
    elif block["type"] == "document":
        block["source"]["data"] += "."
    elif isinstance(block["content"], str):
        block["content"] += "?"
    else:
        block["content"][0]["text"] += "?"


@some
@given(cached_requests(), st.lists(texts, min_size=1, max_size=4))
async def test_a_prefix_has_the_same_tokens_whatever_comes_behind_it(request_body: Block, more: list[str]) -> None:
    """What is behind may end a tool loop, and then older models see its thinking no more: nothing is read there."""
    caching = caching_for(request_body)
    first = await caching.send(request_body)
    longer = copy.deepcopy(request_body)
    longer["messages"] += [{"role": "assistant", "content": "yes"}, {"role": "user", "content": [*map(text, more)]}]
    counts = (await counted_at_breakpoints(longer)).prefixes
    use = await caching.send(longer)
    written = (await counted_at_breakpoints(request_body)).prefixes
    assert use.cache_read_input_tokens in {0, *written}
    if request_body["model"] != "claude-sonnet-4-5":
        assert use.cache_read_input_tokens == first.cache_creation_input_tokens
        assert counts[: len(breakpoints(request_body))] == written[: len(breakpoints(request_body))]


@some
@given(cached_requests())
async def test_another_workspace_or_model_reads_nothing(request_body: Block) -> None:
    caching = caching_for(request_body)
    await caching.send(request_body)
    assert (await caching.send(request_body, "wrkspc_b")).cache_read_input_tokens == 0
    caching.model = model_of("claude-opus-4-8")
    assert (await caching.send(request_body)).cache_read_input_tokens == 0


@some
@given(st.sampled_from([(None, 300), ("5m", 300), ("1h", 3600)]), st.lists(st.integers(1, 3599), max_size=5))
async def test_an_entry_ends_exactly_its_lifetime_after_its_last_use(
    lifetime: tuple[str | None, int], waits: list[int]
) -> None:
    ttl, seconds = lifetime
    request = asking(marked(text("hello"), ttl))
    caching = Caching()
    await caching.send(request)
    for wait in [*waits, seconds - 1, seconds]:
        caching.now += wait
        assert ((await caching.send(request)).cache_read_input_tokens > 0) is (wait < seconds)


@some
@given(st.integers(0, 25), st.integers(0, 25))
async def test_a_breakpoint_finds_entries_at_most_twenty_blocks_back(front: int, added: int) -> None:
    """The documentation's example: written at block 15, looked for from block 35, it is one position outside."""
    blocks = [text(f"block {number}") for number in range(front + 1 + added)]
    caching = Caching()
    written = await caching.send(asking(*blocks[:front], marked(blocks[front])))
    use = await caching.send(asking(*blocks[:-1], marked(blocks[-1])))
    assert use.cache_read_input_tokens == (written.cache_creation_input_tokens if added < 20 else 0)
    if added:
        # A second breakpoint at the old place begins a look-back of its own.
        again = await Caching().send(asking(*blocks[:front], marked(blocks[front])))
        both = asking(*blocks[:front], marked(blocks[front]), *blocks[front + 1 : -1], marked(blocks[-1]))
        other = Caching()
        await other.send(asking(*blocks[:front], marked(blocks[front])))
        assert (await other.send(both)).cache_read_input_tokens == again.cache_creation_input_tokens


@pytest.mark.parametrize("name", [model.id for model in CATALOG.models()])
async def test_a_shorter_prefix_than_the_models_minimum_is_not_cached(name: str) -> None:
    model = model_of(name, minimum=None)

    def request(words: int) -> Block:
        return {**asking("hi"), "model": name, "system": [marked(text(" the" * words))]}

    async def long_enough(words: int) -> bool:
        return (await counted_at_breakpoints(request(words))).prefixes[0] >= model.min_cacheable_tokens

    few, enough = 1, model.min_cacheable_tokens
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if await long_enough(middle) else (middle, enough)
    caching = Caching(model=model)
    for _ in range(2):
        use = await caching.send(request(few))
        assert use.cache_read_input_tokens == use.cache_creation_input_tokens == 0
    written = await caching.send(request(enough))
    assert written.cache_creation_input_tokens - model.min_cacheable_tokens in {0, 1}
    assert (await caching.send(request(enough))).cache_read_input_tokens == written.cache_creation_input_tokens


@some
@given(cached_requests(), st.integers(0, 3))
async def test_lifetimes_split_what_is_written_as_documented(request_body: Block, hit: int) -> None:
    """A: the highest hit. B: the highest one-hour breakpoint behind it, or A. C: the last breakpoint."""
    caching = caching_for(request_body)
    model = caching.model
    pieces = await read_pieces(request_body, model, Unpaced())
    marks = [piece for piece in pieces if piece.ttl]
    tokens = (await count_marked(request_body, model, [piece.mark for piece in marks], Unpaced())).prefixes
    a = 0
    if hit < len(marks):
        # An entry at one breakpoint alone: a request that has no other.
        alone = copy.deepcopy(request_body)
        alone.pop("cache_control", None)
        at = breakpoints(alone)
        assume(hit < len(at))
        for place in at:
            if place != at[hit]:
                del places(alone)[place]["cache_control"]
        await caching.send(alone)
        a = tokens[hit]
    b = max([a, *(count for count, piece in zip(tokens, marks, strict=True) if piece.ttl == 3600)])
    c = max(a, tokens[-1])
    use = await caching.send(request_body)
    assert use.cache_read_input_tokens == a
    assert (use.ephemeral_1h_input_tokens, use.ephemeral_5m_input_tokens) == (b - a, c - b)


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("a tool", {"tools": [tool("f", "another"), tool("g")]}, ""),
    ("the tools' order", {"tools": [tool("g"), tool("f")]}, ""),
    ("web search", {"tools": [tool("f"), tool("g"), {"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
    (
        "web search before the others",
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}, tool("f"), tool("g")]},
        "tools",
    ),
    ("speed", {"speed": "fast"}, "tools"),
    ("skills", {"container": {"skills": [{"type": "anthropic", "skill_id": "xlsx"}]}}, "tools"),
    ("the system prompt", {"system": [text("be long")]}, "tools"),
    ("tool_choice", {"tool_choice": {"type": "any"}}, "system"),
    ("parallel tools", {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "system"),
    ("thinking", {"thinking": {"type": "disabled"}}, "system"),
    ("effort", {"output_config": {"effort": "low"}}, "system"),
    ("output format", {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "system"),
    ("the default tool_choice", {"tool_choice": {"type": "auto"}}, "messages"),
    ("the default thinking", {"thinking": {"type": "adaptive", "display": "omitted"}}, "messages"),
    ("the default effort", {"output_config": {"effort": "high"}}, "messages"),
    ("metadata", {"metadata": {"user_id": "u"}, "temperature": 1, "stream": True, "max_tokens": 50}, "messages"),
]


@pytest.mark.parametrize(
    ("change", "left"), [(change, left) for _, change, left in CHANGES], ids=[c[0] for c in CHANGES]
)
async def test_a_change_leaves_the_parts_of_the_cache_that_are_documented(change: dict[str, Any], left: str) -> None:
    def request(**fields: Any) -> Block:
        made = asking(marked(text("hello")), tools=[tool("f"), tool("g")], system=[text("be brief")])
        made.update(copy.deepcopy(fields))
        last = next(one for one in reversed(made["tools"]) if one["name"] in {"f", "g"})
        last.update(marked({}))
        made["system"][-1].update(marked({}))
        return made

    caching = Caching()
    counts: dict[str, int] = dict(
        zip(("tools", "system", "messages"), (await counted_at_breakpoints(request())).prefixes, strict=True)
    )
    await caching.send(request())
    assert (await caching.send(request(**change))).cache_read_input_tokens == counts.get(left, 0)


@pytest.mark.parametrize("name", [MODEL_ID, "claude-sonnet-4-5"])
async def test_with_a_breakpoint_anywhere_in_a_request_of_everything_the_counts_agree(name: str) -> None:
    request = {**everything(), "model": name}
    model = model_of(name)
    plain = await count_prompt(request, model)
    pieces = await read_pieces(request, model, Unpaced())
    counted = await count_marked(request, model, [piece.mark for piece in pieces], Unpaced())
    assert counted.total == plain
    assert list(counted.prefixes) == sorted(counted.prefixes)
    assert len(pieces) > 20
    for piece in pieces[:: 1 if LONG else 7]:
        alone = await count_marked(request, model, [piece.mark], Unpaced())
        assert alone.prefixes[0] == counted.prefixes[pieces.index(piece)]
        assert alone.total == plain
