"""The reviewed list: which differences stand, why, and whether the list still says the truth."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from surface.compare import Gap, Kind

FILE = Path(__file__).with_name("reviewed.toml")


@dataclass(frozen=True, slots=True)
class Row:
    """Differences of one kind with one reason. Of `brought_by` and `reason` one is given."""

    kind: Kind
    names: tuple[str, ...]
    brought_by: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if bool(self.brought_by) == bool(self.reason):
            raise ValueError(f"{self.kind} {self.names}: either brought_by or reason")

    def patterns(self, gap: Gap) -> list[str]:
        """Those of `names` that fit `gap`."""
        return [name for name in self.names if self.kind == gap.kind and _fits(name, gap.name)]


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), name) is not None


def read() -> list[Row]:
    """The list as it stands in reviewed.toml."""
    data = tomllib.loads(FILE.read_text("utf-8"))
    return [Row(names=tuple(row.pop("names")), **row) for row in data["reviewed"]]


def row_of(gap: Gap, rows: Iterable[Row]) -> Row | None:
    """The row that explains `gap`."""
    return next((row for row in rows if row.patterns(gap)), None)


def unreviewed(gaps: Iterable[Gap], rows: Iterable[Row]) -> list[Gap]:
    """Differences that nobody has looked at."""
    rows = list(rows)
    return [gap for gap in gaps if row_of(gap, rows) is None]


def stale(gaps: Iterable[Gap], rows: Iterable[Row]) -> list[str]:
    """Names of the list that fit no difference any more."""
    gaps, rows = list(gaps), list(rows)
    return [
        f"{row.kind}: {name}"
        for row in rows
        for name in row.names
        if not any(row.kind == gap.kind and _fits(name, gap.name) for gap in gaps)
    ]


def twice(gaps: Iterable[Gap], rows: Iterable[Row]) -> list[str]:
    """Differences that more than one name fits: one of the two would hide what becomes of the other."""
    rows = list(rows)
    found = {gap: [name for row in rows for name in row.patterns(gap)] for gap in gaps}
    return [f"{gap} by {', '.join(names)}" for gap, names in found.items() if len(names) > 1]
