"""What a request is told that money does not let pass."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from understudy.usage.sums import Month
from understudy.wire.errors import InvalidRequestError, RateLimitError

Bound: TypeAlias = Literal["credit", "tier", "organization", "workspace", "user", "api_key"]
"""What may bound spending, in the order in which it is looked at."""


class SpendLimitReachedError(InvalidRequestError):
    """A limit that somebody set, or credit that is used up. `exceeded` names it, as `spend/…`, for logs."""

    def __init__(self, message: str, bound: Bound) -> None:
        super().__init__(message)
        self.exceeded = f"spend/{bound}"


class TierCapReachedError(RateLimitError):
    """The most that an organization of its tier may spend in a month.

    Without retry-after, for which clients would wait. They would also repeat a 429 without one, unless told otherwise.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, details={"error_code": "enforced_spend_limit_reached"}, retry=False)
        self.exceeded = "spend/tier"


_TIER: Final = (
    "You have reached your API usage limits: your organization has crossed its monthly API usage threshold, set based "
    "on your organization's API tier."
)
# As seen in the field. The documentation also knows a 402 billing_error, which was not.
_CREDIT: Final = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase "
    "credits."
)
_TEXTS: Final[dict[Bound, str]] = {
    "organization": "You have reached your specified API usage limits.",
    "workspace": "You have reached your specified workspace API usage limits.",
    "user": "You have reached your specified user API usage limits.",  # [guess] after the pattern of the two above
    "api_key": "This API key has reached its monthly budget.",  # ours: the real service has no budgets of keys
}


def spend_refusal(bound: Bound, month: Month) -> SpendLimitReachedError | TierCapReachedError:
    """The error of a request that came in `month` after the bound was reached."""
    if bound == "credit":
        return SpendLimitReachedError(_CREDIT, bound)
    regain = f"You will regain access on {month.next_date} at 00:00 UTC."
    if bound == "tier":
        return TierCapReachedError(f"{_TIER} {regain}")
    return SpendLimitReachedError(f"{_TEXTS[bound]} {regain}", bound)
