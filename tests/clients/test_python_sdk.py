"""The official Python SDK (API version 2026-10-21, Bearer) over a real socket."""

from __future__ import annotations

import time
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message, MessageParam, RawMessageStreamEvent

from servers import ServerStarter

# The SDK warns of the model's end of life in the real service; here it goes on.
pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")

MODEL = "claude-sonnet-4-5"
HELLO: list[MessageParam] = [{"role": "user", "content": "Hello, who are you?"}]
MEGABYTE = 1024 * 1024


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def check_message(message: Message, model: str = MODEL) -> None:
    assert message.id.startswith("msg_")
    assert (message.type, message.role) == ("message", "assistant")
    assert message.model.startswith(model)
    assert message.stop_reason == "end_turn"
    assert message.stop_sequence is None
    assert text_of(message).strip()
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0


def check_grammar(types: list[str]) -> None:
    """The order of one text answer's events; pings may stand anywhere after the start."""
    assert types[:2] == ["message_start", "content_block_start"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(types[2:-3]) == {"content_block_delta"}


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-5-5"])
def test_create_answers_with_a_message(client: Anthropic, model: str) -> None:
    message = client.messages.create(model=model, max_tokens=1024, messages=HELLO)
    check_message(message, model)
    assert message._request_id is not None
    assert message._request_id.startswith("req_")


async def test_async_create_answers_with_a_message(async_client: AsyncAnthropic) -> None:
    message = await async_client.messages.create(model=MODEL, max_tokens=1024, messages=HELLO)
    check_message(message)
    assert (message._request_id or "").startswith("req_")


def test_system_and_block_content_are_accepted(client: Anthropic) -> None:
    message = client.messages.create(
        model=MODEL,
        max_tokens=1024,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        metadata={"user_id": "user-1"},
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]},
            {"role": "assistant", "content": "Three"},
            {"role": "user", "content": "Four"},
        ],
    )
    check_message(message)


def test_raw_stream_follows_the_grammar_and_gives_the_same_text_as_the_whole(client: Anthropic) -> None:
    whole = client.messages.create(model=MODEL, max_tokens=1024, messages=HELLO)
    events: list[RawMessageStreamEvent] = list(
        client.messages.create(model=MODEL, max_tokens=1024, messages=HELLO, stream=True)
    )
    check_grammar([event.type for event in events])
    text = "".join(
        event.delta.text for event in events if event.type == "content_block_delta" and event.delta.type == "text_delta"
    )
    assert text == text_of(whole)


async def test_async_raw_stream_follows_the_grammar(async_client: AsyncAnthropic) -> None:
    stream = await async_client.messages.create(model=MODEL, max_tokens=1024, messages=HELLO, stream=True)
    check_grammar([event.type async for event in stream])


