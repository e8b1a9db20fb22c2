"""What a request is told that money does not let pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from understudy.usage.sums import Month
from understudy.wire.errors import ApiError, InvalidRequestError, RateLimitError

Bound: TypeAlias = Literal["credit", "tier", "organization", "workspace", "user", "api_key"]
"""What may bound spending, in the order in which it is looked at."""


def _regain(month: Month) -> str:
    return f"You will regain access on {month.next_date} at 00:00 UTC."


def _credit(_: Month) -> ApiError:
    # As seen in the field. The documentation also knows a 402 billing_error, which was not.
    return InvalidRequestError(
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
        "purchase credits."
    )


def _tier(month: Month) -> ApiError:
    # No retry-after: clients would wait for it. They would also repeat a 429 without one, unless told otherwise.
    return RateLimitError(
        "You have reached your API usage limits: your organization has crossed its monthly API usage threshold, set "
        f"based on your organization's API tier. {_regain(month)}",
        details={"error_code": "enforced_spend_limit_reached"},
        retry=False,
    )


def _organization(month: Month) -> ApiError:
    return InvalidRequestError(f"You have reached your specified API usage limits. {_regain(month)}")


def _workspace(month: Month) -> ApiError:
    return InvalidRequestError(f"You have reached your specified workspace API usage limits. {_regain(month)}")


def _user(month: Month) -> ApiError:
    # [guess] after the pattern of the two above
    return InvalidRequestError(f"You have reached your specified user API usage limits. {_regain(month)}")


def _api_key(month: Month) -> ApiError:
    # Ours: the real service has no budgets of keys.
    return InvalidRequestError(f"This API key has reached its monthly budget. {_regain(month)}")


_REFUSALS: Final[dict[Bound, Callable[[Month], ApiError]]] = {
    "credit": _credit,
    "tier": _tier,
    "organization": _organization,
    "workspace": _workspace,
    "user": _user,
    "api_key": _api_key,
}


def spend_refusal(bound: Bound, month: Month) -> ApiError:
    """The error of a request that came in `month` after the bound was reached."""
    return _REFUSALS[bound](month)
