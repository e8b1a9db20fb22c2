"""What was set for single organizations, workspaces and keys, as it stands in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from understudy.limits.config import KeyBudget, Mode
from understudy.limits.groups import LimiterType


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`tiers`: organization id → tier; `kept_tiers`: organizations whose tier an administrator has set, so that
    spending does not change it. `workspace_limits`: workspace id → group id → limiter → value, as stored, which
    may be above the organization's. `modes`: workspace id → mode. `budgets`: key id → what it may use."""

    tiers: Mapping[str, str] = field(default_factory=_nothing)
    workspace_limits: Mapping[str, Mapping[str, Mapping[LimiterType, int]]] = field(default_factory=_nothing)
    modes: Mapping[str, Mode] = field(default_factory=_nothing)
    budgets: Mapping[str, KeyBudget] = field(default_factory=_nothing)
    # Which organization a workspace or key with settings of its own belongs to.
    organizations: Mapping[str, str] = field(default_factory=_nothing)
    kept_tiers: frozenset[str] = frozenset()


NO_OVERRIDES = Snapshot()
