"""Days of the week and months that a text names for properties that take them."""

from __future__ import annotations

import re
from typing import Any, Final

from . import words
from .hints import Hint
from .values import Text

_MONTH: Final = re.compile(
    r"\b(?:(?:in|for|of|during|by|until|since|from|early|late|mid|next|this|last)[ -])(?P<name>[A-Z][a-zé]+)\b"
)


def month_of(one: Hint, text: Text) -> int | None:
    """The number of a month that is named as a word for a property that takes numbers: "in May" is 5."""
    if one.types.isdisjoint({"integer", "number"}):
        return None
    for match in _MONTH.finditer(text.text):
        number = words.MONTH_NUMBERS.get(match["name"].lower())
        if number is not None:
            return number
    return None


def days_of(options: list[Any], text: Text) -> list[Any]:
    """The options that "weekdays", "weekends" or "every day" name, where the options are the days of the week."""
    known = {str(option).lower()[:3]: option for option in options}
    days = [name[:3] for name in words.WEEKDAYS]
    if len(known) < 5 or any(name not in days for name in known):
        return []
    lower = text.text.lower()
    if re.search(
        r"\b(?:weekdays?|working days?|workdays?|werktags|monday (?:to|through|till|until) friday|mon-fri)\b", lower
    ):
        return [known[day] for day in days[:5] if day in known]
    if re.search(r"\b(?:weekends?|wochenende)\b", lower):
        return [known[day] for day in days[5:] if day in known]
    if re.search(r"\b(?:every ?day|each day|daily|all week|täglich)\b", lower):
        return [known[day] for day in days if day in known]
    return []
