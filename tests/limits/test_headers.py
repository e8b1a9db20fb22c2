from __future__ import annotations

import gzip
import json
import re
from datetime import datetime

import pytest

from limits.limiters import MODEL, Bench, caller, headers_of
from recordings.replaying import EXCHANGES, needs_recordings
from understudy.limits.headers import rfc3339, rounded
from understudy.limits.refusals import LimitExceededError
from understudy.limits.snapshot import Snapshot


async def test_all_twelve_headers_tell_limits_what_remains_and_when_it_is_full_again() -> None:
    bench = Bench()
    admission = await bench.limiter.begin(caller(), model=MODEL, input_tokens=3_182)
    await admission.settle(input_tokens=3_182, output_tokens=237)
    assert headers_of(admission.headers) == {
        "requests-limit": "50",
        "requests-remaining": "49",
        "requests-reset": "2026-03-18T17:50:12Z",
        "input-tokens-limit": "30000",
        "input-tokens-remaining": "27000",
        "input-tokens-reset": "2026-03-18T17:50:17Z",
        "output-tokens-limit": "8000",
        "output-tokens-remaining": "8000",
        "output-tokens-reset": "2026-03-18T17:50:12Z",
        "tokens-limit": "38000",
        "tokens-remaining": "35000",
        "tokens-reset": "2026-03-18T17:50:12Z",
    }


def test_a_full_bucket_is_reset_now() -> None:
    assert rfc3339(1_773_856_211) == b"2026-03-18T17:50:11Z"


@pytest.mark.parametrize(
    ("tokens", "limit", "told"),
    [(29_499, 30_000, 29_000), (29_500, 30_000, 30_000), (1_500, 1_500, 1_500), (499, 8_000, 0), (400, 400, 400)],
)
def test_remaining_tokens_are_rounded_to_the_nearest_thousand_and_never_above_the_limit(
    tokens: int, limit: int, told: int
) -> None:
    assert rounded(tokens, limit) == told


@needs_recordings
def test_recorded_answers_follow_the_same_rules() -> None:
    checked = 0
    for line in gzip.decompress(EXCHANGES.read_bytes()).splitlines():
        headers = json.loads(line).get("response_headers") or {}
        found = {
            name.removeprefix("anthropic-ratelimit-"): value
            for name, value in headers.items()
            if name.startswith("anthropic-ratelimit-")
        }
        if not found.get("input-tokens-limit", "").isdigit():
            continue
        checked += 1
        for kind in ("limit", "remaining"):
            parts = [int(found[f"{which}-tokens-{kind}"]) for which in ("input", "output")]
            assert int(found[f"tokens-{kind}"]) == sum(parts)
        for which in ("input", "output"):
            limit = int(found[f"{which}-tokens-limit"])
            remaining = int(found[f"{which}-tokens-remaining"])
            assert rounded(remaining, limit) == remaining
        assert found["tokens-reset"] == min(found["input-tokens-reset"], found["output-tokens-reset"])
        for name in ("tokens-reset", "requests-reset"):
            if name in found:
                again = rfc3339(int(datetime.fromisoformat(found[name]).timestamp()))
                assert again.decode() == found[name]
    assert checked > 200


async def test_limiters_that_do_not_exist_have_no_headers() -> None:
    assert (await Bench(tier="custom").limiter.begin(caller(), model=MODEL)).headers == []
    assert (await Bench(configured=("mine",)).limiter.begin(caller(), model="mine")).headers == []


async def test_only_answers_of_messages_carry_them() -> None:
    assert (await Bench().limiter.begin(caller(), "token_count", model=MODEL)).headers == []


async def test_in_debt_nothing_remains() -> None:
    bench = Bench()
    admission = await bench.limiter.begin(caller(), model=MODEL)
    await admission.settle(input_tokens=0, output_tokens=12_000)
    found = headers_of(admission.headers)
    assert found["output-tokens-remaining"] == "0"
    assert found["output-tokens-reset"] == "2026-03-18T17:51:41Z"


async def test_a_refusal_has_the_same_headers_and_when_to_come_back() -> None:
    bench = Bench()
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=29_000)
    with pytest.raises(LimitExceededError) as refused:
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=2_000)
    headers = refused.value.headers
    assert headers["retry-after"] == "2"
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "1000"
    assert headers["anthropic-ratelimit-requests-remaining"] == "49"
    assert len([name for name in headers if name.startswith("anthropic-ratelimit-")]) == 12
    assert all(re.fullmatch(r"[ -~]+", value) for value in headers.values())


async def test_a_workspace_s_tighter_limit_is_the_one_that_is_told() -> None:
    group = Bench().limiter.groups.of_model(MODEL).id
    limits = {"wrkspc_a": {group: {"requests_per_minute": 10, "tokens_per_minute": 4_000}}}
    bench = Bench(Snapshot(workspace_limits=limits))  # pyright: ignore[reportArgumentType]
    admission = await bench.limiter.begin(caller(), model=MODEL, input_tokens=1_000)
    found = headers_of(admission.headers)
    assert (found["requests-limit"], found["requests-remaining"]) == ("10", "9")
    assert (found["tokens-limit"], found["tokens-remaining"]) == ("4000", "3000")
    assert found["input-tokens-limit"] == "30000"
    other = await bench.limiter.begin(caller("wrkspc_b"), model=MODEL)
    assert headers_of(other.headers)["requests-limit"] == "50"
    assert headers_of(other.headers)["tokens-limit"] == "38000"
