"""What is kept of requests: `request_log` has one row for each of any route, `usage` one for each that asked a model,
and the roll-ups the sums of the usage rows by minute, hour and day.

Times are seconds since the epoch, durations seconds, money nano-dollars. No row holds a body, a prompt or a key.

The index by time is also what makes a row unique, so that writing one once more changes nothing. An index on the
request's id alone would cost as much as all else: ids of one second are in no order, so each write touches all of the
second's pages. A request is found by its id within the second that the id begins with.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from understudy.storage.metadata import metadata

# SQLite numbers rows by itself only in a column whose type is INTEGER.
_RowNumber = BigInteger().with_variant(Integer(), "sqlite")

request_log = Table(
    "request_log",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("duration", Double, nullable=False),
    Column("error_type", Text),
    Column("organization_id", Text),
    Column("workspace_id", Text),
    Column("api_key_id", Text),
    Column("anthropic_version", Text),
    Column("user_agent", Text),
    Column("model", Text),
    Column("engine", Text),
    Column("upstream_model", Text),
    Column("message_id", Text),
    Column("stream", Boolean, nullable=False),
    Column("stop_reason", Text),
    Column("service_tier", Text),
    Column("inference_geo", Text),
    Column("time_to_first_token", Double),
    Column("input_tokens", BigInteger),
    Column("cache_creation_5m_input_tokens", BigInteger, nullable=False),
    Column("cache_creation_1h_input_tokens", BigInteger, nullable=False),
    Column("cache_read_input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger),
    Column("disconnected", Boolean, nullable=False),
    Column("upstream_request_id", Text),
    Column("actor_id", Text),  # user_… or svac_…: whom the key or token acts as
    Column("speed", Text),
    Column("limit_exceeded", Text),  # the limit that refused it, or would have (limits/refusals.py)
    Column("web_search_requests", BigInteger, nullable=False, server_default="0"),
    Column("web_fetch_requests", BigInteger, nullable=False, server_default="0"),
    Column("cost", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("received_at", "request_id"),
)

FAILED: Final = "status >= 400 AND path NOT LIKE '/_understudy/%'"
"""SQL for the requests that the index below holds, in just these words."""

# Failures are few: counting them by time needs no sums of their own, and writing all other rows costs no more.
_failures = Index(
    "ix_request_log_failures",
    *(
        request_log.c[name]
        for name in (
            "received_at",
            "organization_id",
            "status",
            "workspace_id",
            "api_key_id",
            "actor_id",
            "model",
            "input_tokens",
        )
    ),
    sqlite_where=text(FAILED),
)


@event.listens_for(request_log, "before_create")
def _condition_of_postgresql(_table: Table, connection: Connection, **_more: object) -> None:
    # As a keyword above it would load PostgreSQL's dialect into every server: 2 MB.
    if connection.dialect.name == "postgresql":
        _failures.dialect_options["postgresql"]["where"] = text(FAILED)


usage = Table(
    "usage",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("organization_id", Text),
    Column("workspace_id", Text),
    Column("api_key_id", Text),
    Column("model", Text, nullable=False),
    Column("engine", Text),
    Column("service_tier", Text),
    Column("inference_geo", Text),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cache_creation_5m_input_tokens", BigInteger, nullable=False),
    Column("cache_creation_1h_input_tokens", BigInteger, nullable=False),
    Column("cache_read_input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("actor_id", Text),
    Column("speed", Text),
    Column("web_search_requests", BigInteger, nullable=False, server_default="0"),
    Column("web_fetch_requests", BigInteger, nullable=False, server_default="0"),
    Column("context_window", Text, nullable=False, server_default="0-200k"),
    # What it cost by the prices of its time: later ones change nothing here.
    Column("input_cost", BigInteger, nullable=False, server_default="0"),
    Column("cache_creation_5m_cost", BigInteger, nullable=False, server_default="0"),
    Column("cache_creation_1h_cost", BigInteger, nullable=False, server_default="0"),
    Column("cache_read_cost", BigInteger, nullable=False, server_default="0"),
    Column("output_cost", BigInteger, nullable=False, server_default="0"),
    Column("web_search_cost", BigInteger, nullable=False, server_default="0"),
    Column("dimension_id", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("received_at", "request_id"),
)

DIMENSIONS: Final = (
    "organization_id",
    "workspace_id",
    "api_key_id",
    "actor_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
)

# Each combination that ever occurred, once: reports add up and sift numbers, and look at texts only here.
# An empty text stands for none, which a unique constraint would not compare.
usage_dimensions = Table(
    "usage_dimensions",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    *(Column(name, Text, nullable=False) for name in DIMENSIONS),
    UniqueConstraint(*DIMENSIONS, name="uq_usage_dimensions_all"),
)

TOKEN_COUNTERS: Final = (
    "input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)
COSTS: Final = (
    "input_cost",
    "cache_creation_5m_cost",
    "cache_creation_1h_cost",
    "cache_read_cost",
    "output_cost",
    "web_search_cost",
)
SUMMED: Final = (*TOKEN_COUNTERS, "web_search_requests", "web_fetch_requests", *COSTS)
"""Columns of the usage rows that the roll-ups add up, beside the number of requests."""


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("bucket", BigInteger, nullable=False),  # when it begins
        Column("dimension_id", BigInteger, nullable=False),
        Column("requests", BigInteger, nullable=False),
        *(Column(counter, BigInteger, nullable=False) for counter in SUMMED),
        PrimaryKeyConstraint("bucket", "dimension_id"),
        # Rows lie in the order in which reports read them.
        sqlite_with_rowid=False,
    )


usage_minutes = _rollup("usage_minutes")
usage_hours = _rollup("usage_hours")
usage_days = _rollup("usage_days")

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400

ROLLUPS: Final = ((MINUTE, usage_minutes), (HOUR, usage_hours), (DAY, usage_days))
"""Each roll-up and the seconds of its buckets."""
