"""A prompt that was counted and looked up in the cache."""

from __future__ import annotations

from typing import Any, NamedTuple

from understudy.engines.materials import Materials
from understudy.messages.caching import CacheTurn, CacheUse


class Prompted(NamedTuple):
    """`use` says how its tokens are billed; `cached` is the prompt cache's part in it, where it has one. `materials`
    is what its documents and results hold."""

    request: dict[str, Any]
    use: CacheUse
    cached: CacheTurn | None
    materials: Materials
