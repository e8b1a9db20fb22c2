"""Money: whole nano-dollars everywhere, decimal text at the edges. Never a float.

A nano-dollar is a thousand-millionth of a US dollar; 64 bits hold nine thousand million dollars of them. The cheapest
token of the catalog, read from the cache in a batch, costs five.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

NANO: Final = 1_000_000_000
"""Nano-dollars in a dollar."""

CENT: Final = NANO // 100
"""Nano-dollars in a cent."""

CURRENCY: Final = "USD"


def nano(dollars: Decimal) -> int:
    """An amount in dollars as nano-dollars; what is less is rounded half up."""
    return int((dollars * NANO).to_integral_value("ROUND_HALF_UP"))


def dollars(amount: int) -> Decimal:
    """Nano-dollars as dollars, exactly."""
    return Decimal(amount).scaleb(-9)


def plain(amount: int) -> str:
    """Nano-dollars as our own routes write dollars: a decimal number with all nine places."""
    return f"{dollars(amount):f}"


def cents(amount: int) -> str:
    """Nano-dollars as the API writes amounts: a decimal number of cents, exact and without trailing zeros."""
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), CENT)
    return f"{sign}{whole}.{rest:07d}".rstrip("0").rstrip(".") if rest else f"{sign}{whole}"
