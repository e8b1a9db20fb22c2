"""Turns, texts, and tool calls with their results."""

from __future__ import annotations

import pytest

from messages.judging import (
    CACHED,
    MIDDLE,
    NEW,
    OLD,
    OWN,
    TOOL,
    assistant,
    fault,
    message,
    result,
    server_result,
    server_use,
    text,
    use,
    user,
)

SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def test_an_empty_turn_is_refused_at_its_first_message_unless_it_is_the_assistants_last():
    assert fault([user("a"), assistant(), user("b")]) == "messages.1: assistant messages must have non-empty content"
    assert fault([user("a"), assistant("b"), user(), user()]) == "messages.2: user messages must have non-empty content"
    assert fault([user(), user("a")]) is None
    assert fault([user("a"), assistant()]) is None
    assert fault([user("a"), assistant("")]) is None


def test_a_system_message_stands_before_the_assistant_or_last():
    assert fault([user("a"), message("system", "s"), assistant("b"), user("c")]) is None
    assert fault([user("a"), assistant("b"), user("c"), message("system", "s")]) is None
    for model in (OLD, MIDDLE):
        refusal = fault([user("a"), message("system", "s")], model=model)
        assert refusal is not None and refusal.startswith('messages: Unexpected role "system".')


def test_a_system_message_with_settings_alone_may_stand_anywhere():
    betas = ("mid-conversation-output-config-2026-07-01",)
    settings = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    assert fault([settings, user("a"), settings, user("b")], betas=betas) is None
    # Even between a call and its result.
    messages = [user("a"), assistant(use()), settings, user(result())]
    assert fault(messages, betas=betas, tools=[TOOL]) is None
    refusal = fault([settings, message("system", "s"), user("b")], betas=betas)
    assert refusal is not None and refusal.startswith("messages.1: use the top-level 'system' parameter")


def test_the_kind_of_a_system_block_goes_before_its_emptiness_and_that_before_its_place():
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    messages = [message("system", "s"), user("a"), message("system"), message("system", image), user("b")]
    assert fault(messages) == "messages.3: role 'system' supports text, tool_addition, and tool_removal blocks only"
    del messages[3]
    assert fault(messages) == "messages.2: system content must contain at least one block"
    del messages[2]
    refusal = fault(messages)
    assert refusal is not None and refusal.startswith("messages.0: use the top-level 'system' parameter")


def test_claude_code_may_cache_a_system_message():
    assert fault([user("a"), message("system", text("s", cache_control=CACHED))]) is None


@pytest.mark.parametrize("blank", [" ", "\n\n", "\t "])
def test_white_space_alone_is_refused_by_newer_models(blank: str):
    refusal = "messages: text content blocks must contain non-whitespace text"
    for messages in ([user(blank)], [user(text(blank))], [user("a"), assistant(text(blank)), user("b")]):
        assert fault(messages) == refusal
        assert fault(messages, model=OLD) is None
        assert fault(messages, model=OWN) is None
    assert fault([user(text(f"{blank}a{blank}"))]) is None


def test_an_empty_text_is_refused_in_the_system_prompt_and_in_results_too():
    assert fault(system=[text("")]) == "system: text content blocks must be non-empty"
    assert fault(system=[text("s")]) is None
    assert fault(system="") is None
    messages = [user("a"), assistant(use()), user(result(content=[text("")]))]
    assert fault(messages, tools=[TOOL]) == "messages: text content blocks must be non-empty"
    assert fault([user("a"), assistant(use()), user(result(content=""))], tools=[TOOL]) is None


def test_a_block_of_the_other_role_is_refused():
    assert fault([user(use())]) == "messages.0: `tool_use` blocks can only be in `assistant` messages"
    refusal = fault([user("a"), assistant(result()), user("b")])
    assert refusal == "messages.1: `tool_result` blocks can only be in `user` messages"
    thinking = {"type": "thinking", "thinking": "t", "signature": "s"}
    assert fault([user(thinking)]) == "messages.0: `thinking` blocks can only be in `assistant` messages"
    found = {"type": "search_result", "content": [text("a")], "source": "s", "title": "t"}
    refusal = fault([user("a"), assistant(found), user("b")])
    assert refusal == "messages.1: `search_result` blocks can only be in `user` messages"
    assert fault([user(found)]) is None


def test_every_call_needs_its_result_in_the_next_turn_before_anything_else():
    missing = (
        "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` "
        "block must have a corresponding `tool_result` block in the next message."
    )
    calls = [user("a"), assistant(text("b"), use("toolu_1"), use("toolu_2"))]
    assert fault([*calls, user(result("toolu_1"), result("toolu_2"), text("and"))], tools=[TOOL]) is None
    assert fault([*calls, user(result("toolu_2")), user(result("toolu_1"))], tools=[TOOL]) is None
    assert fault([*calls, user(result("toolu_2"))], tools=[TOOL]) == missing.format("toolu_1")
    assert fault([*calls, user("no")], tools=[TOOL]) == missing.format("toolu_1, toolu_2")
    late = [*calls, user(result("toolu_1"), text("wait"), result("toolu_2"))]
    assert fault(late, tools=[TOOL]) == missing.format("toolu_2")


