"""Usage tiers: how large an organization's limits are, as the documentation of two dates has them (data/tiers_*.json).

Money is kept as the tables have it, for those who bill; nothing here spends any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

import orjson

from understudy.limits.groups import Group, LimiterType

TableName: TypeAlias = Literal["2026-01", "2026-10"]

_DIRECTORY = Path(__file__).with_name("data")

Limits: TypeAlias = Mapping[LimiterType, int]
"""What a limiter lets through: its type → units a minute, day or second, as the type's name says."""

_NO_LIMITS: Limits = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier. US dollars: `cumulative_spend` is what an organization has paid in all before it gets there,
    `monthly_spend_cap` the most it may spend in a calendar month, `max_single_purchase` of credit at once; None where
    there is no such bound. A tier with `unlimited` has no rate limits.

    `requests_per_batch`: the most requests that one Message Batch may hold.
    """

    name: str
    display_name: str
    cumulative_spend: Decimal | None
    monthly_spend_cap: Decimal | None
    max_single_purchase: Decimal | None
    unlimited: bool
    requests_per_batch: int
    groups: Mapping[str, tuple[int, ...] | Limits]

    def limits(self, group: Group) -> Limits | None:
        """The limits of `group`; None for a group that is in no table."""
        if self.unlimited:
            return _NO_LIMITS
        found = self.groups.get(group.name) if group.name is not None else None
        if not isinstance(found, tuple):
            return found
        requests, input_tokens, output_tokens = found
        return {
            "requests_per_minute": requests,
            group.input_type: input_tokens,
            "output_tokens_per_minute": output_tokens,
        }


@dataclass(frozen=True, slots=True)
class TierTable:
    """All tiers of a date, the lowest first. `guessed`: what in it was not published, and what it was taken from."""

    name: str
    source: str
    date: str
    guessed: Mapping[str, str]
    default_tier: str
    tiers: tuple[Tier, ...]

    def find(self, name: str) -> Tier | None:
        return next((tier for tier in self.tiers if tier.name == name), None)

    def tier(self, name: str | None) -> Tier:
        """The tier of that name; the default one for None, and for a name that only another table has."""
        found = self.find(name or self.default_tier) or self.find(self.default_tier)
        assert found is not None
        return found

    def following(self, name: str) -> Tier | None:
        """The next tier above that one that spending leads to."""
        names = [tier.name for tier in self.tiers]
        above = self.tiers[names.index(self.tier(name).name) + 1 :]
        return next((tier for tier in above if tier.cumulative_spend is not None), None)

    def advance(self, name: str, cumulative_spend: Decimal) -> str:
        """The tier that an organization of tier `name` has after spending so much in all, in US dollars. Never a
        lower one, and never one that is given by arrangement only."""
        names = [tier.name for tier in self.tiers]
        current = names.index(self.tier(name).name)
        reached = [
            place
            for place, tier in enumerate(self.tiers)
            if tier.cumulative_spend is not None and cumulative_spend >= tier.cumulative_spend
        ]
        return names[max([current, *reached])]


def _money(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _tier(row: dict[str, Any]) -> Tier:
    models: dict[str, list[int]] = row["model_groups"] or {}
    others: dict[str, dict[str, int]] = row["other_groups"] or {}
    groups: dict[str, tuple[int, ...] | Limits] = {name: tuple(values) for name, values in models.items()}
    for name, values in others.items():
        groups[name] = cast("Limits", {kind: value for kind, value in values.items() if kind != "requests_per_batch"})
    return Tier(
        name=row["name"],
        display_name=row["display_name"],
        cumulative_spend=_money(row["cumulative_spend"]),
        monthly_spend_cap=_money(row["monthly_spend_cap"]),
        max_single_purchase=_money(row["max_single_purchase"]),
        unlimited=row["model_groups"] is None,
        requests_per_batch=others.get("batch", {}).get("requests_per_batch", 100_000),
        groups=MappingProxyType(groups),
    )


@cache
def tier_table(name: TableName) -> TierTable:
    """The table of that date."""
    path = _DIRECTORY / f"tiers_{name.replace('-', '_')}.json"
    data = cast("dict[str, Any]", orjson.loads(path.read_bytes()))
    return TierTable(
        name=data["name"],
        source=data["source"],
        date=data["date"],
        guessed=MappingProxyType(data["guessed"]),
        default_tier=data["default_tier"],
        tiers=tuple(map(_tier, data["tiers"])),
    )
