"""The official Python SDK with documents, pictures, citations, prompt caching and counting, over a real socket."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message, MessageParam, ToolParam, Usage

from documents.pdf_files import words
from pictures import base64_of, png

pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")

MODEL = "claude-sonnet-4-5"
TOWER = "The tower was built in 1889. It is 330 metres high. It stands in Paris."
TOOLS: list[ToolParam] = [
    {
        "name": "look_up",
        "description": "Look up an entry.",
        "input_schema": {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]},
    }
]


def document(source: dict[str, Any], **more: Any) -> list[Any]:
    return [
        {
            "role": "user",
            "content": [
                {"type": "document", "source": source, **more},
                {"type": "text", "text": "How high is the tower?"},
            ],
        }
    ]


def plain_text() -> dict[str, Any]:
    return {"type": "text", "media_type": "text/plain", "data": TOWER}


def pdf(*pages: str) -> dict[str, Any]:
    return {"type": "base64", "media_type": "application/pdf", "data": base64_of(words(*pages))}


def citations_of(message: Message) -> list[Any]:
    blocks = [block for block in message.content if block.type == "text"]
    return [citation for block in blocks for citation in block.citations or ()]


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("stream", [False, True])
def test_citations_give_the_place_of_their_words(client: Anthropic, stream: bool) -> None:
    messages = document(plain_text(), title="Tower", citations={"enabled": True})
    if stream:
        with client.messages.stream(model=MODEL, max_tokens=1024, messages=messages) as events:
            streamed = [event.citation for event in events if event.type == "citation"]
            message = events.get_final_message()
        assert streamed == citations_of(message)
    else:
        message = client.messages.create(model=MODEL, max_tokens=1024, messages=messages)
    citations = citations_of(message)
    assert any("330 metres" in citation.cited_text for citation in citations)
    for citation in citations:
        assert (citation.type, citation.document_index, citation.document_title) == ("char_location", 0, "Tower")
        assert TOWER[citation.start_char_index : citation.end_char_index] == citation.cited_text


def test_citations_of_a_pdf_give_pages(client: Anthropic) -> None:
    source = pdf("A page about bridges.", "The tower is 330 metres high.")
    message = client.messages.create(
        model=MODEL, max_tokens=1024, messages=document(source, citations={"enabled": True})
    )
    citations = [citation for citation in citations_of(message) if "330" in citation.cited_text]
    assert citations
    for citation in citations:
        assert (citation.type, citation.start_page_number, citation.end_page_number) == ("page_location", 2, 3)


def test_a_pdf_is_read(client: Anthropic) -> None:
    message = client.messages.create(
        model=MODEL, max_tokens=1024, messages=document(pdf("The tower is 330 metres high."))
    )
    assert message.stop_reason == "end_turn"
    assert "330" in text_of(message)


def test_a_picture_costs_tokens_by_its_size(client: Anthropic) -> None:
    def tokens(width: int, height: int) -> int:
        picture: Any = {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": base64_of(png(width, height))},
        }
        messages: list[MessageParam] = [{"role": "user", "content": [picture, {"type": "text", "text": "Describe it"}]}]
        message = client.messages.create(model=MODEL, max_tokens=256, messages=messages)
        assert text_of(message).strip()
        return message.usage.input_tokens

    assert 500 < tokens(800, 800) - tokens(100, 100) < 2_000


def cached_params(text: str) -> dict[str, Any]:
    return {
        "model": MODEL,
        "max_tokens": 64,
        "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "Good morning"}],
    }


def long_text() -> str:
    """Some thousand tokens that no other test has cached."""
    return f"Your number is {secrets.token_hex(8)}. " + "You keep the records of a small library. " * 300


def whole_input(usage: Usage) -> int:
    return usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_second_call_reads_what_the_first_wrote_to_the_cache(client: Anthropic, stream: bool) -> None:
    params = cached_params(long_text())

    def usage() -> Usage:
        if not stream:
            return client.messages.create(**params).usage
        with client.messages.stream(**params) as events:
            return events.get_final_message().usage

    first, second = usage(), usage()
    assert first.cache_read_input_tokens == 0
    assert first.cache_creation_input_tokens is not None
    assert first.cache_creation_input_tokens > 2_000
    assert first.cache_creation is not None
    assert first.cache_creation.ephemeral_5m_input_tokens == first.cache_creation_input_tokens
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert second.cache_creation_input_tokens == 0
    assert first.input_tokens == second.input_tokens


def test_an_hour_of_cache_is_written_as_such(client: Anthropic) -> None:
    params = cached_params(long_text())
    params["system"][0]["cache_control"]["ttl"] = "1h"
    usage = client.messages.create(**params).usage
    assert usage.cache_creation is not None
    assert usage.cache_creation.ephemeral_1h_input_tokens == usage.cache_creation_input_tokens
    assert usage.cache_creation.ephemeral_5m_input_tokens == 0


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([{"role": "user", "content": "Hello, who are you?"}], id="text"),
        pytest.param(document(plain_text(), citations={"enabled": True}), id="citations"),
        pytest.param(document(pdf("One page.", "Another page.")), id="pdf"),
    ],
)
@pytest.mark.parametrize("thinking", [False, True])
def test_count_tokens_is_what_the_message_costs(client: Anthropic, messages: Any, thinking: bool) -> None:
    shared: dict[str, Any] = {"model": MODEL, "tools": TOOLS, "system": "Be brief.", "messages": messages}
    if thinking:
        shared["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    counted = client.messages.count_tokens(**shared)
    assert counted.input_tokens == whole_input(client.messages.create(max_tokens=2048, **shared).usage)


async def test_async_count_tokens_counts_a_cached_prompt_whole(async_client: AsyncAnthropic) -> None:
    params = cached_params(long_text())
    counted = await async_client.messages.count_tokens(**{k: v for k, v in params.items() if k != "max_tokens"})
    for _ in range(2):
        message = await async_client.messages.create(**params)
        assert whole_input(message.usage) == counted.input_tokens
