"""The `anthropic-ratelimit-*`, `anthropic-fast-*` and `anthropic-priority-*` headers.

As in 240 recorded answers of 2025 and 2026: `tokens` is the sum of input and output in limit and remaining, and its
reset is the earlier of both; remaining tokens are rounded to the nearest thousand; a reset is a whole second, the
present one for a full bucket. Some answers of 2025-11 also had `retry-after` beside a 200; that is left out, as the
documentation has it on 429 only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from understudy.limits.bucket import Bucket
from understudy.limits.plans import Plan

Headers: TypeAlias = list[tuple[bytes, bytes]]

_MOST_TIMES: Final = 512
_times: dict[int, bytes] = {}


def rfc3339(second: int) -> bytes:
    """A time in UTC with seconds and Z; the same seconds are asked for again and again."""
    found = _times.get(second)
    if found is None:
        if len(_times) >= _MOST_TIMES:
            _times.clear()
        found = _times[second] = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    return found


def rounded(tokens: int, limit: int) -> int:
    """Remaining tokens as they are told. [guess] Limits below a thousand, which the real service has not, are told
    exactly: rounding would hide that there are any."""
    if limit < 1000:
        return tokens
    nearest = (tokens + 500) // 1000 * 1000
    return nearest if nearest < limit else limit


def _tightest(places: tuple[int, ...], plan: Plan, levels: Sequence[int]) -> int:
    """[guess] Of the organization's limiter and the workspace's, the headers tell the one that leaves less."""
    if len(places) == 1:
        return places[0]
    return min(places, key=lambda place: max(0, levels[place] // plan.lines[place].bucket.unit))


def _remaining(of: Bucket, level: int) -> int:
    return level // of.unit if level > 0 else 0


def _reset(of: Bucket, level: int, now: float) -> int:
    if level >= of.full or not of.limit:
        return int(now)
    return int(now + (of.full - level) / of.limit * of.tick / 1000)


_REQUESTS: Final = tuple(f"anthropic-ratelimit-requests-{what}".encode() for what in ("limit", "remaining", "reset"))
_TOKENS: Final = tuple(f"anthropic-ratelimit-tokens-{what}".encode() for what in ("limit", "remaining", "reset"))
_INPUT: Final = tuple(f"anthropic-ratelimit-input-tokens-{what}".encode() for what in ("limit", "remaining", "reset"))
_OUTPUT: Final = tuple(f"anthropic-ratelimit-output-tokens-{what}".encode() for what in ("limit", "remaining", "reset"))
_FAST_INPUT: Final = tuple(f"anthropic-fast-input-tokens-{what}".encode() for what in ("limit", "remaining", "reset"))
_FAST_OUTPUT: Final = tuple(f"anthropic-fast-output-tokens-{what}".encode() for what in ("limit", "remaining", "reset"))
_PRIORITY: Final = tuple(
    tuple(f"anthropic-priority-{kind}-tokens-{what}".encode() for what in ("limit", "remaining", "reset"))
    for kind in ("input", "output")
)


def _tokens(names: tuple[bytes, ...], of: Bucket, level: int, now: float, headers: Headers) -> tuple[int, int, int]:
    _, limit, _, tick, unit, full, _ = of
    remaining = rounded(level // unit, limit) if level > 0 else 0
    reset = int(now + (full - level) / limit * tick / 1000) if level < full and limit else int(now)
    limit_name, remaining_name, reset_name = names
    headers += (
        (limit_name, b"%d" % limit),
        (remaining_name, b"%d" % remaining),
        (reset_name, _times.get(reset) or rfc3339(reset)),
    )
    return limit, remaining, reset


def limit_headers(plan: Plan, levels: Sequence[int], times: Sequence[float]) -> Headers:
    """The headers for the `levels` that a plan's buckets had at `times`, seconds since the epoch. Limiters that do not
    exist have none."""
    lines = plan.lines
    headers: Headers = []
    if plan.requests:
        place = _tightest(plan.requests, plan, levels)
        of, level, now = lines[place].bucket, levels[place], times[place]
        headers += (
            (_REQUESTS[0], b"%d" % of.limit),
            (_REQUESTS[1], b"%d" % _remaining(of, level)),
            (_REQUESTS[2], rfc3339(_reset(of, level, now))),
        )
    limit = remaining = reset = None
    if plan.input:
        place = _tightest(plan.input, plan, levels)
        limit, remaining, reset = _tokens(_INPUT, lines[place].bucket, levels[place], times[place], headers)
    if plan.output:
        place = _tightest(plan.output, plan, levels)
        most, left, at = _tokens(_OUTPUT, lines[place].bucket, levels[place], times[place], headers)
        if limit is None or remaining is None or reset is None:
            limit, remaining, reset = most, left, at
        else:
            limit, remaining, reset = limit + most, remaining + left, min(reset, at)
    for place in plan.workspace_tokens:
        of, level = lines[place].bucket, levels[place]
        left = rounded(_remaining(of, level), of.limit)
        if remaining is None or left < remaining:
            limit, remaining, reset = of.limit, left, _reset(of, level, times[place])
    if limit is not None and remaining is not None and reset is not None:
        headers += ((_TOKENS[0], b"%d" % limit), (_TOKENS[1], b"%d" % remaining), (_TOKENS[2], rfc3339(reset)))
    if plan.fast_input or plan.fast_output:
        for names, places in ((_FAST_INPUT, plan.fast_input), (_FAST_OUTPUT, plan.fast_output)):
            if places:
                place = _tightest(places, plan, levels)
                _tokens(names, lines[place].bucket, levels[place], times[place], headers)
    return headers


def priority_headers(buckets: Sequence[Bucket], levels: Sequence[int], now: float) -> Headers:
    """The headers of a Priority Tier commitment: its buckets of input and of output."""
    headers: Headers = []
    for names, of, level in zip(_PRIORITY, buckets, levels, strict=True):
        _tokens(names, of, level, now, headers)
    return headers
