"""The official SDK gets over a socket what a test says it shall get."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anthropic
import pytest
from anthropic.types import Message

from understudy.testing import Answer, ClaudeApi, Failure, Redacted, Text, Thinking, ToolCall, When

WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def ask(api: ClaudeApi, content: Any = "Hello", **more: Any) -> Message:
    arguments: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 500, **more}
    return api.client.messages.create(messages=[{"role": "user", "content": content}], **arguments)


def streamed(api: ClaudeApi, **more: Any) -> tuple[list[str], Message]:
    arguments: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 500, **more}
    with api.client.messages.stream(messages=[{"role": "user", "content": "Hello"}], **arguments) as stream:
        kinds = [event.type for event in stream]
        return kinds, stream.get_final_message()


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_text_is_answered_whole_and_as_a_stream_alike(api: ClaudeApi) -> None:
    api.respond("The sun is shining over the whole city.")
    whole = ask(api)
    kinds, final = streamed(api)
    assert text_of(whole) == text_of(final) == "The sun is shining over the whole city."
    assert whole.usage.output_tokens == final.usage.output_tokens > 5
    assert whole.stop_reason == "end_turn"
    assert kinds.count("text") > 1


def test_without_a_rule_the_simulator_answers(api: ClaudeApi) -> None:
    assert text_of(ask(api, "Say 'fine'")) == "fine"


def test_a_tool_loop_runs_to_its_end(api: ClaudeApi) -> None:
    api.respond(ToolCall(name="get_weather", input={"city": "Kyoto"}), when=When(has_tool="get_weather"), times=1)
    api.respond("21 degrees in Kyoto.", when=When(tool_result_for="get_weather", tool_result_contains="21"))
    first = ask(api, "Weather in Kyoto?", tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    (call,) = first.content
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("get_weather", {"city": "Kyoto"})
    history: list[Any] = [
        {"role": "user", "content": "Weather in Kyoto?"},
        {"role": "assistant", "content": [one.to_dict() for one in first.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21"}]},
    ]
    last = api.client.messages.create(model="claude-sonnet-5-5", max_tokens=500, messages=history, tools=[WEATHER])
    assert (text_of(last), last.stop_reason) == ("21 degrees in Kyoto.", "end_turn")


def test_a_streamed_call_has_its_input_in_pieces(api: ClaudeApi) -> None:
    api.respond(Answer(tool_calls=(ToolCall(name="get_weather", input={"city": "a long name " * 10}),)))
    kinds, final = streamed(api, tools=[WEATHER])
    assert kinds.count("input_json") > 3
    assert final.content[0].to_dict()["input"] == {"city": "a long name " * 10}


def test_blocks_come_in_the_order_in_which_they_are_given(api: ClaudeApi) -> None:
    api.respond(
        [
            Thinking(thinking="What do they want?"),
            Redacted(),
            Text(text="I will look."),
            ToolCall(name="get_weather", input={"city": "Oslo"}),
        ]
    )
    message = ask(
        api,
        model="claude-haiku-4-5",
        tools=[WEATHER],
        thinking={"type": "enabled", "budget_tokens": 1024},
        max_tokens=4000,
    )
    assert [block.type for block in message.content] == ["thinking", "redacted_thinking", "text", "tool_use"]
    assert message.stop_reason == "tool_use"


def test_max_tokens_and_stop_sequences_cut_a_scripted_answer(api: ClaudeApi) -> None:
    api.respond("one two three four five six seven eight")
    cut = ask(api, max_tokens=3)
    assert (cut.stop_reason, cut.usage.output_tokens, text_of(cut)) == ("max_tokens", 3, "one two three")
    stopped = ask(api, stop_sequences=["four"])
    assert (stopped.stop_reason, stopped.stop_sequence, text_of(stopped)) == ("stop_sequence", "four", "one two three ")


def test_a_stop_reason_is_what_is_asked_for(api: ClaudeApi) -> None:
    api.respond(Answer(text="I cannot help with that.", stop_reason="refusal"))
    assert ask(api).stop_reason == "refusal"


def test_an_empty_text_is_an_empty_answer(api: ClaudeApi) -> None:
    api.respond("")
    assert ask(api).content == []


def test_a_function_answers(api: ClaudeApi) -> None:
    api.respond(lambda request: f"You said: {request['messages'][-1]['content']}")
    assert text_of(ask(api, "ping")) == "You said: ping"


def test_the_sdk_tries_again_after_an_overload(api: ClaudeApi) -> None:
    api.respond("at last")
    api.fail_next(529, times=2)
    assert text_of(ask(api)) == "at last"
    assert [one.status for one in api.requests] == [529, 529, 200]


def test_an_error_reaches_the_caller_with_all_that_it_says(api: ClaudeApi) -> None:
    api.fail_next(429, message="Slow down.", retry_after=3, times=5)
    with pytest.raises(anthropic.RateLimitError) as caught:
        api.client.with_options(max_retries=0).messages.create(
            model="claude-sonnet-5-5", max_tokens=5, messages=[{"role": "user", "content": "x"}]
        )
    assert caught.value.response.headers["retry-after"] == "3"
    assert "Slow down." in str(caught.value)
    api.reset()
    api.respond(Failure(status=400, message="No."))
    with pytest.raises(anthropic.BadRequestError, match=r"No\."):
        ask(api)


def test_another_path_can_fail_too(api: ClaudeApi) -> None:
    api.fail_next(529, path="/v1/models")
    assert api.client.models.list().data
    assert [(one.method, one.path, one.status) for one in api.requests] == [
        ("GET", "/v1/models", 529),
        ("GET", "/v1/models", 200),
    ]


def test_a_delay_lets_an_impatient_client_give_up(api: ClaudeApi) -> None:
    api.respond(Answer(text="late", delay=5))
    began = time.monotonic()
    with pytest.raises(anthropic.APITimeoutError):
        api.client.with_options(max_retries=0, timeout=0.2).messages.create(
            model="claude-sonnet-5-5", max_tokens=5, messages=[{"role": "user", "content": "x"}]
        )
    assert time.monotonic() - began < 3


def test_deltas_come_one_by_one_when_there_is_a_delay_between_them(api: ClaudeApi) -> None:
    api.respond(Answer(text="one two three four", delta_tokens=1, delay_between=0.05))
    times: list[float] = []
    with api.client.messages.stream(
        model="claude-sonnet-5-5", max_tokens=50, messages=[{"role": "user", "content": "x"}]
    ) as stream:
        for event in stream:
            if event.type == "text":
                times.append(time.monotonic())
    assert len(times) == 4
    assert times[-1] - times[0] > 0.09


def test_requests_are_kept_without_their_credential(api: ClaudeApi) -> None:
    ask(api, "remember me", extra_headers={"x-team": "red"})
    (received,) = api.requests
    assert received.body["messages"] == [{"role": "user", "content": "remember me"}]
    assert received.headers["x-team"] == "red"
    assert received.headers["authorization"] == "[removed]"
    assert api.api_key not in repr(received)
    assert received.status == 200


def test_a_request_that_is_no_good_is_kept_too(api: ClaudeApi) -> None:
    with pytest.raises(anthropic.BadRequestError):
        ask(api, extra_body={"unknown": 9})
    assert [(one.status, one.body["unknown"]) for one in api.requests] == [(400, 9)]


def test_a_scripted_answer_says_that_it_is_one(api: ClaudeApi) -> None:
    api.respond("x", name="greeting", times=1)
    raw = api.client.messages.with_raw_response
    engines = [
        raw.create(model="claude-sonnet-5-5", max_tokens=5, messages=[{"role": "user", "content": "x"}]).headers[
            "understudy-engine"
        ]
        for _ in range(2)
    ]
    assert engines[0] == "scenario/greeting"
    assert engines[1].startswith("simulator/")


def test_counted_ids_make_whole_answers_comparable(counting_api: ClaudeApi) -> None:
    api = counting_api
    api.respond("one", ToolCall(name="get_weather", input={"city": "Oslo"}))
    first = [ask(api, tools=[WEATHER]).to_dict() for _ in range(2)]
    api.reset()
    api.respond("one", ToolCall(name="get_weather", input={"city": "Oslo"}))
    assert [ask(api, tools=[WEATHER]).to_dict() for _ in range(2)] == first
    assert [one["id"] for one in first] == ["msg_01" + "1" * 22, "msg_01" + "1" * 21 + "2"]


def test_what_no_rule_is_for_is_refused_and_told(counting_api: ClaudeApi) -> None:
    counting_api.respond("sunny", when="weather")
    with pytest.raises(anthropic.BadRequestError, match="text_contains 'weather' does not hold"):
        ask(counting_api, "hello")
    (told,) = counting_api.unmatched_requests
    assert "last user text 'hello'" in told
    assert len(counting_api.requests) == 1


async def test_many_asynchronous_requests_each_get_one_answer(api: ClaudeApi) -> None:
    api.respond(*[f"answer {number}" for number in range(20)])

    async def one() -> str:
        message = await api.async_client.messages.create(
            model="claude-sonnet-5-5", max_tokens=50, messages=[{"role": "user", "content": "x"}]
        )
        return text_of(message)

    texts = await asyncio.gather(*[one() for _ in range(20)])
    assert sorted(texts) == sorted(f"answer {number}" for number in range(20))
    await api.async_client.close()


def test_faults_by_chance_strike_the_same_requests_each_time(api: ClaudeApi) -> None:
    def run() -> list[int | None]:
        api.reset()
        api.load({"faults": {"seed": 4, "each": [{"probability": 0.3, "error": {"status": 529}}]}})
        client = api.client.with_options(max_retries=0)
        for _ in range(12):
            try:
                client.messages.create(
                    model="claude-sonnet-5-5", max_tokens=5, messages=[{"role": "user", "content": "x"}]
                )
            except anthropic.APIStatusError:
                pass
        return [one.status for one in api.requests]

    first = run()
    assert set(first) == {200, 529}
    assert run() == first
