"""The objects of the Spend Limits API, and what its queries and bodies hold. Source: the SDK's types (2.12.0)."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import AfterValidator, BeforeValidator, Field
from sqlalchemy import Row
from typing_extensions import TypedDict

from understudy.limits.spend_writes import MOST
from understudy.organization.bodies import STRICT, Printable, Shape
from understudy.organization.clock import rfc3339, rfc3339_or_none
from understudy.organization.pages import CursorParams
from understudy.usage.money import CENT, CURRENCY

Period = Literal["daily", "monthly", "weekly"]
ScopeType = Literal[
    "organization", "organization_service", "rbac_group", "seat_tier", "usage_tier", "user", "workspace"
]
Status = Literal["approved", "denied", "pending"]


def _amount(text: str) -> str:
    if not re.fullmatch("[0-9]{1,18}", text, re.ASCII) or int(text) * CENT > MOST:
        raise ValueError("must be a non-negative integer as a decimal string, in cents")
    return text


Amount = Annotated[str, AfterValidator(_amount)]
Id = Annotated[Printable, Field(min_length=1, max_length=100)]

_Scopes = TypedDict("_Scopes", {"scope_type[]": NotRequired[list[ScopeType]]})


class ListParams(CursorParams, _Scopes):
    # The SDKs write a null in a query as an empty text.
    workspace_id: NotRequired[Annotated[Id | None, BeforeValidator(lambda text: text or None)]]


_Members = TypedDict(
    "_Members",
    {
        "period[]": NotRequired[list[Period]],
        "user_ids[]": NotRequired[Annotated[list[Id], Field(max_length=100)]],
    },
)


class EffectiveParams(CursorParams, _Members):
    pass


_Requests = TypedDict(
    "_Requests",
    {
        "actor_ids[]": NotRequired[Annotated[list[Id], Field(max_length=100)]],
        "status[]": NotRequired[list[Status]],
    },
)


class RequestsParams(CursorParams, _Requests):
    pass


class OrganizationScope(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    type: Literal["organization"]


class WorkspaceScope(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    type: Literal["workspace"]
    workspace_id: Id


class UserScope(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    type: Literal["user"]
    user_id: Id


class SetBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    amount: Amount | None
    scope: Annotated[OrganizationScope | WorkspaceScope | UserScope, Field(discriminator="type")]
    period: NotRequired[Literal["monthly"]]


class ApproveBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    amount: Amount
    period: NotRequired[Literal["monthly"] | None]
    suppress_notification: NotRequired[bool]


class DenyBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    suppress_notification: NotRequired[bool]


LIST: Final = Shape(ListParams)
EFFECTIVE: Final = Shape(EffectiveParams)
REQUESTS: Final = Shape(RequestsParams)
SET: Final = Shape(SetBody)
APPROVE: Final = Shape(ApproveBody)
DENY: Final = Shape(DenyBody)


def scope_of(scope_type: str, scope_id: str) -> dict[str, str]:
    """A scope as the API shows it."""
    names = {"workspace": "workspace_id", "user": "user_id", "api_key": "api_key_id"}
    name = names.get(scope_type)
    return {"type": scope_type} if name is None else {"type": scope_type, name: scope_id}


def limit_object(row: Row[Any]) -> dict[str, Any]:
    """A SpendLimit of a row of spend_limits."""
    return {
        "id": row.id,
        "type": "spend_limit",
        "scope": scope_of(row.scope_type, row.scope_id),
        "amount": None if row.amount is None else str(row.amount // CENT),
        "currency": CURRENCY,
        "period": row.period,
        "is_enabled": True,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def tier_limit_object(organization_id: str, amount: int, since: float) -> dict[str, Any]:
    """The SpendLimit of the organization's tier, which nobody sets."""
    return {
        "id": tier_limit_id(organization_id),
        "type": "spend_limit",
        "scope": {"type": "usage_tier"},
        "amount": str(amount // CENT),
        "currency": CURRENCY,
        "period": "monthly",
        "is_enabled": True,
        "created_at": rfc3339(since),
        "updated_at": rfc3339(since),
    }


def tier_limit_id(organization_id: str) -> str:
    """An id that follows from the organization's."""
    return "spl_01" + hashlib.sha256(f"usage tier {organization_id}".encode()).hexdigest()[:22]


def user_actor(user: Row[Any]) -> dict[str, Any]:
    return {
        "type": "user_actor",
        "user_id": user.id,
        "name": user.name,
        "email_address": user.email,
        "deleted": user.removed_at is not None,
    }


def increase_object(
    row: Row[Any], actor: dict[str, Any], resolved_by: dict[str, Any] | None, summary: dict[str, Any] | None
) -> dict[str, Any]:
    """A SpendLimitIncreaseRequest."""
    return {
        "id": row.id,
        "type": "spend_limit_increase_request",
        "actor": actor,
        "period": row.period,
        "status": row.status,
        "created_at": rfc3339(row.created_at),
        "resolved_at": rfc3339_or_none(row.resolved_at),
        "resolved_by": resolved_by,
        "spend_summary": summary,
    }
