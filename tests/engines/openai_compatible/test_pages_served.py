"""A PDF from the official SDK through a whole server to a model that sees, and to one that does not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import anthropic

from engines.openai_compatible.test_pages import WORDS_ON_COLOURS, outline
from fake_openai import Json, Reply, chunk, fake_openai, stream, usage
from pictures import base64_of
from servers import ServerStarter

CONFIGURED = """
[engines.seeing]
kind = "openai"
base_url = "{url}"
dialect = "vllm"
options = {{ vision = true }}

[engines.blind]
kind = "openai"
base_url = "{url}"
dialect = "vllm"

[[models.map]]
name = "my-seeing"
targets = [{{ engine = "seeing", model = "seeing" }}]

[[models.map]]
name = "my-blind"
targets = [{{ engine = "blind", model = "blind" }}]
"""


def upstream(body: Json) -> Reply:
    """Counts as vLLM does: a thousand for an image here, and one for a character."""
    (message,) = body["messages"]
    parts: str | list[Any] = message["content"]
    tokens = len(parts) if isinstance(parts, str) else sum(len(part.get("text", "i" * 1000)) for part in parts)
    if "stream" not in body:
        return Reply([json.dumps({"count": tokens}).encode()], content_type="application/json")
    return stream(chunk({"content": "Fine."}, usage=usage(tokens, 1)), chunk({}, "stop", usage=usage(tokens, 2)))


async def test_a_pdf_reaches_each_model_as_it_can_take_it_and_is_counted_as_it_is_read(
    serve: ServerStarter, tmp_path: Path
) -> None:
    source: anthropic.types.Base64PDFSourceParam = {
        "type": "base64",
        "media_type": "application/pdf",
        "data": base64_of(WORDS_ON_COLOURS),
    }
    messages: list[anthropic.types.MessageParam] = [
        {"role": "user", "content": [{"type": "document", "source": source}, {"type": "text", "text": "So?"}]}
    ]
    tokens: dict[str, int] = {}
    async with fake_openai(script=upstream) as fake:
        path = tmp_path / "understudy.toml"
        path.write_text(CONFIGURED.format(url=fake.url), "utf-8")
        server = await asyncio.to_thread(serve, "--config", str(path))
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key=server.api_key, max_retries=0) as client:
            for name in ("my-seeing", "my-blind"):
                counted = await client.messages.count_tokens(model=name, messages=messages)
                async with client.messages.stream(model=name, max_tokens=9, messages=messages) as events:
                    answer = await events.get_final_message()
                assert answer.usage.input_tokens == counted.input_tokens
                tokens[name] = counted.input_tokens
    said = {body["model"]: outline(body["messages"][0]) for body in fake.bodies if body.get("stream")}
    assert [part for part in said["seeing"] if part in {"red", "blue"}] == ["red", "blue"]
    assert len(said["blind"]) == 1
    assert "second words" in said["blind"][0]
    assert tokens["my-seeing"] > tokens["my-blind"] + 1900
