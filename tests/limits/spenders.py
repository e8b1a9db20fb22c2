"""Spend on clocks and counters of a test's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from understudy.http.principal import Principal
from understudy.limits.config import Mode
from understudy.limits.snapshot import Snapshot
from understudy.limits.spend import Spend, caller_keys
from understudy.limits.spend_bounds import SpendBounds
from understudy.limits.spend_counters import Counters, MemoryCounters
from understudy.limits.tiers import tier_table
from understudy.usage.money import nano
from understudy.usage.sums import Month

ORGANIZATION, WORKSPACE, KEY, USER = "org-1", "wrkspc_1", "apikey_1", "user_1"
CALLER = Principal(ORGANIZATION, WORKSPACE, KEY, actor_id=USER)


def usd(text: str) -> int:
    return nano(Decimal(text))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@dataclass
class Source:
    bounds: SpendBounds = field(default_factory=SpendBounds)
    snapshot: Snapshot = field(default_factory=Snapshot)

    def limit(self, scope: str, id_: str, amount: str) -> None:
        self.bounds = SpendBounds({**self.bounds.limits, (scope, id_): usd(amount)}, self.bounds.credit)


class Money:
    """A Spend in enforce mode. `known` is what the database would say."""

    def __init__(
        self, counters: Counters | None = None, *, mode: Mode = "enforce", tier: str = "start", closed: bool = False
    ) -> None:
        self.now = at("2026-11-22T12:00:00")
        self.source = Source()
        self.known: dict[str, int] = {}
        self.seeded = 0
        self.counters = counters or MemoryCounters()
        self.spend = Spend(
            self.source,
            self.counters,
            tier_table("2026-10"),
            seed=self._seed,
            clock=lambda: self.now,
            mode=mode,
            tier=tier,
            closed=closed,
        )

    async def _seed(self, caller: Principal, month: Month) -> Mapping[str, int]:
        self.seeded += 1
        return {key: self.known.get(key, 0) for key in caller_keys(caller, month)}

    async def use(self, amount: str, caller: Principal = CALLER) -> None:
        """A request that costs `amount`, from its beginning to its end."""
        hold = await self.spend.begin(caller)
        await hold.settle(usd(amount))
