"""Metrics for Prometheus, under the names of OpenTelemetry's semantic conventions for HTTP and generative AI.

They are folded from the rows of a flush, not counted on a request's path. With several server processes, set
PROMETHEUS_MULTIPROC_DIR before the start, as prometheus_client's documentation says: any process then shows the sums.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

from understudy.usage.route_class import METHODS, route_class
from understudy.usage.rows import REQUEST_COLUMNS, Row

OTHER = "other"
"""The label of whatever is not known beforehand: what clients send must not make new time series."""

# Buckets as recommended by the conventions (semconv 1.38).
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300)
_REQUEST_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_TOKEN_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_OUTPUT_TOKEN_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)

# The API's error types; an upstream's own must not become labels.
_ERROR_TYPES = frozenset(
    {
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "timeout_error",
        "api_error",
        "overloaded_error",
    }
)
_TOKEN_TYPES = {
    "input_tokens": "input",
    "cache_creation_5m_input_tokens": "cache_creation_5m",
    "cache_creation_1h_input_tokens": "cache_creation_1h",
    "cache_read_input_tokens": "cache_read",
    "output_tokens": "output",
}


class _Histogram(Histogram):
    """A Histogram that takes many observations of one set of labels at a time."""

    def observe_many(self, counts: list[int], total: float) -> None:
        """`counts`: new observations by bucket, the last one for all above; `total`: their sum."""
        own: Any = self  # prometheus_client has no types for these
        own._sum.inc(total)
        for bucket, count in zip(own._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class _Fold:
    """Observations of one set of labels, in plain numbers until `flush`."""

    __slots__ = ("_bounds", "_child", "_counts", "_total")

    def __init__(self, child: _Histogram, bounds: tuple[float, ...]) -> None:
        self._child = child
        self._bounds = bounds
        self._counts: list[int] | None = None
        self._total = 0.0

    def add(self, value: float) -> None:
        if self._counts is None:
            self._counts = [0] * (len(self._bounds) + 1)
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def flush(self) -> None:
        if self._counts is not None:
            self._child.observe_many(self._counts, self._total)
            self._counts, self._total = None, 0.0


class _Family:
    """A histogram and its children, resolved once."""

    def __init__(
        self, registry: CollectorRegistry, name: str, text: str, labels: tuple[str, ...], bounds: tuple[float, ...]
    ) -> None:
        self._metric = _Histogram(name, text, labels, registry=registry, buckets=bounds)
        self._bounds = bounds
        self._folds: dict[tuple[Any, ...], _Fold] = {}

    def __getitem__(self, labels: tuple[Any, ...]) -> _Fold:
        fold = self._folds.get(labels)
        if fold is None:
            fold = self._folds[labels] = _Fold(self._metric.labels(*labels), self._bounds)
        return fold

    def flush(self) -> None:
        for fold in self._folds.values():
            fold.flush()


class Metrics:
    """All metrics of one process. `models`: the names that may become labels."""

    def __init__(self, models: Collection[str]) -> None:
        self._models = frozenset(models)
        self._several_processes = bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
        registry = self._registry = CollectorRegistry()
        gen_ai = ("gen_ai_operation_name", "gen_ai_request_model")
        self._http = _Family(
            registry,
            "http_server_request_duration_seconds",
            "Duration of requests of any route.",
            ("http_request_method", "http_route", "http_response_status_code"),
            _HTTP_SECONDS,
        )
        self._tokens = _Family(
            registry,
            "gen_ai_client_token_usage",
            "Tokens of a request, by kind.",
            (*gen_ai, "gen_ai_token_type"),
            _TOKENS,
        )
        self._request = _Family(
            registry,
            "gen_ai_server_request_duration_seconds",
            "Duration of requests that asked a model.",
            (*gen_ai, "error_type"),
            _REQUEST_SECONDS,
        )
        self._first_token = _Family(
            registry,
            "gen_ai_server_time_to_first_token_seconds",
            "Time to the first token of an answer.",
            gen_ai,
            _FIRST_TOKEN_SECONDS,
        )
        self._output_token = _Family(
            registry,
            "gen_ai_server_time_per_output_token_seconds",
            "Time per token of an answer after the first.",
            gen_ai,
            _OUTPUT_TOKEN_SECONDS,
        )
        self._families = (self._http, self._tokens, self._request, self._first_token, self._output_token)
        self._rows = Counter(
            "understudy_usage_rows",
            "Request records by what became of them: written, spilled to the file, dropped, or refused as unusable.",
            ("outcome",),
            registry=registry,
        )
        self._batch_requests = Counter(
            "understudy_batch_requests",
            "Requests of batches that have ended, by how they did.",
            ("outcome",),
            registry=registry,
        )
        self._batch_running = Gauge(
            "understudy_batch_requests_running",
            "Requests of batches that are under way.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.active_requests = 0
        self._active = Gauge(
            "http_server_active_requests", "Requests being served.", registry=registry, multiprocess_mode="livesum"
        )
        if not self._several_processes:
            self._active.set_function(lambda: self.active_requests)
            ProcessCollector(registry=registry)
            GCCollector(registry=registry)

    def request_started(self) -> None:
        """A request has begun; `request_ended` must follow."""
        self.active_requests += 1
        if self._several_processes:
            self._active.set(self.active_requests)

    def request_ended(self) -> None:
        """A request that had begun is over, whatever became of it."""
        self.active_requests -= 1
        if self._several_processes:
            self._active.set(self.active_requests)

    def count_rows(self, outcome: str, count: int) -> None:
        """`outcome`: written, spilled, dropped or refused."""
        self._rows.labels(outcome).inc(count)

    def batch_requests(self, outcome: str, count: int) -> None:
        """`outcome`: succeeded, errored, canceled or expired."""
        self._batch_requests.labels(outcome).inc(count)

    def batch_requests_running(self, count: int) -> None:
        """How many there are now."""
        self._batch_running.set(count)

    def observe(self, rows: Iterable[Row]) -> None:
        """Fold requests' rows in."""
        for row in rows:
            method = row[_METHOD] if row[_METHOD] in METHODS else OTHER
            self._http[method, route_class(row[_PATH]), row[_STATUS]].add(row[_DURATION])
            if row[_MODEL] is not None:
                self._observe_model(row)
        for family in self._families:
            family.flush()

    def observe_models(self, rows: Iterable[Row]) -> None:
        """The same for rows that are no requests over HTTP."""
        for row in rows:
            if row[_MODEL] is not None:
                self._observe_model(row)
        for family in self._families:
            family.flush()

    def render(self) -> tuple[bytes, str]:
        """What Prometheus reads, and its content type; of all processes when there are several."""
        registry = self._registry
        if self._several_processes:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def _observe_model(self, row: Row) -> None:
        model = row[_MODEL] if row[_MODEL] in self._models else OTHER
        error = row[_ERROR_TYPE]
        if error is None:
            error = ""  # Prometheus takes an empty label for none
        elif error not in _ERROR_TYPES:
            error = OTHER
        operation = "count_tokens" if row[_PATH].endswith("/count_tokens") else "chat"
        self._request[operation, model, error].add(row[_DURATION])
        for position, token_type in _TOKEN_POSITIONS:
            tokens = row[position]
            if tokens:
                self._tokens[operation, model, token_type].add(tokens)
        first = row[_FIRST_TOKEN]
        if first is not None:
            self._first_token[operation, model].add(first)
            output = row[_OUTPUT]
            if output is not None and output > 1:
                self._output_token[operation, model].add((row[_DURATION] - first) / (output - 1))


_METHOD, _PATH, _STATUS, _DURATION, _MODEL, _ERROR_TYPE, _FIRST_TOKEN, _OUTPUT = (
    REQUEST_COLUMNS.index(name)
    for name in (
        "method",
        "path",
        "status",
        "duration",
        "model",
        "error_type",
        "time_to_first_token",
        "output_tokens",
    )
)
_TOKEN_POSITIONS = tuple((REQUEST_COLUMNS.index(name), token_type) for name, token_type in _TOKEN_TYPES.items())