def test_stream_helper_gathers_the_message(client: Anthropic) -> None:
    with client.messages.stream(model=MODEL, max_tokens=1024, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    check_message(final)
    assert text == text_of(final)
    assert (stream.request_id or "").startswith("req_")


async def test_async_stream_helper_gathers_the_message(async_client: AsyncAnthropic) -> None:
    async with async_client.messages.stream(model=MODEL, max_tokens=1024, messages=HELLO) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    check_message(final)
    assert text == text_of(final)


def test_raw_response_shows_the_headers(client: Anthropic) -> None:
    raw = client.messages.with_raw_response.create(model=MODEL, max_tokens=1024, messages=HELLO)
    assert raw.status_code == 200
    assert raw.headers["content-type"] == "application/json"
    assert raw.headers["request-id"].startswith("req_")
    assert len(raw.headers["anthropic-organization-id"]) == 36
    check_message(raw.parse())


def test_request_ids_are_all_different(client: Anthropic) -> None:
    ids = {client.messages.create(model=MODEL, max_tokens=16, messages=HELLO)._request_id for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("stream", [False, True])
def test_max_tokens_cuts_the_answer(client: Anthropic, stream: bool) -> None:
    message = ask(client, stream, max_tokens=3)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 3


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_sequence_ends_the_answer_and_is_left_out(client: Anthropic, stream: bool) -> None:
    # The answer depends on the whole request, so the sequence must be one that any answer holds.
    message = ask(client, stream, max_tokens=1024, stop_sequences=["e"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "e")
    assert "e" not in text_of(message)


def ask(client: Anthropic, stream: bool, **params: Any) -> Message:
    if not stream:
        return client.messages.create(model=MODEL, messages=HELLO, **params)
    with client.messages.stream(model=MODEL, messages=HELLO, **params) as events:
        return events.get_final_message()


def test_a_missing_message_is_a_bad_request(client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model=MODEL, max_tokens=16, messages=[])
    check_error(caught.value, "invalid_request_error")


def test_an_unknown_field_is_a_bad_request_that_names_it(client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="not_a_field: Extra inputs are not permitted") as caught:
        client.messages.create(model=MODEL, max_tokens=16, messages=HELLO, extra_body={"not_a_field": 1})
    check_error(caught.value, "invalid_request_error")


def test_temperature_is_a_bad_request_in_the_current_version(client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="temperature: Extra inputs are not permitted"):
        client.messages.create(model=MODEL, max_tokens=16, messages=HELLO, extra_body={"temperature": 1.0})


def test_a_wrong_key_is_an_authentication_error(client: Anthropic) -> None:
    with pytest.raises(anthropic.AuthenticationError) as caught:
        client.with_options(api_key="not-a-key").messages.create(model=MODEL, max_tokens=16, messages=HELLO)
    check_error(caught.value, "authentication_error")


def test_an_unknown_model_is_not_found(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: no-such-model") as caught:
        client.messages.create(model="no-such-model", max_tokens=16, messages=HELLO)
    check_error(caught.value, "not_found_error")


def test_an_unknown_model_is_not_found_before_a_stream_begins(client: Anthropic) -> None:
    with (
        pytest.raises(anthropic.NotFoundError),
        client.messages.stream(model="no-such-model", max_tokens=16, messages=HELLO) as stream,
    ):
        stream.until_done()


def test_an_unknown_route_is_not_found(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.get("/v1/no-such-route", cast_to=object)
    check_error(caught.value, "not_found_error")


def test_a_body_over_32_megabytes_is_too_large(client: Anthropic) -> None:
    with pytest.raises(anthropic.ContentTooLargeError) as caught:
        client.messages.create(
            model=MODEL, max_tokens=16, messages=[{"role": "user", "content": "x" * (33 * MEGABYTE)}]
        )
    assert caught.value.request_id is not None
    assert caught.value.body is not None
    check_message(client.messages.create(model=MODEL, max_tokens=1024, messages=HELLO))


def check_error(error: anthropic.APIStatusError, error_type: str) -> None:
    assert error.type == error_type
    assert isinstance(error.body, dict)
    assert error.body["type"] == "error"
    assert error.body["request_id"] == error.request_id == error.response.headers["request-id"]


def test_a_stream_closed_half_way_leaves_the_server_well(client: Anthropic) -> None:
    for _ in range(5):
        with client.messages.create(model=MODEL, max_tokens=1024, messages=HELLO, stream=True) as stream:
            assert next(iter(stream)).type == "message_start"
    check_message(client.messages.create(model=MODEL, max_tokens=1024, messages=HELLO))


def test_a_stream_closed_half_way_stops_the_engine(serve: ServerStarter) -> None:
    # At two tokens a second the answer would take minutes; a server with no work left stops at once.
    slow = serve(env={"UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "2"})
    story: list[MessageParam] = [{"role": "user", "content": "Write a story of 500 words."}]
    with (
        Anthropic(base_url=slow.url, api_key=slow.api_key, max_retries=0, timeout=60) as client,
        client.messages.create(model=MODEL, max_tokens=2048, messages=story, stream=True) as stream,
    ):
        types = [event.type for event, _ in zip(stream, range(3), strict=False)]
        assert types == ["message_start", "content_block_start", "content_block_delta"]
    began = time.monotonic()
    assert slow.stop() == 0
    assert time.monotonic() - began < 5


def test_the_models_page_by_page_are_all_models(client: Anthropic) -> None:
    """The SDK turns the pages itself, `after_id` by `after_id`."""
    page = client.models.list(limit=4)
    assert (len(page.data), page.has_more, page.first_id, page.last_id) == (4, True, page.data[0].id, page.data[3].id)
    ids = [model.id for model in page]
    assert ids == [model.id for model in client.models.list(limit=1000)]
    assert len(ids) == len(set(ids)) > 16
    backward = client.models.list(limit=4, before_id=ids[-1])
    assert [model.id for model in backward.data] == ids[-5:-1]
    assert sorted([*(model.id for model in backward), ids[-1]]) == sorted(ids)


async def test_the_models_are_listed_asynchronously(async_client: AsyncAnthropic) -> None:
    retired = [model async for model in async_client.models.list(limit=3, lifecycle=["retired"])]
    assert {model.lifecycle for model in retired} == {"retired"}
    assert "claude-3-haiku-20240307" in {model.id for model in retired}


def test_a_model_is_retrieved_by_its_alias(client: Anthropic) -> None:
    model = client.models.retrieve("claude-haiku-4-5")
    assert (model.id, model.type, model.lifecycle, model.line) == (
        "claude-haiku-4-5-20251001",
        "model",
        "active",
        "haiku",
    )
    assert model.created_at.year == 2025
    assert model.capabilities is not None
    assert (model.capabilities.thinking.types.enabled.supported, model.capabilities.effort.supported) == (True, False)
    assert model.capabilities.server_tools.web_search.supported


def test_a_model_of_the_beta_resource_names_its_fallbacks(client: Anthropic) -> None:
    model = client.beta.models.retrieve("claude-opus-5", betas=["server-side-fallback-2026-07-01"])
    assert model.allowed_fallback_models == ["claude-opus-4-8"]
    assert model.id in [listed.id for listed in client.beta.models.list(limit=5)]


def test_a_model_that_does_not_exist_is_not_found(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: no-such-model") as caught:
        client.models.retrieve("no-such-model")
    check_error(caught.value, "not_found_error")
    with pytest.raises(anthropic.BadRequestError, match="limit: Input should be less than or equal to 1000"):
        client.models.list(limit=1001)
