"""Why a request did not find the cache that the one before it wrote (cache-diagnostics.md, 2026-08).

It compares the two requests, not what the cache held. What is kept of a request are hashes and its model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b
from struct import Struct
from typing import Any, Final, NamedTuple

from understudy.engines.catalog import Model
from understudy.messages.caching.breakpoints import Piece, message_pieces, system_pieces
from understudy.messages.caching.hashes import digest, feed, new_hash, parts_of, workspace_front
from understudy.messages.caching.salts import prompt_parameters
from understudy.messages.counting import TOOLS, Mark
from understudy.tokens.pace import Pace

BETA: Final = "cache-diagnosis-2026-04-07"

KEPT_SECONDS: Final = 3600
"""How long a request can be compared with: "expire after a short period" [guess: the longest lifetime of the cache]."""

_DIGEST: Final = 8
# Blocks of each part whose own hash is kept: a change behind them is seen, but not where. Documented as a "comparison
# horizon" without a number [guess].
_HORIZON: Final = 1_000
# "Derived from byte lengths": the usual number for English.
_BYTES_A_TOKEN: Final = 4

_HEADER: Final = Struct("!HIIIIII")
_PARTS: Final = ("tools", "system", "messages")


class _Segment(NamedTuple):
    """One part of a request. `digests`: of its prefixes up to the horizon. `blocks`: how many there are in all, and
    `whole`: the digest of them."""

    digests: bytes
    blocks: int
    whole: bytes


class Fingerprint(NamedTuple):
    model: str
    parameters: bytes
    segments: tuple[_Segment, _Segment, _Segment]

    def pack(self) -> bytes:
        model = self.model.encode()
        sizes = [number for segment in self.segments for number in (len(segment.digests), segment.blocks)]
        parts = [part for segment in self.segments for part in (segment.digests, segment.whole)]
        return b"".join([_HEADER.pack(len(model), *sizes), model, self.parameters, *parts])

    @classmethod
    def unpack(cls, packed: bytes) -> Fingerprint:
        model_size, *sizes = _HEADER.unpack_from(packed)
        at = _HEADER.size

        def take(size: int) -> bytes:
            nonlocal at
            at += size
            return packed[at - size : at]

        model, parameters = take(model_size).decode(), take(_DIGEST)
        tools, system, messages = (
            _Segment(take(size), blocks, take(_DIGEST)) for size, blocks in zip(sizes[::2], sizes[1::2], strict=True)
        )
        return cls(model, parameters, (tools, system, messages))


class Read(NamedTuple):
    """A request to be compared. `digests` and `sizes` (bytes) have one of each block, by part."""

    fingerprint: Fingerprint
    digests: list[list[bytes]]
    sizes: list[list[int]]


def asks_diagnosis(request: dict[str, Any], betas: Collection[str] = ()) -> bool:
    """Whether the request is to be remembered or compared."""
    return request.get("diagnostics") is not None or BETA in betas


def kept_under(workspace_id: str, message_id: str) -> bytes:
    return workspace_front(workspace_id) + digest(["diagnosis", workspace_id, message_id])


async def read_request(request: dict[str, Any], model: Model, betas: Collection[str], pace: Pace) -> Read:
    tools = [Piece(Mark(TOOLS, place), tool, "", 0) for place, tool in enumerate(request.get("tools") or ())]
    parts: list[Sequence[Piece]] = [tools, system_pieces(request), list(message_pieces(request["messages"]))]
    digests: list[list[bytes]] = []
    sizes: list[list[int]] = []
    for pieces in parts:
        running = new_hash()
        digests.append([])
        sizes.append([])
        for piece in pieces:
            sizes[-1].append(await feed(running, parts_of(piece), pace))
            digests[-1].append(running.copy().digest()[:_DIGEST])
            if len(sizes[-1]) % 16 == 0 and pace.due():
                await pace.pause()
    tools_part, system_part, messages_part = (
        _Segment(b"".join(part[:_HORIZON]), len(part), part[-1] if part else bytes(_DIGEST)) for part in digests
    )
    others = [*prompt_parameters(request, model), request.get("context_management"), sorted(set(betas))]
    parameters = blake2b(digest(others), digest_size=_DIGEST).digest()
    return Read(Fingerprint(model.id, parameters, (tools_part, system_part, messages_part)), digests, sizes)


def cache_miss_reason(now: Read, packed: bytes | None) -> dict[str, Any] | None:
    """What differs first from the request that `packed` is of; None where the one goes on from the other."""
    if packed is None:
        return {"type": "previous_message_not_found"}
    before = Fingerprint.unpack(packed)
    if before.model != now.fingerprint.model:
        return _changed("model", now, 0, 0)
    for part, name in enumerate(_PARTS):
        if name == "messages" and before.parameters != now.fingerprint.parameters:
            return {"type": "unavailable"}
        segment, digests = before.segments[part], now.digests[part]
        if segment.blocks == 0 and (name == "messages" or not digests):
            continue
        same_length = name == "messages" or segment.blocks == len(digests)
        if same_length and segment.blocks <= len(digests) and digests[segment.blocks - 1] == segment.whole:
            continue
        place = _first_change(segment, digests)
        return {"type": "unavailable"} if place is None else _changed(name, now, part, place)
    return None


def _first_change(segment: _Segment, digests: list[bytes]) -> int | None:
    known = len(segment.digests) // _DIGEST
    for place in range(min(known, len(digests))):
        if segment.digests[place * _DIGEST : (place + 1) * _DIGEST] != digests[place]:
            return place
    return None if known < min(segment.blocks, len(digests)) else min(segment.blocks, len(digests))


def _changed(name: str, now: Read, part: int, place: int) -> dict[str, Any]:
    """All behind the change is missed."""
    missed = sum(now.sizes[part][place:]) + sum(size for sizes in now.sizes[part + 1 :] for size in sizes)
    return {"type": f"{name}_changed", "cache_missed_input_tokens": missed // _BYTES_A_TOKEN}
