"""The `compaction` parameter: a summary on demand, signed, and what becomes of it when it is sent back."""

from __future__ import annotations

from typing import Any

import pytest

from streams import without_ids

from .small_windows import NEWER, OLDER, Block, Scripted, assistant, compact, folded, says, small_api, user

TALK = [user("My name is Ada."), assistant({"type": "text", "text": "Noted."})]
ASKED: Block = {"compaction": {"type": "summarize"}, "context_management": None, "betas": NEWER}
AGAIN: Block = {"context_management": None, "betas": NEWER}


async def test_the_answer_is_a_signed_summary_alone(monkeypatch: Any) -> None:
    small = small_api(monkeypatch)
    message = await small.ask(TALK, **ASKED)
    [block] = message["content"]
    assert list(block) == ["type", "content", "signature", "tool_changes"]
    assert "My name is Ada." in block["content"]
    assert block["tool_changes"] == []
    assert message["stop_reason"] == "compaction"
    assert [call["type"] for call in message["usage"]["iterations"]] == ["compaction"]
    assert message["usage"]["input_tokens"] == 0 < small.record.input_tokens
    assert without_ids(folded(await small.stream(TALK, **ASKED))) == without_ids(message)
    again = await small.ask([assistant(block), user("What is my name?")], **AGAIN)
    assert again["content"] == [{"type": "text", "text": "Your name is Ada."}]


async def test_ones_own_instructions_take_the_place_of_ours_unless_they_are_blank(monkeypatch: Any) -> None:
    for instructions, ours in (("Be brief.", False), (" \n", True)):
        engine = Scripted(says("a summary"))
        asked: dict[str, Any] = {**ASKED, "compaction": {"type": "summarize", "instructions": instructions}}
        await small_api(monkeypatch, engine).ask(TALK, **asked)
        text = engine.turns[0].request["messages"][-1]["content"][0]["text"]
        assert ("<summary>" in text) is ours
        assert (text == instructions) is not ours


async def test_what_happened_to_the_tools_stands_in_the_block(monkeypatch: Any) -> None:
    tools = [{"name": name, "description": "d", "input_schema": {"type": "object"}} for name in ("f", "g")]
    removal, addition = (
        {"type": kind, "tool": {"type": "tool_reference", "name": "g"}} for kind in ("tool_removal", "tool_addition")
    )
    betas = f"{NEWER},mid-conversation-tool-changes-2026-07-01"
    model = "claude-sonnet-5-5"
    small = small_api(monkeypatch)
    for changes, left in (([removal], [removal]), ([removal, addition], [addition])):
        talk = [user("hi"), *({"role": "system", "content": [change]} for change in changes[:1])]
        talk += [assistant({"type": "text", "text": "hello"}), user("go on")]
        talk += [{"role": "system", "content": [change]} for change in changes[1:]]
        message = await small.ask(talk, model=model, tools=tools, **{**ASKED, "betas": betas})
        assert message["content"][0]["tool_changes"] == left


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"context_management": compact()}, "context_management"),
        ({"stop_sequences": ["x"]}, "stop_sequences"),
        ({"tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"}}, "tool_choice"),
    ],
)
async def test_what_shapes_an_answer_cannot_be_asked_along_with_it(monkeypatch: Any, more: Block, name: str) -> None:
    asked = {**ASKED, "betas": f"{NEWER},compact-2026-01-12", **more}
    error = await small_api(monkeypatch).refusal([user("hi")], **asked)
    assert error["message"] == f"{name}: cannot be combined with `compaction`."


async def test_a_model_without_it_is_named(monkeypatch: Any) -> None:
    if (await small_api(monkeypatch).api.post({"model": OLDER})).status == 404:
        return
    answer = await small_api(monkeypatch).api.post(
        {"model": OLDER, "max_tokens": 9, "messages": TALK, "compaction": {"type": "summarize"}}, anthropic_beta=NEWER
    )
    assert answer.status in {200, 400}


class TestSentBack:
    async def refused(self, monkeypatch: Any, change: Any) -> str:
        small = small_api(monkeypatch)
        [block] = (await small.ask(TALK, **ASKED))["content"]
        messages = [assistant(block), user("What is my name?")]
        await small.ask(messages, **AGAIN)
        return (await small.refusal(change(block, messages), **AGAIN))["details"]["error_code"]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"content": "another"}, "compaction_content_mismatch"),
            ({"signature": "c2lnbmF0dXJl"}, "compaction_signature_invalid"),
            (
                {"tool_changes": [{"type": "tool_removal", "tool": {"type": "tool_reference", "name": "f"}}]},
                "compaction_tool_changes_mismatch",
            ),
        ],
    )
    async def test_another_block_than_the_one_that_was_signed(self, monkeypatch: Any, change: Block, code: str) -> None:
        def changed(block: Block, messages: list[Block]) -> list[Block]:
            return [assistant({**block, **change}), *messages[1:]]

        assert await self.refused(monkeypatch, changed) == code

    async def test_at_another_place(self, monkeypatch: Any) -> None:
        code = await self.refused(monkeypatch, lambda block, messages: [user("hi"), *messages])
        assert code == "compaction_block_misplaced"

    async def test_two_of_them(self, monkeypatch: Any) -> None:
        code = await self.refused(monkeypatch, lambda block, messages: [*messages, assistant(block), user("hi")])
        assert code == "compaction_block_ambiguous"

    async def test_a_signed_block_with_an_edit_that_compacts(self, monkeypatch: Any) -> None:
        small = small_api(monkeypatch)
        [block] = (await small.ask(TALK, **ASKED))["content"]
        error = await small.refusal([assistant(block), user("hi")], betas=f"{NEWER},compact-2026-01-12")
        assert "cannot be combined with a compaction edit" in error["message"]

    async def test_without_the_beta_a_signature_says_nothing(self, monkeypatch: Any) -> None:
        block = {"type": "compaction", "content": "a summary", "signature": "c2lnbmF0dXJl"}
        await small_api(monkeypatch).ask([user("hi"), assistant(block), user("hi")])
