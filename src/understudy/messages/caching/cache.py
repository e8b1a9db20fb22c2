"""What one request reads from the prompt cache and writes to it (prompt-caching.md, 2026-08; recorded answers)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from understudy.engines.catalog import Model
from understudy.messages.caching.breakpoints import SECONDS, read_pieces
from understudy.messages.caching.diagnosis import (
    KEPT_SECONDS,
    Fingerprint,
    asks_diagnosis,
    cache_miss_reason,
    kept_under,
    read_request,
)
from understudy.messages.caching.hashes import prefix_keys, workspace_front
from understudy.messages.caching.ledger import Entry, Ledger
from understudy.messages.caching.salts import salts
from understudy.messages.caching.verified import confirmed
from understudy.messages.counting import Mark, count_marked, same_prompt
from understudy.tokens.pace import Pace
from understudy.wire.known_bodies import KnownBody

LOOK_BACK: Final = 20
"""Blocks that are looked at from each breakpoint, itself the first of them."""

_HOUR: Final = SECONDS["1h"]


@dataclass(frozen=True, slots=True)
class CacheUse:
    """The tokens of a prompt, each counted once: not cached, read from the cache, and written to it by lifetime."""

    input_tokens: int
    cache_read_input_tokens: int
    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int

    @property
    def cache_creation_input_tokens(self) -> int:
        return self.ephemeral_5m_input_tokens + self.ephemeral_1h_input_tokens

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens


Measure: TypeAlias = Callable[[Sequence[Mark]], Awaitable[tuple[int, Sequence[int]] | None]]
"""Counts a prompt, and it up to each mark, as the engine does that will read it; None where it cannot tell."""


class _Breakpoint(NamedTuple):
    ordinal: int
    tokens: int
    ttl: int


class _Found(NamedTuple):
    """What was looked up. `ordinals`: of the pieces that were looked at, the last first."""

    breakpoints: list[_Breakpoint]
    keys: dict[int, bytes]
    ordinals: list[int]
    hit: Entry | None
    total: int

    def billed(self) -> tuple[CacheUse, list[Entry]]:
        if not self.breakpoints:
            return CacheUse(self.total, 0, 0, 0), []
        key = None if self.hit is None else self.hit.key
        hit_ordinal = next((one for one in self.ordinals if self.keys[one] == key), -1)
        return _bill(self.breakpoints, self.keys, self.hit, hit_ordinal, self.total)


class CacheTurn:
    """The cache's part in one request. `use` is final, unless an engine has a say in it (`confirm`). What is written is
    there for others once `started` was called; `unrenewed`: what is read is renewed only then too.

    `diagnostics`: the answer's field of that name. `total_tokens`: of the whole prompt.
    """

    __slots__ = (
        "_entries",
        "_fingerprint",
        "_found",
        "_ledger",
        "_since",
        "_unrenewed",
        "_workspace_id",
        "diagnostics",
        "use",
    )

    def __init__(
        self,
        ledger: Ledger,
        workspace_id: str,
        since: float,
        found: _Found,
        fingerprint: Fingerprint | None,
        diagnostics: dict[str, Any] | None,
        *,
        unrenewed: bool = False,
    ) -> None:
        self._ledger = ledger
        self._workspace_id = workspace_id
        self._since = since
        self._found = found
        self._fingerprint = fingerprint
        self._unrenewed = found.hit if unrenewed else None
        self.use, self._entries = found.billed()
        self.diagnostics = diagnostics

    @property
    def total_tokens(self) -> int:
        return self.use.total_tokens

    async def confirm(self, total_tokens: int, reused: int) -> None:
        """To be called before `started` where an engine reads from a memory of its own: `use` is then what both it and
        the ledger say. What was not reused is written anew."""
        found = self._found
        hit = await confirmed(self._ledger, [found.keys[one] for one in found.ordinals], reused)
        self._found = found._replace(hit=hit, total=total_tokens)
        self.use, self._entries = self._found.billed()
        self._unrenewed = hit

    async def started(self, message_id: str) -> None:
        """To be called when the answer begins: an entry "only becomes available after the first response begins"."""
        entries = self._entries if self._unrenewed is None else [self._unrenewed, *self._entries]
        if entries:
            await self._ledger.write(entries, self._since)
        await self.told(message_id)

    async def told(self, message_id: str) -> None:
        """Instead of `started` where the answer begins and nobody has read the prompt: nothing is written."""
        if self._fingerprint is not None:
            key = kept_under(self._workspace_id, message_id)
            await self._ledger.keep(key, self._fingerprint.pack(), KEPT_SECONDS)


class PromptCache:
    """The prompt cache of an installation. `clock`: seconds, of the same clock as the ledger's."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock

    async def begin(
        self,
        request: dict[str, Any],
        model: Model,
        workspace_id: str,
        total_tokens: int | None = None,
        betas: Collection[str] = (),
        measure: Measure | None = None,
        known: KnownBody | None = None,
    ) -> CacheTurn:
        """Look a validated request up. What it reads is renewed at once; when the answer begins where `measure` is
        given, for that engine may say that it has not read it.

        `total_tokens`: of the prompt, where another than our own count is billed; nothing cached exceeds it. `betas`
        are only compared, for the diagnosis. `measure`: who counts instead of us. `known`: the body that it came as.
        """
        # "The lifetime is measured from the start of the request that writes or reads the cache entry."
        since = self._clock()
        pace = Pace()
        try:
            found = await self._cached(
                request, model, workspace_id, total_tokens, measure, pace, same_prompt(request, known)
            )
            fingerprint = diagnostics = None
            if asks_diagnosis(request, betas):
                read = await read_request(request, model, betas, pace)
                fingerprint = read.fingerprint
                asked: dict[str, str | None] = request.get("diagnostics") or {}
                previous = asked.get("previous_message_id")
                if previous is not None:
                    kept = await self._ledger.kept(kept_under(workspace_id, previous))
                    reason = cache_miss_reason(read, kept)
                    diagnostics = None if reason is None else {"cache_miss_reason": reason}
        finally:
            pace.end()
        unrenewed = measure is not None
        return CacheTurn(self._ledger, workspace_id, since, found, fingerprint, diagnostics, unrenewed=unrenewed)

    async def _cached(
        self,
        request: dict[str, Any],
        model: Model,
        workspace_id: str,
        total_tokens: int | None,
        measure: Measure | None,
        pace: Pace,
        known: KnownBody | None,
    ) -> _Found:
        pieces = await read_pieces(request, model, pace, known)
        marked = [(ordinal, piece) for ordinal, piece in enumerate(pieces) if piece.ttl]
        marks = [piece.mark for _, piece in marked]
        counted = await count_marked(request, model, marks, pace, known)
        if measure is not None:
            measured = await measure(marks)
            if measured is not None:
                counted = counted._replace(total=measured[0], prefixes=tuple(measured[1]))
        total = counted.total if total_tokens is None else total_tokens
        breakpoints = [
            _Breakpoint(ordinal, min(tokens, total), piece.ttl)
            for (ordinal, piece), tokens in zip(marked, counted.prefixes, strict=True)
            if tokens >= model.min_cacheable_tokens
        ]
        if not breakpoints:
            return _Found([], {}, [], None, total)
        looked_at = {ordinal for last, *_ in breakpoints for ordinal in range(last, max(last - LOOK_BACK, -1), -1)}
        of_parts = salts(request, model, workspace_id, counted)
        keys = await prefix_keys(pieces, looked_at, of_parts, pace, workspace_front(workspace_id), known)
        longest_first = sorted(looked_at, reverse=True)
        hit = await self._ledger.look([keys[ordinal] for ordinal in longest_first], renew=measure is None)
        return _Found(breakpoints, keys, longest_first, hit, total)


def _bill(
    breakpoints: list[_Breakpoint], keys: dict[int, bytes], hit: Entry | None, hit_ordinal: int, total: int
) -> tuple[CacheUse, list[Entry]]:
    """What is paid for: the positions A, B and C of the documentation ("Mixing different TTLs")."""
    last = breakpoints[-1].tokens
    read = 0 if hit is None else min(hit.tokens, last)
    hour = max([read, *(one.tokens for one in breakpoints if one.ttl == _HOUR and one.ordinal > hit_ordinal)])
    entries: list[Entry] = []
    for one in breakpoints:
        ttl = one.ttl
        if hit is not None and one.ordinal <= hit_ordinal:
            # It was read along and costs nothing, so it lives no longer than what was read does [guess].
            ttl = min(ttl, hit.ttl)
        entries.append(Entry(keys[one.ordinal], one.tokens, ttl))
    return CacheUse(total - last, read, last - hour, hour - read), entries
