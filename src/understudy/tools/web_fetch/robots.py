"""robots.txt (RFC 9309): what a site's owner does not want programs to fetch."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

AGENT: Final = "understudy"
MOST_BYTES: Final = 500 * 1024
"""What RFC 9309, 2.5 asks to be read at least. What stands behind it is not read."""

_KEPT_FOR: Final = 3_600.0
_MOST_SITES: Final = 512


class Robots:
    """`read` fetches a site's robots.txt: its text, "" where there is none, None where it cannot be told."""

    def __init__(
        self, read: Callable[[str], Awaitable[str | None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._sites: OrderedDict[str, tuple[float, RobotFileParser | None]] = OrderedDict()

    async def allows(self, url: str) -> bool:
        """Whether `url` may be fetched. A site that cannot say so does not allow it (RFC 9309, 2.3.1.4)."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        known = self._sites.get(site)
        if known is None or known[0] < self._clock():
            known = (self._clock() + _KEPT_FOR, await self._rules(site))
            self._sites[site] = known
            self._sites.move_to_end(site)
            if len(self._sites) > _MOST_SITES:
                self._sites.popitem(last=False)
        rules = known[1]
        return rules is not None and rules.can_fetch(AGENT, url)

    async def _rules(self, site: str) -> RobotFileParser | None:
        text = await self._read(site + "/robots.txt")
        if text is None:
            return None
        rules = RobotFileParser()
        rules.parse(text[:MOST_BYTES].splitlines())
        return rules
