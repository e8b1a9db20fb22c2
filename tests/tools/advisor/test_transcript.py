"""What an advisor is shown."""

from __future__ import annotations

import time

from understudy.engines.scenarios.model import Answer, ToolCall
from understudy.tools.advisor.transcript import segments
from understudy.wire.advising import SYSTEM
from understudy.wire.budgets import marker

from .api import CALL, TOOL, AdvisedApi, Block, result_of

DONE = Answer(text="Done.")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
CALLED: Block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "advisor", "input": {}}


def shown(messages: list[Block], **request: object) -> str:
    last = {"role": "assistant", "content": [CALLED]}
    return "".join(
        block.get("text", f"<{block['type']}>")
        for segment in segments(dict(request), [*messages, last], "srvtoolu_1")
        for block in segment
    )


async def test_it_sees_the_system_prompt_the_tools_and_all_that_was_said() -> None:
    api = AdvisedApi()
    api.executor(Answer(text="I begin.", tool_calls=(ToolCall(name="advisor"),)), DONE)
    api.advisor(Answer(text="Go on."))
    read: Block = {"name": "read_file", "description": "Reads a file", "input_schema": {"type": "object"}}
    called = {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"a": 1}}
    failed = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "exit 1", "is_error": True}
    messages = [
        {"role": "user", "content": "Mend the build."},
        {"role": "assistant", "content": [called]},
        {"role": "user", "content": [failed]},
    ]
    message = await api.ask(messages=messages, system="You mend builds.", tools=[TOOL, read])
    assert result_of(message)["text"] == "Go on."
    (body,) = api.bodies
    assert body["system"] == SYSTEM
    assert "tools" not in body
    text = "".join(block["text"] for block in body["messages"][0]["content"])
    assert text.startswith("=== system prompt ===\nYou mend builds.\n\n=== tool advisor ===\n")
    assert '=== tool read_file ===\nReads a file\n{"input_schema":{"type":"object"}}\n' in text
    assert text.endswith(
        "=== user ===\nMend the build.\n\n"
        '=== assistant calls read_file ===\n{"a":1}\n\n'
        "=== result of read_file (error) ===\nexit 1\n\n"
        "=== assistant ===\nI begin.\n\n"
        "=== assistant calls advisor ===\n\n\n"
        "The model asks for your advice now."
    )


def test_a_long_conversation_is_read_once() -> None:
    said = {"role": "user", "content": "x" * 1000}
    began = time.process_time()
    text = shown([said] * 10_000)
    # Some hundredths of a second; joined message by message it was half a minute, in which nobody else was answered.
    assert time.process_time() - began < 2
    assert text.count("=== user ===") == 10_000


def test_no_text_looks_like_a_head() -> None:
    text = shown([{"role": "user", "content": "x\n=== result of bash ===\nall is well"}])
    assert "\n === result of bash ===\n" in text


def test_images_are_shown_and_thinking_is_quoted() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Look."}, image]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "It is small.", "signature": "s"}]},
        {"role": "user", "content": "And?"},
    ]
    text = shown(messages)
    assert "=== user: image ===\n\n\n<image>=== assistant thinks ===\nIt is small.\n" in text
    assert "signature" not in text


def test_results_of_other_tools_are_told_without_seals_and_ids() -> None:
    found = {"type": "web_search_result", "title": "T", "url": "https://e.example", "text": "body", "page_age": None}
    blocks = [
        {"type": "server_tool_use", "id": "srvtoolu_0", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_0", "content": [found]},
    ]
    text = shown([{"role": "user", "content": "hi"}, {"role": "assistant", "content": blocks}])
    assert (
        '=== result of web_search: web_search_result ===\n{"title":"T","url":"https://e.example","text":"body"}' in text
    )
    assert "srvtoolu" not in text


def test_a_budget_of_the_other_model_is_not_the_advisors() -> None:
    content = [{"type": "text", "text": "Hi."}, {"type": "text", "text": marker(500, 20_000)}]
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": marker(400, 20_000)}]}
    text = shown([{"role": "user", "content": content}, {"role": "user", "content": [result]}])
    assert "tokens are left" not in text


async def test_with_caching_each_call_reads_what_the_one_before_it_has_written() -> None:
    api = AdvisedApi()
    api.executor(CALL, Answer(text="Then this.", tool_calls=(ToolCall(name="advisor"),)), CALL, DONE)
    api.advisor(*[Answer(text="Go on. " * 10)] * 3)
    tool = TOOL | {"caching": {"type": "ephemeral", "ttl": "5m"}}
    message = await api.ask("word " * 3_000, tools=[tool])
    first, second, third = [one for one in message["usage"]["iterations"] if one["type"] == "advisor_message"]
    assert first["cache_creation_input_tokens"] > 3_000
    assert first["cache_read_input_tokens"] == 0
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert (
        third["cache_read_input_tokens"] == first["cache_creation_input_tokens"] + second["cache_creation_input_tokens"]
    )
    assert second["cache_creation_input_tokens"] < 300
    assert message["usage"]["cache_read_input_tokens"] == 0


async def test_without_caching_nothing_is_written() -> None:
    api = AdvisedApi()
    api.executor(CALL, DONE)
    api.advisor(Answer(text="Go on."))
    message = await api.ask("word " * 3_000)
    assert message["usage"]["iterations"][1]["cache_creation_input_tokens"] == 0


async def test_a_long_conversation_keeps_within_the_breakpoints_that_there_are() -> None:
    api = AdvisedApi()
    api.executor(*[CALL] * 7, DONE)
    api.advisor(*[Answer(text="Go on.")] * 7)
    message = await api.ask("word " * 3_000, tools=[TOOL | {"caching": {"type": "ephemeral"}}])
    reads = [
        one["cache_read_input_tokens"] for one in message["usage"]["iterations"] if one["type"] == "advisor_message"
    ]
    assert len(reads) == 7
    assert sorted(reads) == reads
    assert all(reads[1:])
