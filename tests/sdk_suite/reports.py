"""Usage and cost reports, and spend limits."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from .rewriting import Request
from .table import DROP, Made, Resource, Rewrite

_BASE = "/v1/organizations"
_PAGE = Rewrite("query", "page", "page", DROP, "an opaque cursor from a previous response (SDK's description)")
_IDS = "an id of an object that there is"
_RECENT = "within the last 365 days and no earlier than 2026-01-01, of at most 31 days (SDK's description)"


def _days_ago(days: int) -> Callable[[Request], str]:
    return lambda _: (datetime.now(UTC) - timedelta(days)).isoformat()


def _beta(name: str) -> str:
    return f"tests/api_resources/beta/organization/{name}.py"


def _moved(key: str, then: str, days: int) -> Rewrite:
    return Rewrite("query", key, then, _days_ago(days), _RECENT)


ANALYTICS = Resource(
    name="analytics usage and cost",
    files=(_beta("analytics/test_usage"), _beta("analytics/test_cost")),
    routes=(("GET", f"{_BASE}/analytics/usage"), ("GET", f"{_BASE}/analytics/cost")),
    rewrites=(
        _PAGE,
        _moved("starting_at", "2026-09-01T00:00:00+00:00", 30),
        _moved("ending_at", "2026-10-01T00:00:00+00:00", 1),
    ),
    credential="admin",
)

ANALYTICS_REPORTS = Resource(
    name="analytics reports",
    files=(_beta("analytics/test_usage_report"), _beta("analytics/test_cost_report")),
    routes=(("GET", f"{_BASE}/analytics/usage_report"), ("GET", f"{_BASE}/analytics/cost_report")),
    rewrites=(
        _PAGE,
        _moved("starting_at", "2019-12-27T18:11:19.117000+00:00", 30),
        _moved("ending_at", "2019-12-27T18:11:19.117000+00:00", 1),
    ),
    credential="admin",
)

_numbers = itertools.count(1)
_pools: dict[str, list[str]] = {}

# How many requests of one kind there are: four tests, five clients, stable and beta.
_ROUND = 4 * 5 * 2


async def _post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    return (await client.post(path, json=body)).raise_for_status().json()


async def _user(client: httpx.AsyncClient) -> str:
    body = {"email": f"spender-{next(_numbers)}@example.com", "name": "A user", "role": "user"}
    return (await _post(client, "/_understudy/admin/users", body))["id"]


async def _limit(client: httpx.AsyncClient) -> str:
    scope = {"type": "user", "user_id": await _user(client)}
    return (await _post(client, f"{_BASE}/spend_limits", {"amount": "1", "scope": scope}))["id"]


async def _increase(client: httpx.AsyncClient) -> str:
    body = {"user_id": await _user(client)}
    return (await _post(client, "/_understudy/admin/spend_limit_increase_requests", body))["id"]


async def _prepare_limits(client: httpx.AsyncClient) -> Mapping[str, str]:
    _pools["limits"] = [await _limit(client) for _ in range(_ROUND)]
    return {"any_limit": await _limit(client), "any_spender": await _user(client)}


async def _prepare_increases(client: httpx.AsyncClient) -> Mapping[str, str]:
    _pools["increases"] = [await _increase(client) for _ in range(2 * _ROUND)]
    return {"any_increase": await _increase(client)}


def _limit_of(request: Request) -> Any:
    return _pools["limits"].pop() if request.method == "DELETE" else Made("any_limit")


def _increase_of(request: Request) -> Any:
    return _pools["increases"].pop() if request.method == "POST" else Made("any_increase")


SPEND_LIMITS = Resource(
    name="spend_limits",
    files=(
        _beta("test_spend_limits"),
        "tests/api_resources/organization/spend_limits/test_effective.py",
        _beta("spend_limits/test_effective"),
    ),
    routes=(("GET", f"{_BASE}/spend_limits"), ("GET", f"{_BASE}/spend_limits/effective")),
    rewrites=(
        Rewrite("path", "spend_limit_id", "spend_limit_id", _limit_of, _IDS),
        Rewrite("body", "scope.user_id", "user_01WxYzAbCdEfGhJkMnPqRsTu", Made("any_spender"), _IDS),
        _PAGE,
    ),
    prepare=_prepare_limits,
    credential="admin",
)

INCREASE_REQUESTS = Resource(
    name="spend_limit_increase_requests",
    files=(
        "tests/api_resources/organization/spend_limits/test_increase_requests.py",
        _beta("spend_limits/test_increase_requests"),
    ),
    routes=(("GET", f"{_BASE}/spend_limit_increase_requests"),),
    rewrites=(
        Rewrite("path", "id", "spend_limit_increase_request_id", _increase_of, _IDS),
        _PAGE,
    ),
    prepare=_prepare_increases,
    credential="admin",
)

REPORTS = (ANALYTICS, ANALYTICS_REPORTS, SPEND_LIMITS, INCREASE_REQUESTS)
