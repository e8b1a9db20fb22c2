"""Requests with cache breakpoints, and a prompt cache whose clock stands still until it is moved."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from hypothesis import strategies as st

from every_block import IMAGE, text
from understudy.engines.catalog import Catalog, Model
from understudy.messages.caching import CacheTurn, CacheUse, MemoryLedger, PromptCache
from understudy.messages.counting import count_prompt
from understudy.tokens.pace import Pace

Block: TypeAlias = dict[str, Any]

CATALOG = Catalog()
MODEL_ID = "claude-sonnet-5"


class Unpaced(Pace):
    """Never pauses, so it need not be ended."""

    def due(self) -> bool:
        return False


def model_of(name: str = MODEL_ID, *, minimum: int | None = 1) -> Model:
    """A model of the catalog that caches prefixes of any length, or of `minimum`; None leaves its own."""
    model = CATALOG.find(name)
    assert model is not None
    return model if minimum is None else replace(model, min_cacheable_tokens=minimum)


def marked(block: Block, ttl: str | None = None) -> Block:
    return {**block, "cache_control": {"type": "ephemeral"} if ttl is None else {"type": "ephemeral", "ttl": ttl}}


def tool(name: str, description: str = "what it does") -> Block:
    return {"name": name, "description": description, "input_schema": {"type": "object", "properties": {}}}


def asking(*blocks: Block | str, **fields: Any) -> Block:
    """A request of one user message."""
    content = [text(block) if isinstance(block, str) else block for block in blocks]
    return {"model": MODEL_ID, "max_tokens": 9, "messages": [{"role": "user", "content": content}], **fields}


@dataclass
class Caching:
    """A prompt cache in which every answer begins at once."""

    now: float = 1_000.0
    model: Model = field(default_factory=model_of)
    workspace: str = "wrkspc_a"
    messages: int = 0

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(lambda: self.now)
        self.cache = PromptCache(self.ledger, lambda: self.now)

    async def turn(self, request: Block, workspace: str | None = None, betas: tuple[str, ...] = ()) -> CacheTurn:
        turn = await self.cache.begin(request, self.model, workspace or self.workspace, betas=betas)
        self.messages += 1
        await turn.started(f"msg_{self.messages}")
        return turn

    async def send(self, request: Block, workspace: str | None = None) -> CacheUse:
        """What a request used, whose parts always add up to all tokens of its prompt."""
        use = (await self.turn(request, workspace)).use
        parts = (
            use.input_tokens,
            use.cache_read_input_tokens,
            use.ephemeral_5m_input_tokens,
            use.ephemeral_1h_input_tokens,
        )
        assert min(parts) >= 0
        assert sum(parts) == await count_prompt(request, self.model)
        return use


words = st.sampled_from(["alpha", "beta gamma", "delta, epsilon", "naïve 😀", "def f(x): return x", "x" * 300])
texts = st.lists(words, min_size=1, max_size=4).map(" ".join)


@st.composite
def conversations(draw: st.DrawFn) -> list[Block]:
    """Turns of tool use, with thinking, pictures and documents; the last may be a question."""
    messages: list[Block] = [{"role": "user", "content": draw(st.lists(texts.map(text), min_size=1, max_size=3))}]
    for turn in range(draw(st.integers(0, 3))):
        identity = f"toolu_{turn}"
        said: list[Block] = [{"type": "tool_use", "id": identity, "name": "f", "input": {"q": draw(texts)}}]
        if draw(st.booleans()):
            said.insert(0, text(draw(texts)))
        if draw(st.booleans()):
            said.insert(0, {"type": "thinking", "thinking": draw(texts), "signature": "c2ln"})
        inner = draw(
            st.one_of(
                texts,
                st.lists(texts.map(text), min_size=1, max_size=2),
                st.just([text("seen"), {"type": "image", "source": IMAGE}]),
            )
        )
        heard: list[Block] = [{"type": "tool_result", "tool_use_id": identity, "content": inner}]
        if draw(st.booleans()):
            heard.append(text(draw(texts)))
        if draw(st.booleans()):
            source = {"type": "text", "media_type": "text/plain", "data": draw(texts)}
            heard.append({"type": "document", "source": source, "citations": {"enabled": draw(st.booleans())}})
        messages += [{"role": "assistant", "content": said}, {"role": "user", "content": heard}]
    return messages


def places(request: Block) -> list[Block]:
    """All blocks that can have a breakpoint, in the order of the prompt."""
    blocks = [*request.get("tools", []), *request.get("system", [])]
    for message in request["messages"]:
        blocks += [block for block in message["content"] if block["type"] != "thinking"]
    return blocks


@st.composite
def plain_requests(draw: st.DrawFn) -> Block:
    request: Block = {
        "model": draw(st.sampled_from([MODEL_ID, "claude-sonnet-4-5", "claude-opus-4-6"])),
        "max_tokens": 9,
        "tools": [tool(name, draw(texts)) for name in ["f", "g", "h"][: draw(st.integers(1, 3))]],
        "messages": draw(conversations()),
    }
    system = draw(st.lists(texts.map(text), max_size=3))
    if system:
        request["system"] = system
    if draw(st.booleans()):
        request["tool_choice"] = {"type": draw(st.sampled_from(["auto", "none", "any"]))}
    return request


@st.composite
def cached_requests(draw: st.DrawFn) -> Block:
    """With one to four breakpoints, the longer-lived ones first, and sometimes the automatic one."""
    request = copy.deepcopy(draw(plain_requests()))
    blocks = places(request)
    chosen = sorted(draw(st.sets(st.integers(0, len(blocks) - 1), min_size=1, max_size=3)))
    hours = draw(st.integers(0, len(chosen)))
    for number, place in enumerate(chosen):
        ttl = "1h" if number < hours else draw(st.sampled_from([None, "5m"]))
        blocks[place].update(marked({}, ttl))
    if draw(st.booleans()):
        request["cache_control"] = {"type": "ephemeral"}
    return request


def breakpoints(request: Block) -> list[int]:
    return [place for place, block in enumerate(places(request)) if "cache_control" in block]
