from __future__ import annotations

import gzip
import json

import pytest

from limits.limiters import MODEL, Bench, caller
from recordings.replaying import EXCHANGES, needs_recordings
from understudy.http.principal import Principal
from understudy.limits.refusals import LimitExceededError, limit_exceeded, parse_exceeded, refusal
from understudy.limits.snapshot import Snapshot

ORGANIZATION = "5576611f-a1ee-427c-9800-298d9579899c"


def test_the_text_is_the_recorded_one() -> None:
    error = refusal(
        Principal(ORGANIZATION, "wrkspc_a", "apikey_a"), "organization", "input_tokens_per_minute", 30_000, MODEL, 100
    )
    assert error.message == (
        "This request would exceed your organization's rate limit of 30,000 input tokens per minute "
        f"(org: {ORGANIZATION}, model: {MODEL}). For details, refer to: https://docs.claude.com/en/api/rate-limits. "
        "You can see the response headers for current usage. Please reduce the prompt length or the maximum tokens "
        "requested, or try again later. You may also contact sales at https://www.anthropic.com/contact-sales to "
        "discuss your options for a rate limit increase."
    )
    assert (error.status, error.type, error.retry) == (429, "rate_limit_error", True)


@needs_recordings
def test_recorded_refusals_differ_in_the_limit_only() -> None:
    seen = 0
    for line in gzip.decompress(EXCHANGES.read_bytes()).splitlines():
        exchange = json.loads(line)
        if exchange["status"] == 429:
            message = exchange["response_body"]["error"]["message"]
            ours = refusal(Principal(ORGANIZATION, None, None), "organization", "?", 20_000_000, MODEL, 1).message
            assert message.replace("prompt bytes per hour", "?") == ours
            assert exchange["response_headers"]["x-should-retry"] == "true"
            seen += 1
    assert seen


@pytest.mark.parametrize(
    ("tokens", "text"),
    [(30_000, "30,000 input tokens per minute"), (0, "50 requests per minute")],
)
async def test_the_limit_that_refuses_is_named_with_its_number_the_organization_and_the_model(
    tokens: int, text: str
) -> None:
    bench = Bench()
    with pytest.raises(LimitExceededError) as refused:
        for _ in range(60):
            await bench.limiter.begin(caller(), model=MODEL, input_tokens=tokens)
    who = f"(org: {caller().organization_id}, model: {MODEL})"
    assert f"your organization's rate limit of {text} {who}" in refused.value.message


async def test_a_workspace_s_limit_names_the_workspace() -> None:
    group = Bench().limiter.groups.of_model(MODEL).id
    bench = Bench(Snapshot(workspace_limits={"wrkspc_a": {group: {"requests_per_minute": 1}}}))
    await bench.limiter.begin(caller(), model=MODEL)
    with pytest.raises(LimitExceededError, match="your workspace's rate limit of 1 requests per minute") as refused:
        await bench.limiter.begin(caller(), model=MODEL)
    assert "workspace: wrkspc_a" in refused.value.message
    assert refused.value.exceeded == "workspace/requests_per_minute 0/1"


async def test_what_has_no_model_names_none() -> None:
    bench = Bench()
    with pytest.raises(LimitExceededError) as refused:
        for _ in range(200):
            await bench.limiter.begin(caller(), "files")
    assert f"100 requests per minute (org: {caller().organization_id})." in refused.value.message


def test_what_the_request_log_has_of_a_refusal_is_read_back() -> None:
    text = limit_exceeded("workspace", "tokens_per_day", -20, 5_000)
    assert parse_exceeded(text) == {"scope": "workspace", "limiter": "tokens_per_day", "limit": 5_000, "remaining": -20}
    # Spending and the ramp limit have no numbers.
    assert parse_exceeded("spend/tier") == {"scope": "spend", "limiter": "tier", "limit": None, "remaining": None}
