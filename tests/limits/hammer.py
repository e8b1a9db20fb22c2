"""One server process with many clients on one key: `python hammer.py <redis url> <clients> <begin> <end>`.

Begins requests from `begin` until `end` (seconds since the epoch), each client again as soon as it was answered, and
prints how many were let in, how many were not, and when the last was let in.
"""

from __future__ import annotations

import asyncio
import sys
import time

from understudy.http.principal import Principal
from understudy.limits.config import LimitsConfig
from understudy.limits.groups import Groups
from understudy.limits.limiter import Limiter
from understudy.limits.redis import RedisBuckets
from understudy.limits.refusals import LimitExceededError
from understudy.limits.snapshot import NO_OVERRIDES, Snapshot
from understudy.storage.redis import connect


class Nothing:
    snapshot: Snapshot = NO_OVERRIDES


async def main() -> None:
    url, clients, begin, end = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    redis = connect(url, 10.0)
    limiter = Limiter(
        LimitsConfig(mode="enforce", table="2026-10", tier="start"), Groups(), Nothing(), RedisBuckets(redis)
    )
    caller = Principal("hammered", "wrkspc_a", "apikey_a")
    admitted = refused = 0
    last = begin

    async def client() -> None:
        nonlocal admitted, refused, last
        while time.time() < end:
            try:
                admission = await limiter.begin(caller, model="claude-sonnet-5", input_tokens=10)
            except LimitExceededError:
                refused += 1
                await asyncio.sleep(0.01)
                continue
            admitted += 1
            last = time.time()
            if admitted % 3:
                await admission.settle(input_tokens=10, output_tokens=1)
            else:
                await admission.abort()

    await asyncio.sleep(begin - time.time())
    await asyncio.gather(*(client() for _ in range(clients)))
    await redis.aclose()
    print(admitted, refused, last)


asyncio.run(main())
