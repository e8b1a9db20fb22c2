"""Rate limits as the API shows them, and the queries and the body about them.

Sources: the official SDK 2.12.0; for 2023-06-01 also the API reference of 2026-08, whose entries name the kind of their
group in `group_type`. Later ones of that version have `group` beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from understudy.http.pagination import MAX_LIMIT
from understudy.limits.bucket import MOST
from understudy.limits.groups import Group
from understudy.limits.levels import OrganizationRateLimit, WorkspaceValue
from understudy.organization.bodies import STRICT, Shape
from understudy.organization.pages import Nullable

_RENAMED: Final = "2026-10-21"
"""The version from which entries have no `group_type`."""

ListedType = Literal["batch", "files", "model_group", "skills", "token_count", "web_search"]
WorkspaceLimiter = Literal[
    "fast_itpmca",
    "fast_otpm",
    "input_tokens_per_minute",
    "input_tokens_per_minute_cache_aware",
    "output_tokens_per_minute",
    "requests_per_minute",
    "tokens_per_day",
    "tokens_per_minute",
    "tool_uses_per_second",
]


def _none(text: str) -> str | None:
    """The SDKs write a null in a query as an empty text."""
    return text or None


class RateLimitPageParams(TypedDict):
    """The query of both lists. Without `limit` all that is left comes in one page."""

    group_type: NotRequired[Annotated[ListedType | None, BeforeValidator(_none)]]
    limit: NotRequired[Annotated[Annotated[int, Field(ge=1, le=MAX_LIMIT)] | None, BeforeValidator(_none)]]
    page: NotRequired[Nullable]


class RateLimitListParams(RateLimitPageParams):
    model: NotRequired[Nullable]


class WorkspaceRateLimitListParams(RateLimitPageParams):
    include_inherited: NotRequired[bool]


class WorkspaceRateLimitValue(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    type: WorkspaceLimiter
    value: Annotated[int, Field(ge=0, le=MOST)] | None


class WorkspaceRateLimitParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    limits: Annotated[list[WorkspaceRateLimitValue], Field(min_length=1, max_length=16)]


LIST: Final = Shape(RateLimitListParams)
LIST_OF_WORKSPACE: Final = Shape(WorkspaceRateLimitListParams)
UPDATE: Final = Shape(WorkspaceRateLimitParams)


def organization_rate_limit(entry: OrganizationRateLimit, names: list[str], version: str) -> dict[str, Any]:
    """An entry as `version` shows it. `names` are the group's models and their aliases."""
    return {
        "id": entry.id,
        "type": "rate_limit",
        **_of_group(entry.group, names, version),
        "limits": [{"type": limiter, "value": value} for limiter, value in entry.limits.items()],
    }


def workspace_rate_limit(
    workspace_id: str, entry_id: str, group: Group, names: list[str], values: Sequence[WorkspaceValue], version: str
) -> dict[str, Any]:
    """The limits of a workspace for a group as `version` shows them."""
    return {
        "type": "workspace_rate_limit",
        "workspace_id": workspace_id,
        "rate_limit_id": entry_id,
        **_of_group(group, names, version),
        "limits": [
            {
                "type": each.limiter,
                "value": each.value,
                "org_limit": each.organization_value,
                "source": {"type": "organization" if each.inherited else "workspace"},
            }
            for each in values
        ],
    }


def _of_group(group: Group, names: list[str], version: str) -> dict[str, Any]:
    of_models = group.type == "model_group"
    described: dict[str, Any] = {"id": group.id, "type": group.type}
    if of_models:
        described["display_name"] = group.display_name
    shown: dict[str, Any] = {"group": described, "models": names if of_models else None}
    if version < _RENAMED:
        shown["group_type"] = group.type
    return shown
