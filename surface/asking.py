"""Which blocks, deltas and events answers really hold: asked of a running server, not read from its types.

Each capability that is built adds the requests that bring its parts out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from surface.compare import Gap
from surface.official import Sdk
from surface.shapes import Shape, members_of

_MODEL = {"model": "claude-sonnet-5-5", "max_tokens": 4096}
_WEATHER = {
    "name": "get_weather",
    "description": "Get the current weather in a given location",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}
_DOCUMENT = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "The grass is green. The sky is blue."},
    "citations": {"enabled": True},
}

# Documented for tests of redacted thinking.
_REDACTED = (
    "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"
)
# Documented for tests of refusals. Put together here, as in the simulator.
_REFUSED = "ANTHROPIC_MAGIC_STRING_TRIGGER_" + (
    "REFUSAL_1FAEFB6177B4672DEE07F9D3AFC62588CCD2631EDCF22E8CCC1FB35B501C9C86"
)

_ADVISOR = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5"}

BETAS = "server-side-fallback-2026-07-01,advisor-tool-2026-03-01"
"""`anthropic-beta` of all requests."""


def _asks(text: str, *before: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    content = [*before, {"type": "text", "text": text}]
    return {**_MODEL, "messages": [{"role": "user", "content": content}], **more}


REQUESTS: tuple[dict[str, Any], ...] = (
    _asks("Hello"),
    _asks("What is the weather in Paris?", tools=[_WEATHER]),
    _asks("What is 17 times 23? Think about it.", thinking={"type": "adaptive", "display": "summarized"}),
    _asks("What colour is the grass?", _DOCUMENT),
    _asks(_REDACTED, thinking={"type": "adaptive"}),
    _asks(_REFUSED, model="claude-opus-5-5", fallbacks="default"),
    _asks("What is 2+2? Consult the advisor first.", tools=[_ADVISOR]),
)


def parts(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What the events of a stream are: `event message_start`, `block text`, `delta text_delta`."""
    for event in events:
        yield f"event {event['type']}"
        if event["type"] == "content_block_start":
            yield f"block {event['content_block']['type']}"
        elif event["type"] == "content_block_delta":
            yield f"delta {event['delta']['type']}"


def all_parts(sdk: Sdk) -> list[str]:
    """Every part that the SDK knows of a stream, beta's included."""
    (stream,) = [
        member["stream"]
        for member in members_of(sdk.method("beta.messages.create").answer)
        if isinstance(member, dict) and "stream" in member
    ]

    def tags(kind: str, shape: Shape) -> list[str]:
        names = [member["object"] for member in members_of(shape) if isinstance(member, dict) and "object" in member]
        shapes = [sdk.objects[name]["type"]["shape"] for name in names]
        return [f"{kind} {one['value']}" for shape in shapes for one in members_of(shape) if isinstance(one, dict)]

    inner = {
        kind: sdk.objects[f"beta.BetaRawContentBlock{event}Event"][field]["shape"]
        for kind, event, field in (("block", "Start", "content_block"), ("delta", "Delta", "delta"))
    }
    return [*tags("event", stream), *tags("block", inner["block"]), *tags("delta", inner["delta"])]


def unsent(sdk: Sdk, seen: Iterable[str]) -> list[Gap]:
    """The parts that no answer had."""
    return [Gap("unsent", part) for part in sorted(set(all_parts(sdk)) - set(seen))]
