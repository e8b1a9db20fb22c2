"""The rate-limit headers of an answer, by the names that OpenAI's clients know."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final, TypeAlias

Fields: TypeAlias = list[tuple[bytes, bytes]]

_PREFIX: Final = b"anthropic-ratelimit-"
_NAMES: Final = {
    b"anthropic-ratelimit-%s-%s" % (limit, what): b"x-ratelimit-%s-%s" % (what, limit)
    for limit in (b"requests", b"tokens")
    for what in (b"limit", b"remaining", b"reset")
}
# Limits that OpenAI's clients have no word for.
_DROPPED: Final = (_PREFIX, b"anthropic-fast-", b"anthropic-priority-")


def duration(seconds: int) -> bytes:
    """A time as OpenAI's API writes how long it is until a limit is whole again: `6m0s`."""
    hours, rest = divmod(max(0, seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, seconds)
    return b"%dm%ds" % (minutes, seconds) if minutes else b"%ds" % seconds


def limits_as_openai(headers: Fields, now: float) -> Fields:
    """The same headers with the limits on requests and tokens renamed, and the others left out. `now`: seconds since
    the epoch.

    [guess] `reset` is how long it takes, as in OpenAI's documentation, whose clients this route is for: the page on
    this route only names the headers.
    """
    found: Fields = []
    for name, value in headers:
        renamed = _NAMES.get(name)
        if renamed is not None:
            if name.endswith(b"-reset"):
                seconds = datetime.fromisoformat(value.decode()).timestamp() - now
                found.append((renamed, duration(math.ceil(seconds))))
            else:
                found.append((renamed, value))
        elif not name.startswith(_DROPPED):
            found.append((name, value))
    return found
