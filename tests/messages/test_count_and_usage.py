"""What count_tokens says of a request is what usage says when it is sent."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asgi import ORGANIZATION, SIGNING_KEYS, InProcess
from every_block import text
from generated import NEW_MODELS, OLD_MODELS, in_process, texts
from pictures import base64_of, pdf
from understudy.engines.catalog import Catalog
from understudy.messages.signatures import Seals, Signer
from whole_requests import images

catalog = Catalog()
tool_names = st.sampled_from(["get_weather", "search", "run"])
documents = st.one_of(
    st.builds(
        lambda pages: {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": base64_of(pdf(pages))},
        },
        st.integers(1, 5),
    ),
    st.builds(
        lambda data, title: {
            "type": "document",
            "title": title,
            "source": {"type": "text", "media_type": "text/plain", "data": data},
        },
        texts,
        texts,
    ),
)
user_blocks = st.one_of(st.builds(text, texts), images, documents)
inputs = st.dictionaries(
    st.sampled_from(["city", "query", "limit"]),
    st.one_of(texts, st.integers(-9, 9), st.lists(texts, max_size=3)),
    max_size=3,
)


@st.composite
def rich_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Valid Messages requests with tools, pictures, documents, tool loops and thinking."""
    model = draw(st.sampled_from(OLD_MODELS[:2] + NEW_MODELS))
    names = draw(st.lists(tool_names, min_size=1, max_size=3, unique=True))
    thinks = model in OLD_MODELS and draw(st.booleans())
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": 1_200,
        "tools": [
            {"name": name, "description": draw(texts), "input_schema": {"type": "object", "properties": {}}}
            for name in names
        ],
        "messages": [{"role": "user", "content": draw(st.lists(user_blocks, min_size=1, max_size=3))}],
    }
    if thinks:
        request["thinking"] = {"type": "enabled", "budget_tokens": 1_024}
    elif draw(st.booleans()):
        request["tool_choice"] = {"type": draw(st.sampled_from(["auto", "none"]))}
    if draw(st.booleans()):
        request["system"] = draw(texts)
    for turn in range(draw(st.integers(0, 3))):
        called: list[dict[str, Any]] = []
        answered: list[dict[str, Any]] = []
        for place in range(draw(st.integers(1, 3))):
            identity = {"id": f"toolu_{turn}_{place}", "name": draw(st.sampled_from(names))}
            called.append({"type": "tool_use", **identity, "input": draw(inputs)})
            result = draw(st.one_of(texts, st.lists(user_blocks, min_size=1, max_size=2)))
            answered.append({"type": "tool_result", "tool_use_id": identity["id"], "content": result})
        if thinks:
            thought = draw(texts)
            known = catalog.find(model)
            assert known is not None
            signature = Seals(Signer(SIGNING_KEYS), known, ORGANIZATION, request).sign(thought, thought)
            called.insert(0, {"type": "thinking", "thinking": thought, "signature": signature})
        if draw(st.booleans()):
            answered.append(draw(user_blocks))
        request["messages"] += [{"role": "assistant", "content": called}, {"role": "user", "content": answered}]
    return request


@cache
def in_process_server() -> InProcess:
    return InProcess()


@in_process
@given(rich_requests())
async def test_count_tokens_says_what_usage_says(request_body: dict[str, Any]) -> None:
    server = in_process_server()
    counted = await server.post(
        {name: value for name, value in request_body.items() if name != "max_tokens"}, "/v1/messages/count_tokens"
    )
    answered = await server.post(request_body)
    assert (counted.status, answered.status) == (200, 200), (counted.body, answered.body)
    usage = answered.json()["usage"]
    parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert counted.json()["input_tokens"] == sum(usage[part] for part in parts) > 0
