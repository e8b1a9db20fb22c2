from __future__ import annotations

import asyncio
from typing import Any, cast

from understudy.storage.redis import connect


async def test_a_redis_that_answers_is_not_away_because_many_ask_at_once(redis_url: str) -> None:
    """Each command takes longer than the half of what one may wait."""
    redis = connect(redis_url, 1.0)
    waits = [cast("Any", redis).blpop([f"nothing-{number}"], 0.6) for number in range(100)]
    try:
        assert await asyncio.gather(*waits) == [None] * 100
    finally:
        await redis.aclose()
