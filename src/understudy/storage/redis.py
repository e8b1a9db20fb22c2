"""Redis, for what several server processes share. It takes the extra `redis`; import this module only where one is set.

What goes through here never waits longer than a timeout, and is never sent twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

AWAY: Final = (TimeoutError, RedisError, OSError)
"""What a call raises when Redis cannot be asked, or does not do what it is asked to."""

# A busy event loop comes back to each command late: a few connections would be waited for while Redis is idle, and the
# pool tells that as it tells a Redis that is away. They are made when they are needed.
_CONNECTIONS: Final = 512


def connect(url: str, timeout: float) -> Redis:
    """A client that never waits longer than `timeout` seconds and repeats nothing by itself. Nothing is sent yet.

    Raises ValueError for a URL that cannot be; its message may quote a part of a password.
    """
    # Requests beyond these wait for a connection; the ordinary pool would call Redis away at once.
    pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        max_connections=_CONNECTIONS,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        # What counts would count twice.
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


class Script:
    """A Lua script, sent whole only to a Redis that does not have it yet."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._sha = hashlib.sha1(source, usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
        """What the script returns. Raises what `AWAY` names."""
        evaluate = cast("Any", redis)
        try:
            return await evaluate.evalsha(self._sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await evaluate.eval(self._source, len(keys), *keys, *arguments)
