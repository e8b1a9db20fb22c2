"""What the Rate Limits API takes, and examples of its answers, made by the code that makes the real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from understudy.limits.groups import Groups
from understudy.limits.levels import OrganizationRateLimit, WorkspaceValue
from understudy.organization.rate_limits import shapes
from understudy.wire.versions import VERSIONS

_NEWEST = max(VERSIONS)
_BASE = "/v1/organizations"
_GROUPS = [group for group in Groups().all() if group.listed]
_VALUES = [
    WorkspaceValue("requests_per_minute", 1, 2, inherited=False),
    WorkspaceValue("tokens_per_day", 1, None, inherited=False),
    WorkspaceValue("output_tokens_per_minute", 2, 2, inherited=True),
]


def _of_organization() -> list[Any]:
    return [
        shapes.organization_rate_limit(
            OrganizationRateLimit("r", group, {"requests_per_minute": 1}), list(group.models), _NEWEST
        )
        for group in _GROUPS
    ]


def _of_workspace() -> list[Any]:
    return [shapes.workspace_rate_limit("w", "r", group, list(group.models), _VALUES, _NEWEST) for group in _GROUPS]


def _pages(examples: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    return lambda: [{"data": examples(), "next_page": page} for page in (None, "page_a")]


ROWS: dict[tuple[str, str], tuple[Any, Any, Callable[[], list[Any]]]] = {
    ("GET", f"{_BASE}/rate_limits"): (None, shapes.RateLimitListParams, _pages(_of_organization)),
    ("GET", f"{_BASE}/workspaces/{{}}/rate_limits"): (
        *(None, shapes.WorkspaceRateLimitListParams),
        _pages(_of_workspace),
    ),
    ("POST", f"{_BASE}/workspaces/{{}}/rate_limits/{{}}"): (shapes.WorkspaceRateLimitParams, None, _of_workspace),
}
"""Method and path → body, query, examples of the answer."""
