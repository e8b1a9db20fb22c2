from __future__ import annotations

import pytest

from understudy.clouds.openai.limits import duration, limits_as_openai

NOW = 1_773_856_211.4  # 2026-03-18T17:50:11.4Z


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0, "0s"),
        (1, "1s"),
        (59, "59s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (3_600, "1h0m0s"),
        (90_061, "25h1m1s"),
    ],
)
def test_a_time_is_written_as_openai_s_clients_read_it(seconds: int, text: str) -> None:
    assert duration(seconds) == text.encode()


def test_limits_have_openai_s_names_and_all_else_stays() -> None:
    headers = [
        (b"anthropic-ratelimit-requests-limit", b"50"),
        (b"anthropic-ratelimit-requests-remaining", b"49"),
        (b"anthropic-ratelimit-requests-reset", b"2026-03-18T17:50:13Z"),
        (b"anthropic-ratelimit-input-tokens-limit", b"30000"),
        (b"anthropic-ratelimit-tokens-limit", b"38000"),
        (b"anthropic-ratelimit-tokens-remaining", b"38000"),
        # A full bucket's is the present second, which has begun.
        (b"anthropic-ratelimit-tokens-reset", b"2026-03-18T17:50:11Z"),
        (b"anthropic-fast-input-tokens-limit", b"1"),
        (b"anthropic-priority-input-tokens-limit", b"1"),
        (b"retry-after", b"2"),
        (b"understudy-engine", b"simulator"),
    ]
    assert limits_as_openai(headers, NOW) == [
        (b"x-ratelimit-limit-requests", b"50"),
        (b"x-ratelimit-remaining-requests", b"49"),
        (b"x-ratelimit-reset-requests", b"2s"),
        (b"x-ratelimit-limit-tokens", b"38000"),
        (b"x-ratelimit-remaining-tokens", b"38000"),
        (b"x-ratelimit-reset-tokens", b"0s"),
        (b"retry-after", b"2"),
        (b"understudy-engine", b"simulator"),
    ]
