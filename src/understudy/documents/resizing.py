"""The size that an image is shown at: the largest of its shape that a model takes (vision-coordinates.md, 2026-08)."""

from __future__ import annotations

from typing import Final

PATCH: Final = 28
"""Pixels of a side of what the models see as one token."""


def patches(width: int, height: int) -> int:
    """Tokens of an image of this size that is not made smaller."""
    return -(-width // PATCH) * -(-height // PATCH)


def shown_size(width: int, height: int, *, edge: int, tokens: int) -> tuple[int, int]:
    """Width and height in pixels after what the service does to an image of `width` x `height`.

    Neither side, rounded up to whole patches, is longer than `edge`, and there are at most `tokens` patches. An image
    that fits is left as it is.
    """

    def fits(long: int, short: int) -> bool:
        return -(-long // PATCH) * PATCH <= edge and patches(long, short) <= tokens

    long, short = max(width, height), min(width, height)
    if fits(long, short):
        return width, height
    ratio = long / short

    def other(side: int) -> int:
        # Halves go to the even neighbour, as the documentation says of the service.
        return max(round(side / ratio), 1)

    fitting, too_long = 1, long
    while too_long - fitting > 1:
        middle = (fitting + too_long) // 2
        if fits(middle, other(middle)):
            fitting = middle
        else:
            too_long = middle
    return (fitting, other(fitting)) if width >= height else (other(fitting), fitting)
