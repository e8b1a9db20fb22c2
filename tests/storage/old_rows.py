"""Rows for a database of any revision, made from what its tables say of themselves: types, references and checks.

So a table that a later revision brings is tested too. Where a value means something, `MEANT` says it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, Connection, Double, Float, Integer, LargeBinary, MetaData, Table, Text, inspect, select

VARIANTS: Final = (1, 2)
"""Of each table two rows. The second has null wherever it may."""

Place = tuple[str, str]

# By table and column: the value in each of the two rows.
MEANT: Final[Mapping[Place, tuple[Any, Any]]] = {
    ("api_keys", "kind"): ("api", "admin"),
    ("api_keys", "status"): ("active", "inactive"),
    ("api_keys", "expires_at"): (None, None),
    ("api_keys", "principal_id"): (None, None),  # of the workspace itself
    ("workspaces", "is_default"): (True, False),
    ("workspaces", "archived_at"): (None, None),
    ("workspaces", "tags"): ('{"a":"b"}', "{}"),
    ("workspaces", "allowed_inference_geos"): ('["us"]', None),
    ("invites", "rbac_group_ids"): ("[]", "[]"),
    ("federation_issuers", "jwks"): ('{"type":"discovery"}', '{"type":"discovery"}'),
    ("federation_rules", "match"): ('{"subject_prefix":"a"}', '{"subject_prefix":"a"}'),
    ("users", "role"): ("developer", "user"),
    ("workspace_members", "workspace_role"): ("workspace_admin", "workspace_user"),
    ("workspace_service_accounts", "workspace_role"): ("workspace_developer", "workspace_user"),
    ("service_accounts", "organization_role"): ("developer", "user"),
    ("usage", "received_at"): (1_790_000_000.25, 1_790_003_600.5),
    ("usage", "input_tokens"): (10, 200_000),
    ("usage", "cache_read_input_tokens"): (5, 5),
    ("usage", "organization_id"): ("organizations.id.1", "organizations.id.1"),
}


class Database(NamedTuple):
    """What a database holds: by table, the names of the columns and the rows."""

    columns: dict[str, tuple[str, ...]]
    rows: dict[str, set[tuple[Any, ...]]]


def tables_of(connection: Connection) -> MetaData:
    """The tables as they stand in the database."""
    found = MetaData()
    found.reflect(connection)
    found.remove(found.tables["alembic_version"])
    return found


def fill(connection: Connection) -> None:
    """Two rows in each table that is empty; one where a check allows no more."""
    for table in tables_of(connection).sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            continue
        checks = [str(check["sqltext"]) for check in inspect(connection).get_check_constraints(table.name)]
        one_row = any(re.fullmatch(r"\(?id = 1\)?", check) for check in checks)
        for variant in VARIANTS[: 1 if one_row else 2]:
            connection.execute(table.insert().values(_row(table, variant, checks)))


def _row(table: Table, variant: int, checks: list[str]) -> dict[str, Any]:
    numbered = table.primary_key.columns.values()
    row: dict[str, Any] = {}
    for column in table.columns:
        place = (table.name, column.name)
        if place in MEANT:
            row[column.name] = MEANT[place][variant - 1]
        elif len(numbered) == 1 and column is numbered[0] and isinstance(column.type, Integer) and not checks:
            continue  # the database numbers them
        elif column.nullable and variant == 2:
            row[column.name] = None
        else:
            row[column.name] = _value(table, column.name, variant, checks)
    return row


def _value(table: Table, name: str, variant: int, checks: list[str]) -> Any:
    column = table.columns[name]
    for reference in column.foreign_keys:
        to = reference.column
        place = (to.table.name, to.name)
        return MEANT[place][variant - 1] if place in MEANT else f"{to.table.name}.{to.name}.{variant}"
    if isinstance(column.type, Boolean):
        return variant == 1
    if isinstance(column.type, Double | Float):
        return 1_780_000_000.5 + variant
    if isinstance(column.type, Integer):
        return variant
    if isinstance(column.type, LargeBinary):
        return f"{table.name}.{name}.{variant}".encode()
    assert isinstance(column.type, Text), f"{table.name}.{name}: {column.type}"
    for check in checks:
        if re.search(rf"\b{name}\b", check):
            allowed = re.findall(r"'([^']*)'", check)
            return allowed[variant % len(allowed)]
    return f"{table.name}.{name}.{variant}"


def read(connection: Connection) -> Database:
    """All rows of all tables."""
    columns: dict[str, tuple[str, ...]] = {}
    rows: dict[str, set[tuple[Any, ...]]] = {}
    for table in tables_of(connection).sorted_tables:
        columns[table.name] = tuple(column.name for column in table.columns)
        rows[table.name] = {tuple(row) for row in connection.execute(select(table))}
    return Database(columns, rows)


def lost(before: Database, after: Database) -> dict[str, set[tuple[Any, ...]]]:
    """The rows that are not there any more, by table: of each, the columns that it had then and has still."""
    missing: dict[str, set[tuple[Any, ...]]] = {}
    for table, names in before.columns.items():
        if table not in after.columns:
            missing[table] = before.rows[table]
            continue
        places = [after.columns[table].index(name) for name in names if name in after.columns[table]]
        kept = [names.index(name) for name in names if name in after.columns[table]]
        still = {tuple(row[place] for place in places) for row in after.rows[table]}
        gone = {tuple(row[place] for place in kept) for row in before.rows[table]} - still
        if gone:
            missing[table] = gone
    return missing
