"""Context editing as documented: triggers, what stays, what is reported."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated import in_process
from messages.judging import (
    MIDDLE,
    NEW,
    OLD,
    TOOL,
    assistant,
    fault,
    result,
    server_result,
    server_use,
    text,
    use,
    user,
)
from understudy.engines.catalog import Catalog, Model, public_models
from understudy.messages.context import Edited, edit_context
from understudy.messages.context.tool_uses import PLACEHOLDER
from understudy.messages.counting import count_prompt
from understudy.wire.errors import InvalidRequestError

USES, THINKING = "clear_tool_uses_20250919", "clear_thinking_20251015"
BETA = "context-management-2025-06-27"

_CATALOG = Catalog()

Block = dict[str, Any]


def model(name: str) -> Model:
    found = _CATALOG.find(name)
    assert found is not None
    return found


async def characters(request: Block) -> int:
    """A count that is easy to follow: thinking counts too, wherever it stands."""
    return len(json.dumps(request["messages"]))


async def edited(request: Block, count: Any = characters) -> Edited:
    before = copy.deepcopy(request)
    found = await edit_context(request, model(request["model"]), count)
    assert request == before, "the client's request is not changed"
    assert found.original_input_tokens == await count(request)
    assert found.input_tokens == await count(found.request)
    return found


def uses(**fields: Any) -> Block:
    return {"type": USES, "trigger": {"type": "tool_uses", "value": 1}, **fields}


def keep(value: int) -> Block:
    return {"type": "tool_uses", "value": value}


def turns(value: int) -> Block:
    return {"type": "thinking_turns", "value": value}


def asking(*edits: Block, messages: list[Block], name: str = MIDDLE, **fields: Any) -> Block:
    return {
        "model": name,
        "max_tokens": 99,
        "messages": messages,
        "context_management": {"edits": list(edits)},
        **fields,
    }


def calls(*names: str, content: str = "A long answer of the tool.") -> list[Block]:
    """One call after the other, each answered."""
    messages = [user("Look it up.")]
    for nth, name in enumerate(names):
        call = {**use(f"toolu_{nth}", name), "input": {"query": name}}
        messages += [assistant(text("Yes."), call), user(result(f"toolu_{nth}", content * 3))]
    return messages


def thought(value: str = "Let me think about it.") -> Block:
    return {"type": "thinking", "thinking": value, "signature": "s"}


def cleared_ids(found: Edited) -> list[str]:
    return [
        block["tool_use_id"]
        for message in found.request["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result" and block["content"] == PLACEHOLDER
    ]


# --- tool uses ---


async def test_all_but_the_newest_three_results_are_cleared() -> None:
    found = await edited(asking(uses(), messages=calls(*"abcde")))
    assert cleared_ids(found) == ["toolu_0", "toolu_1"]
    assert found.applied_edits == [
        {
            "type": USES,
            "cleared_tool_uses": 2,
            "cleared_input_tokens": found.original_input_tokens - found.input_tokens,
        }
    ]
    # Calls stay as they were.
    assert found.request["messages"][1] == asking(messages=calls("a"))["messages"][1]


async def test_without_a_trigger_clearing_begins_above_100_000_tokens() -> None:
    async def exactly(request: Block) -> int:
        return 100_000 - str(request["messages"]).count(PLACEHOLDER)

    async def more(request: Block) -> int:
        return 1 + await exactly(request)

    request = asking({"type": USES}, messages=calls(*"abcde"))
    assert (await edited(request, exactly)).request is request
    assert len(cleared_ids(await edited(request, more))) == 2


@pytest.mark.parametrize(("value", "clears"), [(3, True), (4, False), (5, False)])
async def test_a_trigger_of_tool_uses_must_be_exceeded(value: int, clears: bool) -> None:
    edit = uses(trigger={"type": "tool_uses", "value": value}, keep=keep(1))
    assert bool((await edited(asking(edit, messages=calls(*"abcd")))).applied_edits) is clears


async def test_a_trigger_of_input_tokens_must_be_exceeded() -> None:
    messages = calls(*"abcd")
    size = await characters({"messages": messages})
    for value, clears in ((size - 1, True), (size, False)):
        edit = uses(trigger={"type": "input_tokens", "value": value}, keep=keep(1))
        assert bool((await edited(asking(edit, messages=messages))).applied_edits) is clears


async def test_excluded_tools_stay() -> None:
    found = await edited(asking(uses(keep=keep(1), exclude_tools=["a"]), messages=calls(*"abac")))
    assert cleared_ids(found) == ["toolu_1"]


async def test_keep_nought_clears_every_result() -> None:
    assert len(cleared_ids(await edited(asking(uses(keep=keep(0)), messages=calls(*"abc"))))) == 3


@pytest.mark.parametrize(("wanted", "emptied"), [(None, ""), (False, ""), (True, "ab"), (["b"], "b"), ([], "")])
async def test_inputs_of_cleared_calls_go_when_asked_for(wanted: Any, emptied: str) -> None:
    request = asking(uses(keep=keep(1), clear_tool_inputs=wanted), messages=calls(*"abc"))
    found = await edited(request)
    inputs = {
        block["name"]: block["input"]
        for message in found.request["messages"]
        if message["role"] == "assistant"
        for block in message["content"]
        if block["type"] == "tool_use"
    }
    assert [name for name, given in inputs.items() if not given] == list(emptied)
    assert found.applied_edits[0]["cleared_tool_uses"] == 2


async def test_too_little_to_clear_is_not_cleared_at_all() -> None:
    request = asking(uses(keep=keep(1)), messages=calls(*"abc"))
    saved = (await edited(request)).applied_edits[0]["cleared_input_tokens"]
    for least, clears in ((saved, True), (saved + 1, False)):
        edit = uses(keep=keep(1), clear_at_least={"type": "input_tokens", "value": least})
        found = await edited(asking(edit, messages=calls(*"abc")))
        assert bool(found.applied_edits) is clears
        assert (found.request["messages"] != request["messages"]) is clears


async def test_what_would_not_make_the_prompt_shorter_is_not_cleared() -> None:
    request = asking(uses(keep=keep(0)), messages=calls("a", "b", content="k"))
    assert (await edited(request)).request is request


async def test_results_of_server_tools_are_cleared_to_a_shape_that_is_theirs() -> None:
    page = {"type": "web_search_result", "title": "t" * 99, "url": "u", "encrypted_content": "e" * 99}
    found = {**server_result(), "content": [page]}
    fetch = {**server_use("srvtoolu_2", "web_fetch"), "input": {"url": "https://a.example"}}
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "w" * 200}}
    fetched = {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srvtoolu_2",
        "content": {"type": "web_fetch_result", "url": "https://a.example", "content": document},
    }
    run = {**server_use("srvtoolu_3", "bash_code_execution"), "input": {"command": "ls"}}
    ran = {
        "type": "bash_code_execution_tool_result",
        "tool_use_id": "srvtoolu_3",
        "content": {
            "type": "bash_code_execution_result", "stdout": "o" * 200, "stderr": "", "return_code": 0, "content": [],
        },
    }  # fmt: skip
    said = assistant(server_use(), found, fetch, fetched, run, ran, text("So."))
    answer = await edited(asking(uses(keep=keep(0)), messages=[user("?"), said, user("!")]))
    assert answer.applied_edits[0]["cleared_tool_uses"] == 3
    assert str(answer.request["messages"]).count(PLACEHOLDER) == 3
    assert not any(kept in str(answer.request) for kept in ("ttt", "www", "ooo"))
    assert fault(answer.request["messages"], model=MIDDLE) is None


async def test_a_result_that_brings_deferred_tools_stays() -> None:
    found = [{"type": "tool_reference", "tool_name": "f"}]
    messages = [user("?"), assistant(use()), user(result(content=found)), *calls("a", "b")]
    answer = await edited(asking(uses(keep=keep(0)), messages=messages))
    assert answer.applied_edits[0]["cleared_tool_uses"] == 2
    assert answer.request["messages"][2] == messages[2]


async def test_ids_that_come_again_are_each_other_s_turns_own() -> None:
    messages = [*calls("a"), assistant(text("Well.")), *calls("b")]
    found = await edited(asking(uses(keep=keep(1)), messages=messages))
    assert cleared_ids(found) == ["toolu_0"]
    assert found.request["messages"][-1] == messages[-1]


# --- thinking ---


def thinking_turns(number: int) -> list[Block]:
    """Turns with two thinking blocks each, around a call."""
    messages: list[Block] = []
    for nth in range(number):
        messages += [
            user(f"Question {nth}"),
            assistant(thought(), use(f"toolu_{nth}")),
            user(result(f"toolu_{nth}")),
            assistant(thought(), text("So.")),
        ]
    return [*messages, user("And?")]


def thoughts(found: Edited) -> list[int]:
    return [
        index
        for index, message in enumerate(found.request["messages"])
        if any(block["type"] == "thinking" for block in message["content"] if isinstance(block, dict))
    ]


ENABLED = {"type": "enabled", "budget_tokens": 1024}
ADAPTIVE = {"type": "adaptive"}


@pytest.mark.parametrize(
    ("name", "thinking", "kept", "left"),
    [
        (OLD, ENABLED, None, [9, 11]),
        (MIDDLE, ADAPTIVE, None, [1, 3, 5, 7, 9, 11]),
        (NEW, None, None, [1, 3, 5, 7, 9, 11]),
        (OLD, ENABLED, "all", [1, 3, 5, 7, 9, 11]),
        (OLD, ENABLED, {"type": "all"}, [1, 3, 5, 7, 9, 11]),
        (MIDDLE, ADAPTIVE, turns(1), [9, 11]),
        (MIDDLE, ADAPTIVE, turns(2), [5, 7, 9, 11]),
        (MIDDLE, ADAPTIVE, turns(3), [1, 3, 5, 7, 9, 11]),
        (MIDDLE, ADAPTIVE, turns(9), [1, 3, 5, 7, 9, 11]),
    ],
)
async def test_the_thinking_of_the_last_turns_stays(name: str, thinking: Any, kept: Any, left: list[int]) -> None:
    edit = {"type": THINKING} if kept is None else {"type": THINKING, "keep": kept}
    fields = {} if thinking is None else {"thinking": thinking}
    found = await edited(asking(edit, messages=thinking_turns(3), name=name, **fields))
    assert thoughts(found) == left
    saved = found.original_input_tokens - found.input_tokens
    number = (6 - len(left)) // 2
    expected = [{"type": THINKING, "cleared_thinking_turns": number, "cleared_input_tokens": saved}] if number else []
    assert found.applied_edits == expected


async def test_turns_without_thinking_do_not_count() -> None:
    messages = [*thinking_turns(1), assistant("Plain."), user("More?"), assistant("Plain."), user("And?")]
    found = await edited(asking({"type": THINKING, "keep": turns(1)}, messages=messages, thinking=ADAPTIVE))
    assert not found.applied_edits


async def test_a_message_of_thinking_alone_goes_with_it() -> None:
    redacted = {"type": "redacted_thinking", "data": "d"}
    messages = [user("?"), assistant(redacted), user("!"), assistant(thought(), text("So.")), user("And?")]
    found = await edited(asking({"type": THINKING, "keep": turns(1)}, messages=messages, thinking=ADAPTIVE))
    assert found.request["messages"] == [messages[0], *messages[2:]]
    assert found.applied_edits[0]["cleared_thinking_turns"] == 1


def test_which_models_keep_the_thinking_of_all_turns() -> None:
    last_turn_only = {each.id for each in public_models() if each.capabilities.thinks and not each.keeps_thinking}
    assert last_turn_only == {
        "claude-haiku-4-5-20251001",
        "claude-sonnet-4-5-20250929",
        "claude-opus-4-1-20250805",
        "claude-opus-4-20250514",
        "claude-sonnet-4-20250514",
        "claude-3-7-sonnet-20250219",
    }


# --- both, and what is refused ---


async def test_both_edits_are_applied_in_their_order_and_counted_apart() -> None:
    edits = ({"type": THINKING, "keep": turns(1)}, uses(keep=keep(0)))
    messages = [*thinking_turns(2)[:-1], *calls("a", "b")]
    found = await edited(asking(*edits, messages=messages, thinking=ADAPTIVE))
    assert [edit["type"] for edit in found.applied_edits] == [THINKING, USES]
    total = sum(edit["cleared_input_tokens"] for edit in found.applied_edits)
    assert total == found.original_input_tokens - found.input_tokens


async def test_a_compaction_is_no_editing() -> None:
    request = asking({"type": "compact_20260112"}, messages=calls(*"abcde"))
    assert (await edited(request)).request is request


@pytest.mark.parametrize(
    ("name", "thinking"), [(MIDDLE, None), (OLD, None), (MIDDLE, {"type": "disabled"}), (NEW, {"type": "disabled"})]
)
async def test_clearing_thinking_needs_thinking(name: str, thinking: Any) -> None:
    request = asking({"type": THINKING}, messages=[user("?")], name=name, thinking=thinking)
    with pytest.raises(InvalidRequestError) as refused:
        await edited(request)
    assert refused.value.message == f"`{THINKING}` strategy requires `thinking` to be enabled or adaptive"


async def test_clearing_thinking_stands_first() -> None:
    request = asking(uses(), {"type": THINKING}, messages=[user("?")], thinking=ADAPTIVE)
    with pytest.raises(InvalidRequestError, match="must be listed first"):
        await edited(request)


async def test_a_model_without_context_editing_refuses_it() -> None:
    with pytest.raises(InvalidRequestError, match="not supported for this model"):
        await edited(asking(uses(), messages=[user("?")], name="claude-3-haiku-20240307"))


# --- properties ---


words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@st.composite
def conversations(draw: st.DrawFn) -> Block:
    """Tool loops with thinking, and one or both edits of any kind."""
    messages: list[Block] = []
    names = st.sampled_from(["f", "g", "h"])
    for turn in range(draw(st.integers(1, 4))):
        messages.append(user(draw(words)))
        for step in range(draw(st.integers(0, 3))):
            ids = [f"toolu_{turn}_{step}_{nth}" for nth in range(draw(st.integers(1, 2)))]
            first = [thought(draw(words))] if draw(st.booleans()) else []
            called = [{**use(each, draw(names)), "input": {"q": draw(words)}} for each in ids]
            messages += [assistant(*first, *called), user(*(result(each, draw(words) * 9) for each in ids))]
        if draw(st.booleans()):
            messages.append(assistant(thought(draw(words)), text(draw(words))))
    if messages[-1]["role"] == "assistant":
        messages.append(user("And?"))
    kind = draw(st.sampled_from(["tool_uses", "input_tokens"]))
    clear = {
        "type": USES,
        "trigger": {"type": kind, "value": draw(st.integers(1, 8 if kind == "tool_uses" else 2_000))},
        "keep": keep(draw(st.integers(0, 5))),
        "exclude_tools": draw(st.lists(names, max_size=2)),
        "clear_tool_inputs": draw(st.one_of(st.booleans(), st.lists(names, max_size=2))),
    }
    edits = [clear]
    if draw(st.booleans()):
        edits.insert(
            0, {"type": THINKING, "keep": draw(st.one_of(st.just("all"), st.builds(turns, st.integers(1, 3))))}
        )
    return asking(*edits, messages=messages, thinking=ADAPTIVE, tools=[{**TOOL, "name": each} for each in "fgh"])


def blocks_of(request: Block, kind: str) -> list[Block]:
    return [
        block
        for message in request["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == kind
    ]


@given(conversations())
@settings(in_process, max_examples=in_process.max_examples // 4)
async def test_what_is_reported_is_what_disappeared_and_nothing_else_did(request: Block) -> None:
    found = await edited(request)
    by_type = {edit["type"]: edit for edit in found.applied_edits}
    clear = request["context_management"]["edits"][-1]
    before, after = blocks_of(request, "tool_result"), blocks_of(found.request, "tool_result")
    called, calling = blocks_of(request, "tool_use"), blocks_of(found.request, "tool_use")
    changed = [nth for nth in range(len(called)) if before[nth] != after[nth] or called[nth] != calling[nth]]
    assert len(changed) == by_type.get(USES, {"cleared_tool_uses": 0})["cleared_tool_uses"]
    assert all(nth < len(called) - clear["keep"]["value"] for nth in changed), "the newest stay"
    assert not {called[nth]["name"] for nth in changed} & set(clear["exclude_tools"]), "excluded tools stay"
    if changed and clear["trigger"]["type"] == "tool_uses":
        assert len(called) > clear["trigger"]["value"], "nothing is cleared below the trigger"
    elif changed:
        assert found.original_input_tokens > clear["trigger"]["value"], "nothing is cleared below the trigger"
    total = sum(edit["cleared_input_tokens"] for edit in found.applied_edits)
    assert total == found.original_input_tokens - found.input_tokens
    lost = len(blocks_of(request, "thinking")) - len(blocks_of(found.request, "thinking"))
    assert (lost > 0) is (THINKING in by_type)
    assert fault(found.request["messages"], model=MIDDLE, tools=request["tools"], thinking=ADAPTIVE) is None


@given(conversations())
@settings(in_process, max_examples=in_process.max_examples // 4)
async def test_editing_again_changes_nothing_more(request: Block) -> None:
    once = await edited(request)
    again = await edited(once.request)
    assert again.request is once.request
    assert again.applied_edits == []


async def test_the_count_of_a_prompt_tells_what_was_saved() -> None:
    async def count(request: Block) -> int:
        return await count_prompt(request, model(MIDDLE))

    request = asking(uses(keep=keep(1)), messages=calls(*"abcd", content="Rivers and stones. " * 40))
    found = await edited(request, count)
    assert found.applied_edits[0]["cleared_input_tokens"] > 300


def test_the_edits_of_these_tests_are_well_formed() -> None:
    edits = [{"type": THINKING, "keep": turns(2)}, uses(keep=keep(1), clear_tool_inputs=["f"], exclude_tools=["g"])]
    fields: dict[str, Any] = {"context_management": {"edits": edits}, "thinking": ADAPTIVE}
    for counting in (False, True):
        assert fault("hi", model=MIDDLE, betas=(BETA,), counting=counting, **fields) is None
