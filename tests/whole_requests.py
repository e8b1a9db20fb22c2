"""Hypothesis strategies for Messages requests of every kind: tools, thinking, documents, images, caching, schemas."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from generated import texts
from pictures import base64_of, gif, jpeg, pdf, png
from understudy.engines.catalog import public_models

ASKS = [
    "What's the weather in Paris and in Rome?",
    "What's the weather in Lisbon in celsius?",
    "Send an email to ada@example.com that says 'See you at noon'",
    "Remind me to water the plants on 2026-12-01",
    "Book a table for 4 in Vienna",
    "Read the file notes/todo.txt",
    "Take a screenshot",
    "Hello!",
    "Why is the sky blue? Think step by step.",
    "What does the document say about harbours?",
    "Write 80 words about rivers.",
    "Thanks, that is all.",
    "What is in the picture?",
]

_TOOLS: list[dict[str, Any]] = [
    {
        "name": "get_weather",
        "description": "Get the current weather in a given city",
        "input_schema": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
        },
    },
    {
        "name": "send_email",
        "description": "Send an email to a recipient",
        "strict": True,
        "input_schema": {
            "type": "object",
            "properties": {"to": {"type": "string", "format": "email"}, "body": {"type": "string"}},
            "required": ["to", "body"],
            "additionalProperties": False,
        },
    },
    {
        "name": "create_reminder",
        "description": "Create a reminder for a date",
        "input_schema": {
            "type": "object",
            "$defs": {"when": {"type": "object", "properties": {"date": {"type": "string", "format": "date"}}}},
            "properties": {"text": {"type": "string"}, "when": {"$ref": "#/$defs/when"}},
            "required": ["text", "when"],
        },
    },
    {
        "name": "book_table",
        "description": "Book a table in a restaurant",
        "eager_input_streaming": True,
        "input_schema": {
            "type": "object",
            "properties": {
                "guests": {"type": "integer", "minimum": 1, "maximum": 12},
                "place": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            },
            "required": ["guests", "tags"],
        },
    },
    {"name": "ping", "input_schema": {"type": "object"}},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
    {"type": "memory_20250818", "name": "memory"},
]
BY_NAME = {tool["name"]: tool for tool in _TOOLS}

_FORMAT = {
    "type": "json_schema",
    "schema": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "guests": {"type": "integer"},
            "mood": {"type": "string", "enum": ["good", "bad", "unknown"]},
            "words": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["city", "guests", "mood", "words"],
        "additionalProperties": False,
    },
}

_FACTS = "Harbours are places of arrivals. The sky is blue. Rivers run to the sea. Vienna lies on the Danube. " * 3

_MODELS = [model for model in public_models() if model.lifecycle == "active"]

cache_controls = st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "5m"}])
images = st.builds(
    lambda make, width, height: {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/" + make.__name__, "data": base64_of(make(width, height))},
    },
    st.sampled_from([png, jpeg, gif]),
    st.integers(1, 300),
    st.integers(1, 300),
)


@st.composite
def _documents(draw: st.DrawFn, *, cited: bool) -> dict[str, Any]:
    kind = draw(st.sampled_from(["text", "content", "pdf", "search_result"]))
    if kind == "search_result":
        block: dict[str, Any] = {
            "type": "search_result",
            "source": "https://example.com/harbours",
            "title": "Harbours",
            "content": [{"type": "text", "text": _FACTS}, {"type": "text", "text": draw(texts)}],
        }
    elif kind == "pdf":
        data = base64_of(pdf(draw(st.integers(1, 3))))
        block = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}
    elif kind == "content":
        parts = [{"type": "text", "text": _FACTS}, {"type": "text", "text": draw(texts)}]
        block = {"type": "document", "source": {"type": "content", "content": parts}, "title": draw(texts)}
    else:
        source = {"type": "text", "media_type": "text/plain", "data": _FACTS + draw(texts)}
        block = {"type": "document", "source": source}
    if cited:
        block["citations"] = {"enabled": True}
    return block


@st.composite
def rich_requests(draw: st.DrawFn) -> dict[str, Any]:
    """A valid first request of a conversation that may use everything a Message can hold."""
    model = draw(st.sampled_from(_MODELS))
    request: dict[str, Any] = {"model": model.id, "max_tokens": draw(st.sampled_from([1, 5, 30, 400, 4_000]))}
    formatted = bool(model.capabilities.structured_outputs) and draw(st.integers(0, 5)) == 0
    cited = not formatted and model.capabilities.citations and draw(st.booleans())
    ask: dict[str, Any] = {"type": "text", "text": draw(st.one_of(st.sampled_from(ASKS), texts))}
    content: list[dict[str, Any]] = draw(st.lists(_documents(cited=cited), max_size=2)) if draw(st.booleans()) else []
    if model.capabilities.image_input and draw(st.integers(0, 3)) == 0:
        content += draw(st.lists(images, min_size=1, max_size=2))
    content.append(ask)
    if draw(st.booleans()):
        content[draw(st.integers(0, len(content) - 1))]["cache_control"] = draw(cache_controls)
    request["messages"] = [{"role": "user", "content": content}]
    if draw(st.booleans()):
        request["system"] = [{"type": "text", "text": draw(texts) * 40, "cache_control": draw(cache_controls)}]
    thinking = _thinking(draw, model)
    if thinking is not None:
        request["thinking"] = thinking
        if thinking["type"] == "enabled":
            request["max_tokens"] = max(request["max_tokens"], 1_100)
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(sorted(BY_NAME)), min_size=1, max_size=6, unique=True))
        request["tools"] = [dict(BY_NAME[name]) for name in names]
        if draw(st.booleans()):
            request["tools"][-1]["cache_control"] = draw(cache_controls)
        if draw(st.booleans()):
            request["tool_choice"] = _tool_choice(draw, model, names, thinking)
    if formatted:
        request["output_config"] = {"format": _FORMAT}
    if draw(st.integers(0, 3)) == 0:
        request["stop_sequences"] = draw(st.lists(st.sampled_from([" the", "!", "says", "é"]), max_size=2))
    return request


def _thinking(draw: st.DrawFn, model: Any) -> dict[str, Any] | None:
    kinds = [kind for kind in model.capabilities.thinking if kind != "between_tools"]
    kind = draw(st.sampled_from([None, *kinds]))
    if kind is None:
        return None
    thinking: dict[str, Any] = {"type": kind}
    if kind == "enabled":
        thinking["budget_tokens"] = 1_024
    if kind != "disabled" and draw(st.booleans()):
        thinking["display"] = draw(st.sampled_from(["summarized", "omitted"]))
    return thinking


def _tool_choice(draw: st.DrawFn, model: Any, names: list[str], thinking: dict[str, Any] | None) -> dict[str, Any]:
    kinds = ["auto", "none"]
    if model.forced_tool_choice and (thinking is None or thinking["type"] != "enabled"):
        kinds += ["any", "tool"]
    choice: dict[str, Any] = {"type": draw(st.sampled_from(kinds))}
    if choice["type"] == "tool":
        choice["name"] = draw(st.sampled_from(names))
    if choice["type"] != "none" and draw(st.booleans()):
        choice["disable_parallel_tool_use"] = True
    return choice
