"""What the Analytics API's usage and cost take: /v1/organizations/analytics/usage and …/cost.

Source: the SDK's types and descriptions (2.12.0). Errors' texts are guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from understudy.control.analytics_reports import check_range
from understudy.control.report_params import TimeParams, Values, values_of
from understudy.organization.bodies import Shape
from understudy.organization.pages import EMPTY_IS_NULL
from understudy.usage.grouping import Filter
from understudy.usage.reports import SECONDS, Width
from understudy.usage.tables import DAY, HOUR
from understudy.wire.errors import InvalidRequestError

BETA: Final = "analytics-usage-cost-2026-08-24"

DEFAULT_LIMIT: Final = 20

_LONGEST: Final = 31 * DAY
_LONGEST_OF_MINUTES: Final = DAY
_MOST_DIMENSIONS: Final = 5

Group = Literal[
    "actor",
    "actor_type",
    "agent_id",
    "api_key_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "context_window",
    "deployment_id",
    "environment_id",
    "inference_geo",
    "model",
    "organization_id",
    "product",
    "rbac_group_id",
    "service_tier",
    "session_id",
    "slack_channel_id",
    "speed",
    "user_profile_id",
    "workspace_id",
]
_Filters = TypedDict(
    "_Filters",
    {
        "actor_ids[]": NotRequired[Values],
        "actor_types[]": NotRequired[
            list[Literal["api_actor", "federated_actor", "service_account_actor", "user_actor"]]
        ],
        "agent_ids[]": NotRequired[Values],
        "api_key_ids[]": NotRequired[Values],
        "claude_tag_categories[]": NotRequired[list[Literal["dm", "engaged", "monitoring", "proactive", "scheduled"]]],
        "claude_tag_user_ids[]": NotRequired[Values],
        "context_windows[]": NotRequired[list[Literal["0-200k", "200k-1M"]]],
        "deployment_ids[]": NotRequired[Values],
        "environment_ids[]": NotRequired[Values],
        "inference_geos[]": NotRequired[list[Literal["global", "not_available", "us"]]],
        "models[]": NotRequired[Values],
        "organization_ids[]": NotRequired[Values],
        "products[]": NotRequired[
            list[
                Literal[
                    "chat",
                    "chat_cowork_unified",
                    "claude_code",
                    "claude_console",
                    "claude_design",
                    "claude_in_chrome",
                    "claude_tag",
                    "cowork",
                    "managed_agents_api",
                    "message_batches_api",
                    "messages_api",
                    "office_agent",
                ]
            ]
        ],
        "rbac_group_ids[]": NotRequired[Values],
        "service_tiers[]": NotRequired[
            list[Literal["batch", "flex", "flex_discount", "priority", "priority_on_demand", "standard"]]
        ],
        "session_ids[]": NotRequired[Values],
        "slack_channel_ids[]": NotRequired[Values],
        "speeds[]": NotRequired[list[Literal["fast", "standard"]]],
        "user_profile_ids[]": NotRequired[Values],
        "workspace_ids[]": NotRequired[Values],
    },
)


_UsageGroups = TypedDict("_UsageGroups", {"group_by[]": NotRequired[list[Group]]})
_CostGroups = TypedDict("_CostGroups", {"group_by[]": NotRequired[list[Literal[Group, "cost_type", "token_type"]]]})


class _Params(TimeParams, _Filters):
    limit: NotRequired[Annotated[int, Field(ge=1, le=1_000)]]
    exclude_deleted_users: NotRequired[bool]
    order: NotRequired[Literal["asc", "desc"]]
    time_bucket_width: NotRequired[Annotated[Width | None, EMPTY_IS_NULL]]


class UsageParams(_Params, _UsageGroups):
    order_by: NotRequired[Literal["output_tokens", "requests", "time", "total_tokens", "uncached_input_tokens"]]


class CostParams(_Params, _CostGroups):
    order_by: NotRequired[Literal["amount", "list_amount", "time"]]


USAGE: Final = Shape(UsageParams)
COST: Final = Shape(CostParams)

GROUPED: Final = (
    "actor",
    "actor_type",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "product",
    "service_tier",
    "speed",
    "workspace_id",
)
"""Dimensions that usage has here. What only other products have is null, and a filter by it matches nothing."""

FAN_OUT: Final = ("cost_type", "token_type")
"""What a row of costs can be broken out by besides."""

_COLUMN_OF_FILTER: Final = {
    "actor_ids[]": "actor",
    "actor_types[]": "actor_type",
    "api_key_ids[]": "api_key_id",
    "context_windows[]": "context_window",
    "inference_geos[]": "inference_geo",
    "models[]": "model",
    "products[]": "product",
    "service_tiers[]": "service_tier",
    "speeds[]": "speed",
    "workspace_ids[]": "workspace_id",
}
_ELSEWHERE: Final = (
    "agent_ids[]",
    "claude_tag_categories[]",
    "claude_tag_user_ids[]",
    "deployment_ids[]",
    "environment_ids[]",
    # Of the children of a parent organization, of which there are none.
    "organization_ids[]",
    "rbac_group_ids[]",
    "session_ids[]",
    "slack_channel_ids[]",
    "user_profile_ids[]",
)


class Range(NamedTuple):
    """What is asked for: from when to when, in seconds, in buckets of what width if any."""

    start: int
    end: int
    width: Width | None


def range_of(params: UsageParams | CostParams, now: float) -> Range:
    """The range, rounded down to whole hours, or to whole buckets [guess: that these are rounded at both ends]."""
    check_range(params, now)
    starting, ending = params["starting_at"], params.get("ending_at")
    width = params.get("time_bucket_width")
    if ending is not None and ending <= starting:
        raise InvalidRequestError("ending_at: must be after starting_at")
    if width is not None and ending is None:
        raise InvalidRequestError("ending_at: required when time_bucket_width is set")
    if width == "1m" and ending is not None and ending > starting + _LONGEST_OF_MINUTES:
        raise InvalidRequestError("ending_at: the range may span at most 24 hours with time_bucket_width 1m")
    if ending is None:
        ending = max(starting, min(now, starting + _LONGEST))
    seconds = HOUR if width is None else SECONDS[width]
    return Range(int(starting // seconds) * seconds, int(ending // seconds) * seconds, width)


def check_grouping(params: UsageParams | CostParams) -> list[str]:
    """What to group by, each dimension once. Raises InvalidRequestError for what does not go together."""
    asked: list[str] = list(dict.fromkeys(params.get("group_by[]", [])))
    if "rbac_group_id" in asked:
        raise InvalidRequestError("group_by[]: rbac_group_id is not supported by this server")
    if len([name for name in asked if name not in FAN_OUT]) > _MOST_DIMENSIONS:
        raise InvalidRequestError(f"group_by[]: at most {_MOST_DIMENSIONS} dimensions")
    if params.get("exclude_deleted_users") and "actor" not in asked:
        raise InvalidRequestError("exclude_deleted_users: requires group_by[]=actor")
    return asked


def filters_of(params: Mapping[str, Any], id_of: Mapping[str, str]) -> list[Filter] | None:
    """The filters; None where they match nothing at all. `id_of`: a model's id by its other names."""
    if any(values_of(params, name) for name in _ELSEWHERE):
        return None
    filters: list[Filter] = []
    for name, column in _COLUMN_OF_FILTER.items():
        values = values_of(params, name)
        if column == "model":
            values = [id_of.get(value, value) for value in values]
        if column != "api_key_id":  # whose empty entry is usage that no key authenticated
            values = [value for value in values if value]
        if values:
            filters.append((column, frozenset(values)))
    return filters
