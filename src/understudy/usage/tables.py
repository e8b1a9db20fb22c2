"""What is kept of requests: `request_log` has one row for each of any route, `usage` one for each that asked a model.

Times are seconds since the epoch, durations seconds. No row holds a body, a prompt or a key.

The index by time is also what makes a row unique, so that writing one once more changes nothing. An index on the
request's id alone would cost as much as all else: ids of one second are in no order, so each write touches all of the
second's pages. A request is found by its id within the second that the id begins with.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, Table, Text, UniqueConstraint

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
    UniqueConstraint("received_at", "request_id"),
)

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
    UniqueConstraint("received_at", "request_id"),
)
