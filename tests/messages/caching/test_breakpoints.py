"""Which blocks end a cached prefix, and which are in the prompt at all."""

from __future__ import annotations

from typing import Any

import pytest

from cached_requests import MODEL_ID, Block, Caching, Unpaced, asking, marked, model_of, tool
from every_block import IMAGE, everything, text
from understudy.messages.caching import has_breakpoints
from understudy.messages.caching.breakpoints import Piece, read_pieces
from understudy.wire.json_text import to_json
from understudy.wire.known_bodies import KnownBodies

AUTOMATIC = {"cache_control": {"type": "ephemeral"}}
THOUGHT = {"type": "thinking", "thinking": "a long thought " * 30, "signature": "c2ln"}
CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "done"}


async def pieces_of(request: Block, model: str = MODEL_ID) -> list[Piece]:
    return await read_pieces(request, model_of(model), Unpaced())


async def ends(request: Block) -> list[tuple[tuple[int, ...], int]]:
    return [(tuple(piece.mark), piece.ttl) for piece in await pieces_of(request) if piece.ttl]


def conversation(*turns: Any, **fields: Any) -> Block:
    roles = ["user", "assistant"]
    messages = [{"role": roles[place % 2], "content": turn} for place, turn in enumerate(turns)]
    return {**asking("x"), "messages": messages, **fields}


@pytest.mark.parametrize(
    ("request_body", "place"),
    [
        (asking("a", "b", **AUTOMATIC), (2, 0, 1)),
        (conversation("a", "b", "c", **AUTOMATIC), (2, 2, 0)),
        (conversation("a", [CALL], [RESULT], **AUTOMATIC), (2, 2, 0)),
        # Not on thinking, nor on a system message: it walks backwards to a block that can have it.
        (conversation("a", [text("b"), THOUGHT], **AUTOMATIC), (2, 1, 0)),
        (
            {**asking("a", **AUTOMATIC), "messages": [*asking("a")["messages"], {"role": "system", "content": "s"}]},
            (2, 0, 0),
        ),
    ],
)
async def test_the_automatic_breakpoint_is_on_the_last_block_that_can_have_one(
    request_body: Block, place: tuple[int, ...]
) -> None:
    assert await ends(request_body) == [(place, 300)]


async def test_the_automatic_breakpoint_adds_nothing_to_an_explicit_one() -> None:
    explicit = asking("a", marked(text("b")))
    assert await ends({**explicit, **AUTOMATIC}) == await ends(explicit) == [((2, 0, 1), 300)]


async def test_the_automatic_breakpoint_moves_along_with_the_conversation() -> None:
    caching = Caching()
    first = await caching.send(conversation("a", **AUTOMATIC))
    second = await caching.send(conversation("a", "b", "c", **AUTOMATIC))
    third = await caching.send(conversation("a", "b", "c", "d", "e", **AUTOMATIC))
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens > 0
    assert third.cache_read_input_tokens == first.cache_creation_input_tokens + second.cache_creation_input_tokens
    assert third.cache_creation_input_tokens > 0


async def test_with_a_breakpoint_at_the_end_only_what_comes_behind_it_is_not_cached() -> None:
    """Recorded on claude-sonnet-5 and claude-opus-4-8: input_tokens is 2 then."""
    assert (await Caching().send(asking(marked(text("hello"))))).input_tokens == 2


NESTED: list[Block] = [
    {**RESULT, "content": [text("a"), marked(text("b"), "1h")]},
    {"type": "document", "source": {"type": "content", "content": [marked(text("a"), "1h")]}},
    {"type": "search_result", "source": "s", "title": "t", "content": [marked(text("a"), "1h")]},
    {
        **RESULT,
        "content": [{"type": "search_result", "source": "s", "title": "t", "content": [marked(text("a"), "1h")]}],
    },
    marked({**RESULT, "content": [marked(text("b"), "1h")]}),
]


@pytest.mark.parametrize("block", NESTED)
async def test_a_breakpoint_inside_a_block_is_one_at_its_end(block: Block) -> None:
    request = asking("x", block, "y")
    assert has_breakpoints(request)
    assert await ends(request) == [((2, 0, 1), 3600)]


@pytest.mark.parametrize("block", NESTED)
async def test_moving_a_breakpoint_changes_no_prefix(block: Block) -> None:
    caching = Caching()
    written = await caching.send(asking(block))
    moved = asking(strip(block), marked(text("more")))
    assert (await caching.send(moved)).cache_read_input_tokens == written.cache_creation_input_tokens > 0


def strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: strip(part) for name, part in value.items() if name != "cache_control"}
    return [strip(part) for part in value] if isinstance(value, list) else value


async def test_how_messages_are_cut_and_strings_written_does_not_matter() -> None:
    caching = Caching()
    written = await caching.send(asking("a", marked(text("b"))))
    for messages in (
        [{"role": "user", "content": "a"}, {"role": "user", "content": [marked({"text": "b", "type": "text"})]}],
        [
            {"role": "user", "content": [text("a")]},
            {"role": "user", "content": "b"},
            {"role": "user", "content": [marked(text("c"))]},
        ],
    ):
        use = await caching.send({**asking("x"), "messages": messages})
        assert use.cache_read_input_tokens == written.cache_creation_input_tokens
    other_role = {
        **asking("x"),
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [marked(text("b"))]}],
    }
    assert (await caching.send(other_role)).cache_read_input_tokens == 0