def test_a_result_needs_its_call_in_the_turn_before():
    refusal = (
        "unexpected `tool_use_id` found in `tool_result` blocks: toolu_9. Each `tool_result` block must have a "
        "corresponding `tool_use` block in the previous message."
    )
    # Neighbours of one role are one message to the service, blocks counted through (recorded).
    assert fault([user("a"), user(result("toolu_9"))]) == f"messages.0.content.1: {refusal}"
    done = [user("a"), assistant(use("toolu_9")), user(result("toolu_9")), assistant("b")]
    assert fault([*done, user(result("toolu_9"))], tools=[TOOL]) == f"messages.4.content.0: {refusal}"


def test_one_id_may_come_again_in_a_later_turn_but_not_in_the_same():
    loop = [user("a"), assistant(use()), user(result()), assistant(use()), user(result())]
    assert fault(loop, tools=[TOOL]) is None
    assert fault([user("a"), assistant(use(), use()), user(result())], tools=[TOOL]) == (
        "messages.1.content.1: `tool_use` ids must be unique"
    )
    refusal = fault([user("a"), assistant(use()), user(result(), result())], tools=[TOOL])
    assert refusal == (
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: "
        "toolu_1"
    )


def test_a_server_tool_without_its_result_is_refused_at_the_assistants_message():
    refusal = (
        "messages.1: `web_search` tool use with id `srvtoolu_1` was found without a corresponding "
        "`web_search_tool_result` block"
    )
    assert fault([user("a"), assistant(server_use()), user("b")], tools=[SEARCH]) == refusal
    assert fault([user("a"), assistant(server_use(), server_result(), text("b")), user("c")]) is None
    # A turn that was paused goes on, with or without results of client tools.
    assert fault([user("a"), assistant(server_use())], tools=[SEARCH]) is None
    mixed = [user("a"), assistant(server_use(), use()), user(result())]
    assert fault(mixed, tools=[SEARCH, TOOL]) is None
    assert fault(mixed, tools=[TOOL]) == f"{refusal}, but no `web_search` tool was provided"
    assert fault([*mixed[:2], user(result(), text("go on"))], tools=[SEARCH, TOOL]) == refusal


def test_a_result_of_a_server_tool_needs_its_use_before_it():
    refusal = (
        "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` blocks: srvtoolu_1. Each "
        "`web_search_tool_result` block must have a corresponding `server_tool_use` block before it."
    )
    assert fault([user("a"), assistant(server_result()), user("b")]) == refusal
    later = [
        user("a"),
        assistant(server_use(), use()),
        user(result()),
        assistant(server_result(), text("b")),
        user("c"),
    ]
    assert fault(later, tools=[SEARCH, TOOL]) is None


def test_only_models_up_to_4_5_go_on_from_the_assistants_words():
    refusal = "This model does not support assistant message prefill. The conversation must end with a user message."
    ended = [user("a"), assistant("Sure,")]
    assert [fault(ended, model=model) for model in (OLD, MIDDLE, NEW, OWN)] == [None, refusal, refusal, None]
    assert fault([*ended, user("go on")], model=MIDDLE) is None
    assert fault([*ended, message("system", "s")]) is None
    whitespace = "messages: final assistant content cannot end with trailing whitespace"
    assert fault([user("a"), assistant("Sure, ")], model=OLD) == whitespace
    assert fault([user("a"), assistant(text("Sure,\n"))], model=OLD) == whitespace
    assert fault([user("a"), assistant("Sure, "), user("b")], model=OLD) is None
    # What is only counted may end as it will.
    assert fault(ended, model=MIDDLE, counting=True) is None


def test_an_assistants_document_and_a_users_citations_went_with_the_version_of_2026_10_21():
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}
    messages = [user("a"), assistant(document), user("b")]
    assert fault(messages) is None
    assert fault(messages, version="2026-10-21") == "messages.1: `document` blocks can only be in `user` messages"
    assert fault([user(document, text("b"))], version="2026-10-21") is None
    citation = {
        "type": "char_location",
        "cited_text": "d",
        "document_index": 0,
        "document_title": None,
        "start_char_index": 0,
        "end_char_index": 1,
    }
    cited = [user(text("a", citations=[citation]))]
    assert fault(cited) is None
    assert fault(cited, version="2026-10-21") == ("messages.0.content.0.text.citations: Extra inputs are not permitted")
    assert fault([user(text("a", citations=[]))], version="2026-10-21") is None
    kept = [user("a"), assistant(text("b", citations=[citation])), user("c")]
    assert fault(kept, version="2026-10-21") is None


def test_a_blank_stop_sequence_is_refused_before_the_conversation_is_looked_at():
    refusal = "stop_sequences: each stop sequence must contain non-whitespace"
    for blank in ("", " ", "\n"):
        assert fault([user()], stop_sequences=["a", blank]) == refusal
    assert fault(stop_sequences=["\n\na"]) is None
    assert fault(stop_sequences=[]) is None
