"""How fast batches may go, so that who is served over HTTP meanwhile does not notice."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

# Seconds between two requests that are begun while somebody is being answered, and while it is not long since; and how
# long that is: the next one may come.
_GIVE_WAY: Final = 0.005
_GIVE_SOME_WAY: Final = 0.003
_NOT_LONG: Final = 0.25


class Traffic(Protocol):
    """Requests over HTTP that ask a model: those that are being answered, and all that ever came."""

    under_way: int
    begun: int


class Pace:
    """For one kind of work that goes on beside `traffic`."""

    def __init__(self, traffic: Traffic | None) -> None:
        self._traffic = traffic
        self._begun = 0
        self._quiet_from = 0.0

    def way(self) -> float:
        """Seconds until the next step may be taken. It is a short one."""
        traffic = self._traffic
        if traffic is None:
            return 0
        now = asyncio.get_running_loop().time()
        if traffic.under_way or traffic.begun != self._begun:
            self._begun = traffic.begun
            self._quiet_from = now + _NOT_LONG
            return _GIVE_WAY
        return _GIVE_SOME_WAY if now < self._quiet_from else 0
