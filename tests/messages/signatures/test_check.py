"""What becomes of the thinking that a request brings back."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from messages.signatures.conversing import (
    BETA,
    BINDING,
    FREE,
    NEW_SECRET,
    OTHERS,
    OURS,
    answer,
    asked,
    checked,
    dropped,
    followed,
    model,
    redacted,
    refusal,
    signer,
    text,
    thinking,
    user,
)
from understudy.messages.signatures import Seals, leave_out

INVALID = "messages.1.content.0: Invalid `signature` in `thinking` block"
OTHER_CONVERSATION = (
    ". The block is bound to a different conversation. Remove the block, or set "
    '`thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)
NEEDS_BETA = f" That setting requires the `{BETA}` value in the `anthropic-beta` header."
TOOL = {"name": "f", "input_schema": {"type": "object"}}
DROP = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}


def test_a_request_without_thinking_is_left_alone() -> None:
    request = asked()
    assert checked(request).request is request
    assert checked(request).transformations is None


def test_thinking_that_was_signed_here_is_kept() -> None:
    request = followed(asked(), answer(asked(), "Hm."))
    found = checked(request)
    assert found.request is request
    assert found.ours == [(1, 0)] and not found.foreign


@pytest.mark.parametrize("signature", ["bogus", "s", "EqQBCkYIBxgCKkD", ""])
def test_a_made_up_signature_is_refused(signature: str) -> None:
    said: dict[str, Any] = {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "t", "signature": signature}, text("y")],
    }
    assert refusal(followed(asked(), said)) == INVALID


def test_edited_thinking_is_refused() -> None:
    request = followed(asked(), answer(asked(), "Hm."))
    request["messages"][1]["content"][0]["thinking"] = "Hm!"
    assert refusal(request) == INVALID
    request["messages"][1]["content"][0]["thinking"] = ""
    assert refusal(request) == INVALID


def test_thinking_of_another_organization_is_refused() -> None:
    for name in (FREE, BINDING):
        request = followed(asked(name), answer(asked(name), "Hm."))
        assert refusal(request) is None
        assert refusal(request, organization_id=OTHERS) == INVALID
        assert refusal(request, organization_id=OTHERS, foreign_ok=True) == INVALID


def test_thinking_of_a_key_that_is_not_known_may_be_another_installations_beside_a_claude_upstream() -> None:
    request = followed(asked(), answer(asked(), "Hm."))
    assert refusal(request, by=signer(NEW_SECRET)) == INVALID
    found = checked(request, by=signer(NEW_SECRET), foreign_ok=True)
    assert found.foreign == [(1, 0)]


def test_redacted_thinking_is_refused_in_its_own_words() -> None:
    seals = Seals(signer(), model(FREE), OURS, asked())
    block = redacted(seals, "Hm.")
    request = followed(asked(), {"role": "assistant", "content": [block, text("y")]})
    found = checked(request)
    assert found.request is request and found.ours == [(1, 0)]
    block["data"] = block["data"][:-8] + "AAAAAAA="
    assert refusal(request) == "messages.1.content.0: Invalid `data` in `redacted_thinking` block"


def test_omitted_thinking_comes_back_to_the_model_whatever_the_client_wrote_in_its_place() -> None:
    request = followed(asked(), answer(asked(), "Hm, 391.", omitted=True))
    sent = copy.deepcopy(request)
    for written in ("", "[cleared]"):
        request["messages"][1]["content"][0]["thinking"] = written
        block = checked(request).request["messages"][1]["content"][0]
        assert block["thinking"] == "Hm, 391."
    request["messages"][1]["content"][0]["thinking"] = ""
    assert request == sent, "what the client sent is not changed"


# --- foreign blocks ---


def test_a_foreign_block_beside_a_claude_upstream_is_marked_and_left_out() -> None:
    request = followed(asked(), answer(asked(), "Hm."))
    foreign: dict[str, Any] = {"type": "thinking", "thinking": "t", "signature": "EqQBCkYIBxgCKkD"}
    request = followed(request, {"role": "assistant", "content": [foreign, text("y")]})
    assert refusal(request) == INVALID.replace("1", "3", 1)
    found = checked(request, foreign_ok=True, betas=[BETA])
    assert (found.ours, found.foreign) == ([(1, 0)], [(3, 0)])
    assert found.request["messages"][3]["content"] == [text("y")]
    assert found.transformations == dropped("messages.3.content.0", reason="model_binding_mismatch")
    upstream = leave_out(request, found.ours)
    assert upstream["messages"][1]["content"] == [text("Well.")]
    assert upstream["messages"][3] is request["messages"][3]


def test_a_message_that_was_all_foreign_thinking_goes_with_it() -> None:
    foreign = {"type": "redacted_thinking", "data": "abc"}
    request = followed(asked(), {"role": "assistant", "content": [foreign]})
    assert [each["role"] for each in checked(request, foreign_ok=True).request["messages"]] == ["user", "user"]


# --- the model that reads ---


def test_thinking_that_the_model_cannot_read_is_dropped_and_told_under_the_beta() -> None:
    request = followed(asked(BINDING), answer(asked(BINDING), "Hm."))
    request["model"] = FREE
    silent, told = checked(request), checked(request, betas=[BETA])
    assert silent.transformations is None
    assert told.transformations == dropped("messages.1.content.0", reason="model_binding_mismatch")
    for found in (silent, told):
        assert found.request["messages"][1]["content"] == [text("Well.")]


def test_an_earlier_model_s_thinking_is_not_bound_to_a_conversation() -> None:
    request = followed(asked("claude-opus-5"), answer(asked("claude-opus-5"), "Hm."))
    request |= {"model": "claude-opus-5-5", "system": "Another."}
    assert checked(request).request is request


def test_the_list_of_transformations_is_there_under_the_beta_for_models_that_think() -> None:
    assert checked(asked(), betas=[BETA]).transformations == []
    assert checked(asked("claude-3-haiku-20240307"), betas=[BETA]).transformations is None


# --- the conversation before ---


def test_a_bound_block_is_good_behind_the_same_conversation() -> None:
    first = asked(BINDING, tools=[TOOL])
    second = followed(first, answer(first, "One.", "Two."))
    third = followed(second, answer(second, "Three."))
    assert checked(third, betas=[BETA]).transformations == []


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ({"system": "Be wordy."}, " The `system` prompt differs from the one this block was created with."),
        ({"tools": []}, " The `tools` list differs from the one this block was created with."),
        (
            {"tools": [{**TOOL, "description": "d"}]},
            " The `tools` list differs from the one this block was created with.",
        ),
    ],
)
def test_a_bound_block_is_refused_behind_another_prompt(edit: dict[str, Any], sentence: str) -> None:
    first = asked(BINDING, tools=[TOOL])
    request = followed(first, answer(first, "Hm.")) | edit
    assert refusal(request) == INVALID + OTHER_CONVERSATION + NEEDS_BETA + sentence
    assert refusal(request, betas=[BETA]) == INVALID + OTHER_CONVERSATION + sentence
    # Not so where the model does not look at it.
    assert refusal({**followed(asked(tools=[TOOL]), answer(asked(tools=[TOOL]), "Hm.")), **edit}) is None


def test_a_bound_block_is_refused_behind_other_messages() -> None:
    first = asked(BINDING)
    request = followed(first, answer(first, "Hm."))
    edited = copy.deepcopy(request)
    edited["messages"][0]["content"] = "What is 17 * 24?"
    assert refusal(edited, betas=[BETA]) == INVALID + OTHER_CONVERSATION
    more = followed(request, answer(request, "So."))
    more["messages"][1]["content"][-1]["text"] = "Other words."
    assert refusal(more, betas=[BETA]) == INVALID.replace("1", "3", 1) + OTHER_CONVERSATION


def test_what_does_not_count_as_an_edit() -> None:
    deferred = {"name": "later", "input_schema": {"type": "object"}, "defer_loading": True}
    first = asked(BINDING, tools=[TOOL, {**TOOL, "name": "g"}])
    request = followed(first, answer(first, "Hm."))
    cached = {"cache_control": {"type": "ephemeral"}}
    for edit in (
        {"max_tokens": 5, "metadata": {"user_id": "u"}, "tool_choice": {"type": "none"}},
        {"tools": [*first["tools"], deferred]},
        {"tools": first["tools"][::-1]},
        {"tools": [{**TOOL, **cached}, first["tools"][1]]},
        {"system": [text("Be brief.", **cached)]},
        {"messages": [user(text("What is 17 * 23?", **cached)), *request["messages"][1:]]},
    ):
        assert refusal({**request, **edit}) is None, edit


def test_the_number_that_claude_code_puts_into_its_system_prompt_is_no_edit() -> None:
    def system(number: str, words: str = "You are an agent.") -> list[dict[str, Any]]:
        return [text(f"x-anthropic-billing-header: cc_version=2.1.0; cch={number};"), text(words)]

    first = asked(BINDING, system=system("1a2b3"))
    request = followed(first, answer(first, "Hm."))
    assert refusal({**request, "system": system("4c5d6")}) is None
    assert "The `system` prompt differs" in str(refusal({**request, "system": system("1a2b3", "Another.")}))


def test_a_deferred_tool_counts_once_something_refers_to_it() -> None:
    deferred = {"name": "later", "input_schema": {"type": "object"}, "defer_loading": True}
    found = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "later"}]}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    first = asked(BINDING, tools=[TOOL, deferred])
    first["messages"] += [{"role": "assistant", "content": [call]}, user(found)]
    request = followed(first, answer(first, "Hm."))
    assert refusal(request) is None
    request["tools"] = [TOOL, {**deferred, "description": "d"}]
    assert "The `tools` list differs" in str(refusal(request))


def test_a_rotated_address_of_a_picture_is_no_edit() -> None:
    def shown(url: str) -> dict[str, Any]:
        return {"messages": [user({"type": "image", "source": {"type": "url", "url": url}})]}

    first = asked(BINDING, **shown("https://a.example/b.png?signed=1"))
    request = followed(first, answer(first, "Hm."))
    rest = request["messages"][1:]
    same, other = shown("https://a.example/b.png?signed=2"), shown("https://a.example/c.png?signed=1")
    assert refusal({**request, "messages": same["messages"] + rest}) is None
    assert refusal({**request, "messages": other["messages"] + rest}) is not None


def test_an_answer_sent_back_in_two_messages_is_the_same_conversation() -> None:
    first = asked(BINDING)
    said = answer(first, "Hm.")
    parts = [{"role": "assistant", "content": [block]} for block in said["content"]]
    second = followed(first, said)
    split = {**second, "messages": [first["messages"][0], *parts, second["messages"][2]]}
    third = followed(second, answer(second, "So."))
    assert refusal(followed(split, third["messages"][3])) is None


def test_a_compaction_begins_the_conversation_anew() -> None:
    first = asked(BINDING)
    first["messages"].append({"role": "assistant", "content": [{"type": "compaction", "content": "Sums."}]})
    first["messages"].append(user("Go on."))
    request = followed(first, answer(first, "Hm."))
    assert refusal({**request, "messages": request["messages"][1:]}) is None


# --- the chain of blocks ---


def three_turns() -> dict[str, Any]:
    first = asked(BINDING)
    second = followed(first, answer(first, "One."))
    third = followed(second, answer(second, "Two."))
    return followed(third, answer(third, "Three."))


def without_thinking(request: dict[str, Any], *indexes: int) -> dict[str, Any]:
    return leave_out(request, [(index, 0) for index in indexes])


def test_thinking_may_be_taken_away_from_the_front_and_the_end_but_not_from_the_middle() -> None:
    request = three_turns()
    for indexes in ((), (1,), (1, 3), (1, 3, 5), (3, 5), (5,)):
        assert refusal(without_thinking(request, *indexes)) is None, indexes
    assert refusal(without_thinking(request, 3), betas=[BETA]) == (
        "messages.5.content.0: Invalid `signature` in `thinking` block"
        + OTHER_CONVERSATION
        + " The `thinking` block that preceded this one when it was created is missing from this request."
    )


def test_thinking_that_was_taken_away_must_not_come_back() -> None:
    second = followed(asked(BINDING), answer(asked(BINDING), "One."))
    bare = without_thinking(second, 1)
    later = followed(second, answer(bare, "Two."))
    assert OTHER_CONVERSATION in str(refusal(later, betas=[BETA]))


def test_drop_block_drops_the_block_and_every_one_after_it() -> None:
    request: dict[str, Any] = {**three_turns(), "thinking": DROP}
    request["messages"][2] = user("Something else.")
    found = checked(request, betas=[BETA])
    assert found.transformations == dropped("messages.3.content.0", "messages.5.content.0")
    assert [block["type"] for at in (1, 3, 5) for block in found.request["messages"][at]["content"]] == [
        "thinking", "text", "text", "text",
    ]  # fmt: skip
    assert request["messages"][3]["content"][0]["type"] == "thinking", "what the client sent is not changed"


def test_a_gap_costs_all_thinking_behind_it() -> None:
    request = three_turns()
    request = followed(request, answer(request, "Four."))
    found = checked({**without_thinking(request, 3), "thinking": DROP}, betas=[BETA])
    assert found.transformations == dropped("messages.5.content.0", "messages.7.content.0")


def test_a_batch_drops_unless_it_is_told_to_fail() -> None:
    request: dict[str, Any] = {**three_turns(), "system": "Other."}
    assert len(checked(request, batch=True, betas=[BETA]).transformations or []) == 3
    fails = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "error"}}
    assert refusal({**request, "thinking": fails}, batch=True) is not None


def test_drop_block_does_not_help_an_edited_signature() -> None:
    request: dict[str, Any] = {**three_turns(), "thinking": DROP}
    request["messages"][1]["content"][0]["signature"] = "bogus"
    assert refusal(request, betas=[BETA]) == INVALID


# --- the latest assistant message ---

MODIFIED = (
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must "
    "remain as they were in the original response."
)


def test_the_latest_message_s_thinking_can_neither_be_rearranged_nor_left_out_in_part() -> None:
    request = followed(asked(), answer(asked(), "One.", "Two.", "Three."))
    one, two, three, said = request["messages"][1]["content"]
    for blocks, place in (([two, one, three], 0), ([one, three, two], 1), ([two, three], 0), ([one, three], 1)):
        changed = followed(asked(), {"role": "assistant", "content": [*blocks, said]})
        assert refusal(changed) == f"messages.1.content.{place}: {MODIFIED}"
    for blocks in ([], [one], [one, two]):
        assert refusal(followed(asked(), {"role": "assistant", "content": [*blocks, said]})) is None


def test_the_thinking_of_two_answers_side_by_side_is_refused() -> None:
    second = followed(asked(), answer(asked(), "One."))
    said = answer(second, "Two.")
    merged = {"role": "assistant", "content": [second["messages"][1]["content"][0], *said["content"]]}
    assert refusal(followed(asked(), merged)) == f"messages.1.content.1: {MODIFIED}"


def test_earlier_messages_thinking_may_be_rearranged_by_models_that_bind_nothing() -> None:
    request = followed(asked(), answer(asked(), "One.", "Two."))
    request = followed(request, {"role": "assistant", "content": "So."})
    request["messages"][1]["content"].reverse()
    assert refusal(request) is None


def test_thinking_between_calls_goes_on_in_one_message() -> None:
    first = asked(BINDING)
    seals = Seals(signer(), model(BINDING), OURS, first)
    content = [thinking(seals, "One."), text("a"), thinking(seals, "Two."), redacted(seals, "Three."), text("b")]
    assert refusal(followed(first, {"role": "assistant", "content": content})) is None