async def test_texts_do_not_run_into_one_another() -> None:
    caching = Caching()
    await caching.send(asking("ab", marked(text("c"))))
    assert (await caching.send(asking("a", marked(text("bc"))))).cache_read_input_tokens == 0
    assert (await caching.send(asking(marked(text("abc"))))).cache_read_input_tokens == 0


async def test_the_order_of_keys_in_a_tools_input_matters() -> None:
    """The documentation warns of clients that shuffle them."""

    def request(given: dict[str, int]) -> Block:
        return conversation("a", [marked({**CALL, "input": given})], [RESULT])

    caching = Caching()
    await caching.send(request({"a": 1, "b": 2}))
    assert (await caching.send(request({"b": 2, "a": 1}))).cache_read_input_tokens == 0
    assert (await caching.send(request({"a": 1, "b": 2}))).cache_read_input_tokens > 0


@pytest.mark.parametrize(("model", "kept"), [("claude-opus-4-8", True), ("claude-sonnet-4-5", False)])
async def test_thinking_of_earlier_turns_stays_in_the_cache_of_models_that_keep_it(model: str, kept: bool) -> None:
    """thinking.md, "Thinking and prompt caching": older models process the conversation as if it was never there."""
    caching = Caching(model=model_of(model))
    loop = conversation("a", [THOUGHT, CALL], [marked(RESULT)], model=model)
    written = await caching.send(loop)
    asked = conversation("a", [THOUGHT, CALL], [RESULT], [text("done")], [marked(text("and now?"))], model=model)
    use = await caching.send(asked)
    assert use.cache_read_input_tokens == (written.cache_creation_input_tokens if kept else 0)
    without = conversation("a", [CALL], [RESULT], [text("done")], [marked(text("and now?"))], model=model)
    assert ((await caching.send(without)).cache_read_input_tokens > 0) is not kept


async def test_a_compaction_leaves_the_system_prompts_entry_alone() -> None:
    compaction = {"type": "compaction", "content": "the summary"}
    system = [marked(text("be brief"))]
    caching = Caching()
    await caching.send(conversation("a " * 50, [text("b")], [marked(text("c"))], system=system))
    compacted = conversation("a " * 50, [marked(text("b")), marked(compaction)], "d", system=system)
    use = await caching.send(compacted)
    assert len(await ends(compacted)) == 2
    assert use.cache_read_input_tokens > 0
    assert use.cache_creation_input_tokens > 0
    shorter = conversation([text("zzz")], [marked(compaction)], "d", system=system)
    assert (await caching.send(shorter)).cache_creation_input_tokens == 0


async def test_a_deferred_tool_leaves_the_cache_as_it_is_until_it_is_found() -> None:
    def request(*found: Block, description: str = "later") -> Block:
        later = {**tool("later", description), "defer_loading": True}
        result = {**RESULT, "content": [text("x"), *found]}
        return conversation("a", [CALL], [marked(result)], tools=[marked(tool("f")), later])

    caching = Caching()
    first = await caching.send(request())
    other = await caching.send(request(description="another"))
    assert 0 < other.cache_read_input_tokens < first.cache_creation_input_tokens
    found = await caching.send(request({"type": "tool_reference", "tool_name": "later"}))
    assert found.total_tokens > first.total_tokens + 15


async def test_pictures_anywhere_break_the_messages_part() -> None:
    system = [marked(text("be brief"))]
    caching = Caching()
    first = await caching.send(asking(marked(text("a")), system=system))
    again = await caching.send(asking(marked(text("a")), {"type": "image", "source": IMAGE}, system=system))
    assert 0 < again.cache_read_input_tokens < first.cache_creation_input_tokens


async def test_citations_anywhere_break_all_but_the_tools() -> None:
    def request(enabled: bool) -> Block:
        source = {"type": "text", "media_type": "text/plain", "data": "words"}
        document = {"type": "document", "source": source, "citations": {"enabled": enabled}}
        return asking("a", document, tools=[marked(tool("f"))], system=[marked(text("be brief"))])

    caching = Caching()
    first = await caching.send(request(enabled=False))
    again = await caching.send(request(enabled=True))
    assert 0 < again.cache_read_input_tokens < first.cache_creation_input_tokens


def test_requests_without_cache_control_have_no_breakpoints() -> None:
    assert not has_breakpoints(asking("a", RESULT, system="s", tools=[tool("f")]))
    assert not has_breakpoints({**asking("a"), "cache_control": None})
    assert not has_breakpoints(strip(everything()))
    assert has_breakpoints(asking("a", tools=[marked(tool("f"))]))
    assert has_breakpoints(asking("a", system=[marked(text("s"))]))
    assert has_breakpoints(asking("a", **AUTOMATIC))


async def test_a_summary_behind_known_messages_leaves_the_tools_and_the_system_prompt() -> None:
    front: Block = {"model": "claude-sonnet-4-5", "system": "s" * 300, "tools": [{"name": "f", "input_schema": {}}]}
    before: list[Block] = [{"role": "user", "content": f"turn {place}"} for place in range(4)]
    summary: Block = {"role": "assistant", "content": [{"type": "compaction", "content": "All that was said."}]}
    model, bodies = model_of("claude-sonnet-4-5"), KnownBodies(shortest=0)
    known = None
    for messages in (before, before, [*before, summary], [*before, summary, *before]):
        known = bodies.find(to_json({**front, "messages": messages}).encode(), "owner")
        request = {**front, "messages": messages}
        assert await read_pieces(request, model, Unpaced(), known) == await read_pieces(request, model, Unpaced())
    assert known is not None
