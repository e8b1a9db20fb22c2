"""The 429 of a rate limit: its text, and how long to wait."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from understudy.http.principal import Principal
from understudy.wire.errors import RateLimitError

Scope: TypeAlias = Literal["organization", "workspace", "api_key"]

# As a recorded refusal has it (2026-02); observed with "input tokens", "output tokens" and "requests per minute".
# Reports since 2026-03 say claude.com/contact-sales; what is recorded counts.
_TAIL: Final = (
    "For details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current "
    "usage. Please reduce the prompt length or the maximum tokens requested, or try again later. You may also contact "
    "sales at https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase."
)

# [guess] for all but the first five, which follow the same pattern.
_UNITS: Final = {
    "requests_per_minute": "requests per minute",
    "input_tokens_per_minute": "input tokens per minute",
    "input_tokens_per_minute_cache_aware": "input tokens per minute",
    "output_tokens_per_minute": "output tokens per minute",
    "tokens_per_minute": "tokens per minute",
    "tokens_per_day": "tokens per day",
    "requests_per_hour": "requests per hour",
    "requests_per_day": "requests per day",
    "tool_uses_per_second": "tool uses per second",
    "fast_itpmca": "fast mode input tokens per minute",
    "fast_otpm": "fast mode output tokens per minute",
}
# [guess] for workspaces and keys: only refusals by the organization's limits were ever seen.
_WHOSE: Final[dict[Scope, str]] = {
    "organization": "organization's",
    "workspace": "workspace's",
    "api_key": "API key's",
}


def limit_exceeded(scope: Scope, limiter: str, remaining: int, limit: int) -> str:
    """The limit that a request exceeds, as the request log has it: `organization/requests_per_minute 0/50`, whose
    numbers are what was left (less than nothing in debt) and the limit."""
    return f"{scope}/{limiter} {remaining}/{limit}"


def parse_exceeded(text: str) -> dict[str, Any]:
    """What `limit_exceeded` wrote, or what spending and the ramp limit have instead, which is without numbers."""
    name, _, numbers = text.partition(" ")
    scope, _, limiter = name.partition("/")
    remaining, _, limit = numbers.partition("/")
    return {
        "scope": scope,
        "limiter": limiter,
        "limit": int(limit) if limit else None,
        "remaining": int(remaining) if remaining else None,
    }


class LimitExceededError(RateLimitError):
    """A request that a limit does not let pass."""

    def __init__(self, message: str, exceeded: str, *, details: dict[str, Any] | None, wait: int | None) -> None:
        # A request that the bucket could never hold is not told when to come back.
        headers = {} if wait is None else {"retry-after": str(max(1, -(-wait // 1000)))}
        super().__init__(message, details=details, headers=headers, retry=wait is not None)
        self.exceeded = exceeded


def refusal(
    caller: Principal,
    scope: Scope,
    limiter: str,
    limit: int,
    model: str | None,
    wait: int | None,
    remaining: int = 0,
) -> LimitExceededError:
    """What a caller is told. `wait`: milliseconds until the same request passes, None for never. `remaining` is what
    the limit would still have let through."""
    whom = [f"org: {caller.organization_id}"]
    if scope == "workspace":
        whom.append(f"workspace: {caller.workspace_id}")
    elif scope == "api_key":
        whom.append(f"API key: {caller.api_key_id}")
    if model is not None:
        whom.append(f"model: {model}")
    text = (
        f"This request would exceed your {_WHOSE[scope]} rate limit of {limit:,} {_UNITS.get(limiter, limiter)} "
        f"({', '.join(whom)}). {_TAIL}"
    )
    return LimitExceededError(text, limit_exceeded(scope, limiter, remaining, limit), details=None, wait=wait)


def ramp_refusal(caller: Principal, model: str | None, wait: int) -> LimitExceededError:
    """[guess] The code is the SDK's; the text was not seen."""
    whom = f"org: {caller.organization_id}" + ("" if model is None else f", model: {model}")
    return LimitExceededError(
        f"This request would exceed your organization's usage increase rate ({whom}). Please scale up your traffic "
        "gradually, or try again later. For details, refer to: https://docs.claude.com/en/api/rate-limits.",
        "organization/ramp",
        details={"error_code": "ramp_limit_exceeded"},
        wait=wait,
    )
