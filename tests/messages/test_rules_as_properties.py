"""What a careful client sends is accepted, and what the simulator answers is accepted as history."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi import InProcess
from generated import NEW_MODELS, OLD_MODELS, contents, in_process, text_requests, texts
from messages.judging import CACHED, TOOL, assistant, fault, result, server_result, server_use, text, use, user

SEARCH = {"type": "web_search_20250305", "name": "web_search"}


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def api() -> InProcess:
    return InProcess()


@st.composite
def tool_loops(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Messages with calls of client and server tools, every one of them answered as it must be."""
    messages = [user(draw(texts))]
    for turn in range(draw(st.integers(1, 4))):
        ids = [f"toolu_{turn}_{call}" for call in range(draw(st.integers(0, 3)))]
        said: list[dict[str, Any]] = [text(draw(texts))] if draw(st.booleans()) or not ids else []
        if draw(st.booleans()):
            said += [server_use(f"srvtoolu_{turn}"), server_result(f"srvtoolu_{turn}"), text(draw(texts))]
        messages.append(assistant(*said, *[use(tool_id) for tool_id in ids]))
        answers = [result(tool_id, draw(contents)) for tool_id in draw(st.permutations(ids))]
        if draw(st.booleans()) or not answers:
            # Further words of the user's stand behind the results, in one message or the next.
            words = text(draw(texts))
            messages += [user(*answers, words)] if draw(st.booleans()) or not answers else [user(*answers), user(words)]
        else:
            messages.append(user(*answers))
    if draw(st.booleans()):
        last = messages[-1]["content"]
        if isinstance(last, list):
            last[-1]["cache_control"] = CACHED
    return messages


@given(messages=tool_loops(), model=st.sampled_from(OLD_MODELS + NEW_MODELS))
@in_process
def test_a_conversation_with_tools_is_accepted(messages: list[dict[str, Any]], model: str) -> None:
    assert fault(messages, model=model, tools=[TOOL, SEARCH]) is None
    assert fault(messages, model=model, tools=[TOOL, SEARCH], counting=True) is None


@given(messages=tool_loops(), place=st.integers(min_value=0))
@in_process
def test_a_conversation_that_lost_a_message_is_refused_for_its_tools_or_accepted(
    messages: list[dict[str, Any]], place: int
) -> None:
    kept = messages[:]
    del kept[place % len(kept)]
    if kept:
        refusal = fault(kept, model="claude-haiku-4-5", tools=[TOOL, SEARCH])
        assert refusal is None or "tool_use" in refusal or "trailing whitespace" in refusal


@given(request_=text_requests())
@in_process
def test_a_request_of_texts_is_accepted(request_: dict[str, Any]) -> None:
    assert fault(**request_) is None


@given(request_=text_requests(), question=texts)
@in_process
def test_what_the_simulator_answers_is_accepted_as_history(
    runner: asyncio.Runner, api: InProcess, request_: dict[str, Any], question: str
) -> None:
    answer = runner.run(api.post({**request_, "max_tokens": min(request_["max_tokens"], 40)}))
    assert answer.status == 200, answer.body
    # Clients must drop what is blank: the service answers with it and does not take it back.
    content = [block for block in answer.json()["content"] if block["type"] != "text" or block["text"].strip()]
    if content:
        messages = [*request_["messages"], assistant(*content), user(question)]
        again: dict[str, Any] = {**request_, "messages": messages}
        assert fault(**again) is None
        counted = {name: request_[name] for name in ("model", "system") if name in request_}
        assert fault(messages, counting=True, **counted) is None


@pytest.mark.parametrize(
    ("request_", "first"),
    [
        # Each has the faults of two stages; the earlier stage is reported. Pairs as the service was seen to order them,
        # or as the stages suggest.
        ({"messages": [user()], "stop_sequences": [" "]}, "stop_sequences: "),
        ({"messages": [user()], "max_tokens": 999_999}, "messages.0: user messages"),
        ({"messages": [user()], "container": "c"}, "messages.0: user messages"),
        ({"max_tokens": 999_999, "tools": [TOOL, TOOL]}, "max_tokens: 999999"),
        ({"messages": [user(text(""))], "tools": [TOOL, TOOL]}, "tools: Tool names"),
        ({"messages": [user(text(""), result())]}, "messages: text content"),
        ({"messages": [user(result())], "thinking": {"type": "between_tools"}}, "messages.0.content.0: unexpected"),
        ({"thinking": {"type": "between_tools"}, "temperature": 0}, '"thinking.type.between_tools"'),
        ({"temperature": 0, "tool_choice": {"type": "any"}}, "`temperature` is deprecated"),
        ({"tool_choice": {"type": "any"}, "container": "c"}, "tool_choice: "),
        ({"tool_choice": {"type": "tool", "name": "x"}, "model": "claude-opus-5-5"}, "Tool 'x' not found"),
        ({"tool_choice": {"type": "any"}, "model": "claude-opus-5-5"}, 'tool_choice: type "tool" and "any"'),
        ({"container": "c", "messages": [user("a"), assistant("b")]}, "container: "),
    ],
)
def test_of_two_faults_the_one_of_the_earlier_stage_is_reported(request_: dict[str, Any], first: str) -> None:
    refusal = fault(**request_)
    assert refusal is not None and refusal.startswith(first)
