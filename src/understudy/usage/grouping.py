"""By what reports tell usage apart: which combinations (dimensions.py) count, and the groups that they fall into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.usage.tables import DIMENSIONS, usage_dimensions

_of = usage_dimensions.c
_KINDS: Final = (("user_", "user_actor"), ("svac_", "service_account_actor"))


def _acts_as(start: str) -> ColumnElement[bool]:
    return func.substr(_of.actor_id, 1, len(start)) == start


def _only(start: str) -> ColumnElement[str]:
    return case((_acts_as(start), _of.actor_id), else_="")


GROUPS: Final[Mapping[str, ColumnElement[str]]] = {
    **{name: _of[name] for name in DIMENSIONS},
    "account_id": _only("user_"),
    "service_account_id": _only("svac_"),
    # Whom usage is attributed to: whom a key or token acts as, else the key.
    "actor": case((_of.actor_id != "", _of.actor_id), else_=_of.api_key_id),
    "actor_type": case(
        *((_acts_as(start), literal(kind)) for start, kind in _KINDS),
        (_of.actor_id != "", ""),
        (_of.api_key_id != "", "api_actor"),
        else_="",
    ),
    # [guess] the Messages API's own usage, by the names that the products[] filter takes
    "product": case((_of.service_tier == "batch", "message_batches_api"), else_="messages_api"),
}
"""What can be grouped and filtered by; an empty text is none."""

Filter = tuple[str, frozenset[str]]
"""One of GROUPS, and values."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose usage a report is about, which of it, and told apart by what.

    `group_by` are names of GROUPS. Each of `filters` has the values that count, each of `without` those that do not.
    """

    organization_id: str
    group_by: Sequence[str] = ()
    filters: Sequence[Filter] = ()
    without: Sequence[Filter] = ()


@dataclass(frozen=True, slots=True)
class Grouping:
    """`of`: the number of each combination's group. `groups`: the values of each group, by its number.

    A group's number is that of its first combination, and stays what it is when there are more.
    """

    of: Mapping[int, int]
    groups: Mapping[int, tuple[str, ...]]

    @property
    def single(self) -> bool:
        """Whether each group is one combination, so that there is nothing to add up."""
        return len(self.of) == len(self.groups)


async def grouping(connection: AsyncConnection, scope: Scope) -> Grouping:
    """The combinations that `scope` takes in, and their groups."""
    grouped = [GROUPS[name].label(f"g{place}") for place, name in enumerate(scope.group_by)]
    wanted = select(_of.id, *grouped).where(_of.organization_id == scope.organization_id)
    for name, values in scope.filters:
        wanted = wanted.where(GROUPS[name].in_(sorted(values)))
    for name, values in scope.without:
        wanted = wanted.where(GROUPS[name].not_in(sorted(values)))
    number_of: dict[tuple[str, ...], int] = {}
    of: dict[int, int] = {}
    for row in await connection.execute(wanted.order_by(_of.id)):
        of[row[0]] = number_of.setdefault(tuple(row[1:]), row[0])
    return Grouping(of, {number: values for values, number in number_of.items()})


async def joined(connection: AsyncConnection, dialect: str, of: Mapping[int, int]) -> str:
    """Make the combinations' groups known to the statements of `connection` as the table m (d, g): what the statement
    has to begin with. Groups go along as numbers, for texts take several times longer to sort."""
    pairs = ", ".join(f"({dimension}, {group})" for dimension, group in of.items())
    if dialect != "sqlite":
        return f"WITH m(d, g) AS (VALUES {pairs}) "
    # SQLite reads a list of values through for every row; a table it looks up. It is gone with the rollback.
    await connection.exec_driver_sql("CREATE TEMPORARY TABLE m (d INTEGER PRIMARY KEY, g INTEGER NOT NULL)")
    await connection.exec_driver_sql(f"INSERT INTO m VALUES {pairs}")  # noqa: S608 numbers only
    return ""
