"""The call of the engine that writes a summary, as its answer comes in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from understudy.engines.engine import EngineEvent, Stop, TextDelta, ToolUse
from understudy.messages.caching import CacheUse
from understudy.messages.context.compaction import summary_in
from understudy.tools.protocol import ModelUse


class Spent(NamedTuple):
    """A call of a model that has ended. `kind`: its type in `usage.iterations`; what a summary took is billed, but not
    in the numbers beside them (recorded). `model`: of one that is billed by itself."""

    use: CacheUse
    output_tokens: int
    kind: str = "message"
    model: str | None = None

    @classmethod
    def advised(cls, use: ModelUse) -> Spent:
        """What an advisor has used."""
        cached = CacheUse(
            use.input_tokens,
            use.cache_read_input_tokens,
            use.ephemeral_5m_input_tokens,
            use.ephemeral_1h_input_tokens,
        )
        return cls(cached, use.output_tokens, "advisor_message", use.model)


def added_up(uses: Iterable[CacheUse]) -> CacheUse:
    uses = list(uses)
    return CacheUse(
        sum(use.input_tokens for use in uses),
        sum(use.cache_read_input_tokens for use in uses),
        sum(use.ephemeral_5m_input_tokens for use in uses),
        sum(use.ephemeral_1h_input_tokens for use in uses),
    )


class Summary:
    """`output_tokens` are those of all that was written. `ended`: nothing more comes."""

    __slots__ = ("_failed", "_most", "_pieces", "ended", "output_tokens")

    def __init__(self, most_tokens: int) -> None:
        self._most = most_tokens
        self._pieces: list[str] = []
        self._failed = False
        self.output_tokens = 0
        self.ended = False

    def take(self, batch: list[EngineEvent]) -> None:
        for event in batch:
            if isinstance(event, Stop):
                self.output_tokens = event.output_tokens
                self._failed = self._failed or event.reason == "refusal"
                self.ended = True
                return
            tokens: int = getattr(event, "tokens", 0)
            if self.output_tokens + tokens > self._most:
                # The engine does not mind its limit.
                self.ended = True
                return
            self.output_tokens += tokens
            if isinstance(event, TextDelta):
                self._pieces.append(event.text)
            elif isinstance(event, ToolUse):
                # "The model occasionally calls a tool during the internal summarization step instead of writing a
                # summary" (compaction.md): then there is none.
                self._failed = True

    @property
    def content(self) -> str | None:
        """The block's content: None where no summary came of it. One that was cut off is better than none."""
        return None if self._failed else summary_in("".join(self._pieces))
