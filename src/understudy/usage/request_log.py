"""Looking requests up in the request log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.usage.money import plain
from understudy.usage.rows import REQUEST_COLUMNS
from understudy.usage.tables import request_log

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_OURS: Final = re.compile(f"req_011C([{_BASE58}]{{6}})[{_BASE58}]{{14}}", re.ASCII)

# A clock may be set back between a request's id and its time.
_AROUND: Final = 2.0

SCANNED: Final = 50_000
"""Rows that one page looks through at most: a rare value would else be looked for in all."""

FILTERS: Final = (
    "workspace_id",
    "api_key_id",
    "actor_id",
    "model",
    "engine",
    "status",
    "error_type",
    "stop_reason",
    "message_id",
)


def second_of(request_id: str) -> int | None:
    """The second in which a request of ours came, by its id (wire/ids.py); None for any other text."""
    found = _OURS.fullmatch(request_id)
    if found is None:
        return None
    second = 0
    for digit in found[1]:
        second = second * 58 + _BASE58.index(digit)
    return second


@dataclass(frozen=True, slots=True)
class Search:
    """The requests of an organization from `since` up to `until`, in seconds, that have the values `equal` names
    (FILTERS). `exceeded_a_limit`: only those that a limit refused, or would have; `failed`: whose status is 400 or
    more; `path`: whose path begins so; `path_not`: whose does not; `reads`: those that only read, too."""

    organization_id: str
    request_id: str | None = None
    since: float | None = None
    until: float | None = None
    equal: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    exceeded_a_limit: bool = False
    failed: bool = False
    path: str | None = None
    path_not: str | None = None
    reads: bool = True


Place = tuple[float, str]
"""When a request was received, and its id."""


async def find(
    connection: AsyncConnection, search: Search, before: Place | None, limit: int, scanned: int = SCANNED
) -> tuple[Sequence[Row[Any]], Place | None]:
    """At most `limit` requests, newest first, that came before a place; and the place to go on from, if there is more.

    At most `scanned` rows are looked through: so fewer may be found although there are more.
    """
    of = request_log.c
    place = tuple_(of.received_at, of.request_id)
    order = (of.received_at.desc(), of.request_id.desc())
    within = _within(search)
    if before is not None:
        within.append(place < before)
    # Where to stop is found by the index alone.
    end = select(of.received_at, of.request_id).where(*within).order_by(*order).offset(scanned - 1).limit(1)
    last = (await connection.execute(end)).one_or_none()
    until = None if last is None else (last.received_at, last.request_id)
    if until is not None:
        within.append(place >= until)
    conditions = [of.organization_id == search.organization_id]
    if search.exceeded_a_limit:
        conditions.append(of.limit_exceeded.is_not(None))
    if search.failed:
        conditions.append(of.status >= 400)
    if search.path is not None:
        conditions.append(of.path.startswith(search.path, autoescape=True))
    if search.path_not is not None:
        conditions.append(~of.path.startswith(search.path_not, autoescape=True))
    if not search.reads:
        conditions.append(of.method.not_in(("GET", "HEAD")))
    if search.request_id is not None:
        conditions.append(of.request_id == search.request_id)
    conditions += [of[name] == value for name, value in search.equal.items()]
    query = select(request_log).where(*within, *conditions).order_by(*order).limit(limit + 1)
    rows = (await connection.execute(query)).all()
    if len(rows) > limit:
        return rows[:limit], (rows[limit - 1].received_at, rows[limit - 1].request_id)
    return rows, until


def _within(search: Search) -> list[ColumnElement[bool]]:
    """What the index by time finds."""
    at = request_log.c.received_at
    within: list[ColumnElement[bool]] = []
    if search.request_id is not None:
        # There is no index by the id alone, see tables.py.
        second = second_of(search.request_id)
        within += [request_log.c.id < 0] if second is None else [at >= second - _AROUND, at < second + 1 + _AROUND]
    if search.since is not None:
        within.append(at >= search.since)
    if search.until is not None:
        within.append(at < search.until)
    return within


def decision(row: Row[Any]) -> dict[str, Any]:
    """What the limits said: `exceeded` names the one that was, and `refused` says whether that was enforced."""
    exceeded = row.limit_exceeded
    return {"exceeded": exceeded, "refused": exceeded is not None and row.status >= 400}


def timings(row: Row[Any]) -> dict[str, Any]:
    """Seconds from the first byte of the request's headers, and the tokens of each second after the first one."""
    first, generating = row.time_to_first_token, None
    if first is not None and row.stream:
        generating = row.duration - first
    rate = row.output_tokens / generating if row.output_tokens and generating and generating > 0 else None
    return {"time_to_first_token": first, "duration": row.duration, "output_tokens_per_second": rate}


def shown(row: Row[Any]) -> dict[str, Any]:
    """A row of the request log by its columns; the cost in dollars, as decimal text."""
    values: dict[str, Any] = {name: getattr(row, name) for name in REQUEST_COLUMNS}
    return {"type": "request", **values, "cost": plain(row.cost)}
