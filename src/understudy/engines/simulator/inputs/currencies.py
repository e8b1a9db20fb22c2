"""Currencies in words and signs."""

from __future__ import annotations

import re
from typing import Final

from . import words

NATIONAL_CURRENCIES: Final[dict[str, str]] = {
    "swiss franc": "CHF",
    "canadian dollar": "CAD",
    "australian dollar": "AUD",
    "new zealand dollar": "NZD",
    "singapore dollar": "SGD",
    "hong kong dollar": "HKD",
    "swedish": "SEK",
    "norwegian": "NOK",
    "danish": "DKK",
    "zloty": "PLN",
    "brazilian": "BRL",
    "korean won": "KRW",
    "turkish lira": "TRY",
    "czech": "CZK",
    "forint": "HUF",
    "sterling": "GBP",
}
"""Currencies that two words name."""


def currency(text: str) -> str | None:
    """The ISO 4217 code of the currency that a text names: "US dollars", "25 €"."""
    lower = text.lower()
    for word, code in NATIONAL_CURRENCIES.items():
        if word in lower:
            return code
    for word in re.findall(r"[A-Z]{3}\b|[$€£¥₹]|[a-z]+", text):
        if word in words.CURRENCY_CODES:
            return word
        code = words.CURRENCIES.get(word) or words.CURRENCIES.get(word.removesuffix("s"))
        if code is not None:
            return code
    return None
