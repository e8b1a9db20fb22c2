"""What several server processes share beside the database: Redis, where the settings name one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from understudy.messages.caching import Ledger, MemoryLedger
from understudy.settings import RedisSettings, SettingsError

if TYPE_CHECKING:
    from redis.asyncio import Redis


def open_redis(settings: RedisSettings) -> Redis | None:
    """The client, which connects when it is first used. Raises SettingsError for a URL that cannot be."""
    if settings.url is None:
        return None
    try:
        from understudy.storage.redis import connect
    except ImportError:
        raise SettingsError('redis.url: Redis takes the extra: pip install "understudy[redis]".') from None
    try:
        return connect(settings.url.get_secret_value(), settings.timeout)
    except ValueError:
        # What failed may quote the password.
        raise SettingsError(
            "redis.url is not the URL of a Redis. One looks like redis://user:password@host:6379/0 or "
            "unix:///run/redis.sock."
        ) from None


def open_ledger(redis: Redis | None, clock: Callable[[], float]) -> Ledger:
    """The prompt cache's ledger: in Redis if there is one, else of this process."""
    if redis is None:
        return MemoryLedger(clock)
    from understudy.messages.caching.redis_ledger import RedisLedger

    return RedisLedger(redis, clock)
