"""Hashes of prefixes: what is the same prompt so far has the same key, and nothing else has.

A breakpoint itself is not hashed, nor where one message of a role ends and the next of it begins. The order of keys in
what a client wrote freely (a tool's input, a schema) is: the service sees other bytes then (prompt-caching.md,
troubleshooting), and our token counts do too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Protocol, cast

from understudy.messages.caching.breakpoints import Block, Piece, nested_blocks
from understudy.messages.counting import MESSAGES, TOOLS
from understudy.tokens.pace import Pace
from understudy.tokens.tokenizer import PIECE
from understudy.wire.json_text import to_json
from understudy.wire.known_bodies import KnownBody, Notes

KEY_BYTES: Final = 20

WORKSPACE_BYTES: Final = 8
"""Bytes at the front of every key of the ledger that are its workspace's, so that what belongs together can be kept
together."""

# Pieces between looks at the clock.
_BETWEEN_LOOKS: Final = 16


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def copy(self) -> Hash: ...

    def digest(self) -> bytes: ...


def new_hash() -> blake2b:
    return blake2b(digest_size=KEY_BYTES, person=b"understudy/cache")


def digest(value: Any) -> bytes:
    """Of a small JSON value."""
    return blake2b(to_json(value).encode(), digest_size=KEY_BYTES).digest()


def workspace_front(workspace_id: str) -> bytes:
    return digest(workspace_id)[:WORKSPACE_BYTES]


class _Begun(NamedTuple):
    """The first pieces as they were hashed, of which `last` is the last one, and the keys of some of them."""

    salts: tuple[bytes, ...]
    pieces: int
    last: Block
    running: Hash
    keys: dict[int, bytes]


_STAGE: Final = "prefix_keys"


async def prefix_keys(
    pieces: Sequence[Piece],
    ordinals: Collection[int],
    salts: Sequence[bytes],
    pace: Pace,
    front: bytes,
    known: KnownBody | None = None,
) -> dict[int, bytes]:
    """The keys of the prefixes that end with the pieces at `ordinals`, each with `front` before it. `salts`: what else
    the tools', the system's and the messages' part of the cache hang on. `known`: the body of the pieces."""
    salted = (front, *salts)

    def serves(_: int, begun: _Begun) -> bool:
        if begun.salts != salted or begun.pieces > len(pieces):
            return False
        # A summary takes pieces away that were before it.
        same = pieces[begun.pieces - 1].block is begun.last
        return same and all(ordinal >= begun.pieces or ordinal in begun.keys for ordinal in ordinals)

    notes = Notes(known, _STAGE, serves)
    begun: _Begun | None = notes.begun
    first, running, keys = 0, cast("Hash", new_hash()), dict[int, bytes]()
    if begun is not None:
        first, running, keys = begun.pieces, begun.running.copy(), begun.keys.copy()
    starts = _starts(pieces, notes.worth) if notes.worth else {}
    for ordinal in range(first, max(ordinals, default=-1) + 1):
        piece = pieces[ordinal]
        if ordinal and ordinal in starts:
            seen = _Begun(salted, ordinal, pieces[ordinal - 1].block, running.copy(), keys.copy())
            notes.take(starts[ordinal], seen)
        parts = parts_of(piece)
        if sum(map(len, parts)) <= PIECE:
            running.update(framed(parts).encode())
        else:
            await feed(running, parts, pace)
        if ordinal in ordinals:
            ending = running.copy()
            ending.update(salts[piece.mark.level])
            keys[ordinal] = front + ending.digest()
        if ordinal % _BETWEEN_LOOKS == 0 and pace.due():
            await pace.pause()
    return keys


def _starts(pieces: Sequence[Piece], messages: Collection[int]) -> dict[int, int]:
    """Which of `messages` begin, by the ordinal of their first piece; those without any are left out."""
    least = min(messages, default=0)
    starts: dict[int, int] = {}
    for ordinal in reversed(range(len(pieces))):
        level, place, _ = pieces[ordinal].mark
        if level < MESSAGES or place < least:
            break
        starts[place] = ordinal
    return {starts[place]: place for place in messages if place in starts}


def framed(parts: Sequence[str]) -> str:
    """One text, and no other row of parts gives the same: each has its length in front."""
    return "".join([f"{len(part)}:{part}" for part in parts])


async def feed(running: Hash, parts: Sequence[str], pace: Pace) -> int:
    """Add a block of any length to a hash, as `framed` writes it. Returns its bytes."""
    size = 0
    for part in parts:
        running.update(f"{len(part)}:".encode())
        for start in range(0, len(part), PIECE):
            data = part[start : start + PIECE].encode()
            running.update(data)
            size += len(data)
            if pace.due():
                await pace.pause()
    return size


def parts_of(piece: Piece) -> list[str]:
    """All of a block that matters, as texts; what is long stands by itself."""
    parts = [f"{piece.mark.level}{piece.lead}"]
    if piece.mark.level == TOOLS:
        # As it was sent: our count of a built-in tool's options hangs on their order.
        parts.append(to_json({name: value for name, value in piece.block.items() if _hashed(name, value)}))
    else:
        _add(parts, piece.block)
    return parts


def _hashed(name: str, value: object) -> bool:
    return value is not None and name != "cache_control"


def _add(parts: list[str], block: Block) -> None:
    kind = block["type"]
    fields = len(block) - ("cache_control" in block)
    if kind == "text":
        parts += ("text", block["text"])
        if block.get("citations"):
            parts.append(to_json(block["citations"]))
    elif kind == "tool_use" and fields == 4:
        parts += ("tool_use", block["id"], block["name"], to_json(block["input"]))
    elif kind == "tool_result" and fields == 3 and isinstance(block.get("content"), str):
        parts += ("tool_result", block["tool_use_id"], block["content"])
    else:
        _add_any(parts, block, kind)


def _add_any(parts: list[str], block: Block, kind: str) -> None:
    rest: Block = {name: block[name] for name in sorted(block) if _hashed(name, block[name])}
    # Long strings are set apart: the encoder would take them in one go.
    if isinstance(rest.get("source"), dict):
        source = cast("Block", rest["source"])
        rest["source"] = {name: source[name] for name in sorted(source) if name not in {"data", "content"}}
        if "data" in source:
            parts += ("data", source["data"])
        elif isinstance(source.get("content"), str):
            parts += ("content", source["content"])
    elif isinstance(rest.get("content"), str):
        parts += ("content", rest.pop("content"))
    if kind in _WITH_BLOCKS:
        inner = nested_blocks(block)
        if inner:
            rest.pop("content", None)
            parts.append(f"blocks {len(inner)}")
            for one in inner:
                _add(parts, one)
    parts.append(to_json(rest))


_WITH_BLOCKS: Final = frozenset({"tool_result", "mcp_tool_result", "document", "search_result"})
