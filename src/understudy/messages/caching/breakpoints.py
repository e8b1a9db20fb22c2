"""The blocks of a prompt in the order of the cache, and the breakpoints among them.

A block is a tool, a block of `system`, or a block of a message; what is nested in one belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias, cast

from understudy.engines.catalog import Model
from understudy.messages.counting import MESSAGES, SYSTEM, TOOLS, Mark
from understudy.messages.counting.thinking import kept_thinking_from
from understudy.messages.counting.tools import in_prompt_order
from understudy.tokens.pace import Pace
from understudy.wire.json_text import to_json
from understudy.wire.known_bodies import KnownBody, Notes

Block: TypeAlias = dict[str, Any]

SECONDS: Final = {"5m": 300, "1h": 3600}
"""Lifetimes by `ttl`; a cache_control without one means the first."""

_THINKING: Final = frozenset({"thinking", "redacted_thinking"})
# Blocks that cannot have cache_control, so that the automatic breakpoint goes to one before them.
_NOT_CACHEABLE: Final = _THINKING | {"fallback", "mcp_tool_listing"}

# Pieces between looks at the clock.
_BETWEEN_LOOKS: Final = 256


class Piece(NamedTuple):
    """One block. `lead`: what stands between it and the one before, such as a change of role. `ttl`: seconds that an
    entry which ends here lives; 0 where no breakpoint is."""

    mark: Mark
    block: Block
    lead: str
    ttl: int


def has_breakpoints(request: Block) -> bool:
    """Whether a validated request asks for prompt caching at all."""
    if request.get("cache_control") is not None:
        return True
    system = request.get("system")
    if isinstance(system, list) and any(block.get("cache_control") for block in cast("list[Block]", system)):
        return True
    # From the end, where the breakpoint of a growing conversation stands.
    for message in reversed(request["messages"]):
        content = message.get("content")
        if content.__class__ is list:
            for block in content:
                if block.get("cache_control") or (block["type"] in _NESTING and nested_ttl(block)):
                    return True
    return any(tool.get("cache_control") for tool in request.get("tools") or ())


def nested_blocks(block: Block) -> list[Block]:
    """The blocks inside one that may have cache_control of their own."""
    if block["type"] == "document":
        block = block["source"]
        if block["type"] != "content":
            return []
    content = block.get("content")
    return cast("list[Block]", content) if isinstance(content, list) else []


_NESTING: Final = frozenset({"tool_result", "mcp_tool_result", "document", "search_result"})


def nested_ttl(block: Block) -> int:
    """The longest lifetime asked for inside `block`, and 0 for none.

    Sub-blocks "themselves cannot be cached directly. Instead, cache the top-level block" (prompt-caching.md), yet the
    service takes a cache_control on them. So one there counts for the top-level block [guess].
    """
    found = 0
    for inner in nested_blocks(block):
        cache_control = inner.get("cache_control")
        if cache_control:
            found = max(found, seconds(cache_control))
        if inner["type"] in _NESTING:
            found = max(found, nested_ttl(inner))
    return found


def seconds(cache_control: Block) -> int:
    return SECONDS[cache_control.get("ttl") or "5m"]


def _ttl(block: Block) -> int:
    cache_control = block.get("cache_control")
    ttl = seconds(cache_control) if cache_control else 0
    if block.get("type") in _NESTING:
        ttl = max(ttl, nested_ttl(block))
    return ttl


class _Begun(NamedTuple):
    """The pieces up to some message, all of which stay however the conversation goes on, and what goes on from them.
    `front`: how many of them stand before the messages."""

    model: Model
    pieces: tuple[Piece, ...]
    front: int
    role: str
    lead: str


_STAGE: Final = "read_pieces"


async def read_pieces(request: Block, model: Model, pace: Pace, known: KnownBody | None = None) -> list[Piece]:
    """All blocks that are in the prompt. The automatic breakpoint is set. `known`: the body that the request still
    is."""
    messages: list[Block] = request["messages"]
    notes = Notes(known, _STAGE, lambda _, begun: begun.model is model)
    first, begun = notes.first, cast("_Begun | None", notes.begun)
    if begun is None:
        pieces, role, lead = front_pieces(request), "", ""
        front = len(pieces)
    else:
        pieces, front, role, lead = [*begun.pieces], begun.front, begun.role, begun.lead
    kept_from: int | None = None
    # What was left out shows in the piece behind it.
    left_out = ""
    for place, message in enumerate(messages[first:] if first else messages, first):
        if place in notes.worth and (kept_from is None or model.keeps_thinking):
            notes.take(place, _Begun(model, tuple(pieces), front, role, lead))
        role, lead = message["role"], _lead(message, role, lead)
        for piece in _pieces_of(message, place, lead):
            lead = ""
            kind = piece.block["type"]
            if kind in _THINKING:
                # What a model no longer sees is not there: the conversation is "processed as if the thinking blocks
                # were never there" (thinking.md).
                if kept_from is None:
                    kept_from = kept_thinking_from(messages, model)
                if place < kept_from:
                    left_out += piece.lead
                    continue
            elif kind == "compaction" and piece.block.get("content") is not None:
                # It takes the place of all messages before it (compaction.md).
                del pieces[front:]
                piece = piece._replace(lead="compaction")
                left_out = ""
            if left_out:
                piece, left_out = piece._replace(lead=left_out + piece.lead), ""
            pieces.append(piece)
            if len(pieces) % _BETWEEN_LOOKS == 0 and pace.due():
                await pace.pause()
    _set_automatic(request, pieces)
    return pieces


def front_pieces(request: Block) -> list[Piece]:
    """The tools, in the order of the prompt, and the system prompt."""
    tools = in_prompt_order(request.get("tools") or [])
    pieces = [Piece(Mark(TOOLS, place), tool, "", _ttl(tool)) for place, tool in enumerate(tools)]
    return pieces + system_pieces(request)


def system_pieces(request: Block) -> list[Piece]:
    system = request.get("system")
    if isinstance(system, str):
        return [Piece(Mark(SYSTEM, 0), {"type": "text", "text": system}, "", 0)] if system else []
    return [Piece(Mark(SYSTEM, place), block, "", _ttl(block)) for place, block in enumerate(system or ())]


def message_pieces(messages: list[Block]) -> Iterator[Piece]:
    """The blocks of the conversation. Neighbouring messages of one role are one turn, so only its change shows."""
    role = lead = ""
    for place, message in enumerate(messages):
        role, lead = message["role"], _lead(message, role, lead)
        for piece in _pieces_of(message, place, lead):
            lead = ""
            yield piece


def _lead(message: Block, role: str, lead: str) -> str:
    """What stands before the first block of a message behind one of `role`, which had no block since `lead`."""
    if message["role"] != role:
        lead += f"{message['role']};"
    if len(message) > 2:
        more = {name: value for name, value in message.items() if name not in {"role", "content"} and value}
        if more:
            lead += to_json(more)
    return lead


def _pieces_of(message: Block, place: int, lead: str) -> Iterator[Piece]:
    content = message.get("content")
    if not content:
        return
    if content.__class__ is str:
        yield Piece(Mark(MESSAGES, place), {"type": "text", "text": content}, lead, 0)
        return
    for index, block in enumerate(content):
        yield Piece(Mark(MESSAGES, place, index), block, lead, _ttl(block))
        lead = ""


def _set_automatic(request: Block, pieces: list[Piece]) -> None:
    """The breakpoint of the top-level cache_control: on the last block that can have one and has none."""
    cache_control = request.get("cache_control")
    if not cache_control:
        return
    for ordinal in range(len(pieces) - 1, -1, -1):
        piece = pieces[ordinal]
        if _cacheable(piece, request["messages"]):
            if not piece.ttl:
                pieces[ordinal] = piece._replace(ttl=seconds(cache_control))
            return


def _cacheable(piece: Piece, messages: list[Block]) -> bool:
    kind = piece.block.get("type")
    if kind in _NOT_CACHEABLE or (kind == "text" and not piece.block["text"]):
        return False
    # A system message in the conversation takes no breakpoint by the documentation.
    return piece.mark.level != MESSAGES or messages[piece.mark.place]["role"] != "system"
