"""Looking requests up in the request log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row, Select, select

from understudy.usage.money import dollars
from understudy.usage.rows import REQUEST_COLUMNS
from understudy.usage.tables import request_log

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_OURS: Final = re.compile(f"req_011C([{_BASE58}]{{6}})[{_BASE58}]{{14}}", re.ASCII)

# A clock may be set back between a request's id and its time.
_AROUND: Final = 2.0

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


def search(
    organization_id: str,
    *,
    request_id: str | None = None,
    since: float | None = None,
    until: float | None = None,
    equal: Mapping[str, str | int] | None = None,
) -> Select[Any]:
    """The requests of an organization between two times that have the values `equal` names (FILTERS)."""
    of = request_log.c
    query = select(request_log).where(of.organization_id == organization_id)
    if request_id is not None:
        # There is no index by the id alone, see tables.py.
        second = second_of(request_id)
        query = query.where(of.request_id == request_id)
        if second is not None:
            query = query.where(of.received_at >= second - _AROUND, of.received_at < second + 1 + _AROUND)
        else:
            query = query.where(of.id < 0)
    if since is not None:
        query = query.where(of.received_at >= since)
    if until is not None:
        query = query.where(of.received_at < until)
    for name, value in (equal or {}).items():
        query = query.where(of[name] == value)
    return query


def shown(row: Row[Any]) -> dict[str, Any]:
    """A row of the request log by its columns; the cost in dollars, as decimal text."""
    values: dict[str, Any] = {name: getattr(row, name) for name in REQUEST_COLUMNS}
    return {"type": "request", **values, "cost": f"{dollars(row.cost):f}"}
