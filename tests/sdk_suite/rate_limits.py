"""The Rate Limits API, stable and beta."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from .table import DROP, Made, Resource, Rewrite

_BASE = "/v1/organizations"
_IDS = "an id of an object that there is"
_NO_PAGE = Rewrite("query", "page", "page", DROP, "an opaque cursor from a previous response (SDK's description)")


def _files(name: str) -> tuple[str, str]:
    stable, beta = f"tests/api_resources/organization/{name}.py", f"tests/api_resources/beta/organization/{name}.py"
    return stable, beta


async def _prepare(client: httpx.AsyncClient) -> Mapping[str, str]:
    workspace = await client.post(f"{_BASE}/workspaces", json={"name": "A workspace with limits"})
    limits = await client.get(f"{_BASE}/rate_limits", params={"group_type": "model_group"})
    return {
        "workspace_of_limits": workspace.raise_for_status().json()["id"],
        "any_rate_limit": limits.raise_for_status().json()["data"][0]["id"],
    }


RATE_LIMITS = Resource(
    name="rate_limits",
    files=_files("test_rate_limits"),
    routes=(("GET", f"{_BASE}/rate_limits"),),
    rewrites=(Rewrite("query", "model", "model", "claude-opus-5-5", "a model that there is, else 404"), _NO_PAGE),
    credential="admin",
)

WORKSPACE_RATE_LIMITS = Resource(
    name="workspace rate_limits",
    files=_files("workspaces/test_rate_limits"),
    routes=(
        ("GET", f"{_BASE}/workspaces/{{workspace_id}}/rate_limits"),
        ("POST", f"{_BASE}/workspaces/{{workspace_id}}/rate_limits/{{rate_limit_id}}"),
    ),
    rewrites=(
        Rewrite("path", "workspace_id", "workspace_id", Made("workspace_of_limits"), _IDS),
        Rewrite("path", "rate_limit_id", "rate_limit_id", Made("any_rate_limit"), _IDS),
        _NO_PAGE,
    ),
    prepare=_prepare,
    credential="admin",
)
