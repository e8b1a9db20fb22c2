"""The acceleration limit: traffic that grows sharply is refused below the listed limits.

[guess] The documentation says that there is one, and the SDK knows its error code, but the rule is not published. Ours:
within a minute of the clock, an organization may send a group `growth` times the requests of the minute before, and
always `free_share` of its limit. It is off unless configured. Each process counts for itself.
"""

from __future__ import annotations

import math
from typing import Final

from understudy.limits.config import RampRule

_MINUTE_MS: Final = 60_000
_MOST_COUNTS: Final = 10_000


class Ramp:
    def __init__(self, rule: RampRule) -> None:
        self._rule = rule
        # Key → minute, requests of it, requests of the minute before.
        self._counts: dict[str, tuple[int, int, int]] = {}

    def admit(self, key: str, limit: int, now: int) -> int | None:
        """Count a request of `key`, whose limit is `limit` a minute, at `now` (milliseconds of a steady clock).

        None when it may pass; else the milliseconds until one may, and it is not counted.
        """
        minute = now // _MINUTE_MS
        then, count, before = self._counts.get(key, (minute, 0, 0))
        if then != minute:
            count, before = 0, count if then == minute - 1 else 0
        allowed = max(1, math.ceil(limit * self._rule.free_share), int(before * self._rule.growth))
        if count >= allowed:
            return (minute + 1) * _MINUTE_MS - now
        if len(self._counts) >= _MOST_COUNTS:
            self._counts = {each: state for each, state in self._counts.items() if state[0] >= minute - 1}
        self._counts[key] = (minute, count + 1, before)
        return None
