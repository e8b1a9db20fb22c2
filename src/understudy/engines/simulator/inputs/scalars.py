"""Texts and numbers that a schema allows: what is given where it fits, else words of the request, else made up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from understudy.engines.simulator.seeded import Seeded

from .formats import FORMATS
from .merging import Schema
from .patterns import PatternError, text_matching
from .schemas import SchemaReader, count_of

WORDS: Final = (
    "amber basil cedar delta ember fjord grove harbor iris juniper kelp lumen maple north olive prism".split()
)


class ScalarMaker(SchemaReader):
    """Makes texts and numbers. `attempt` chooses other values than the attempt before."""

    def __init__(
        self, root: Schema, seeded: Callable[[], Seeded], attempt: int, phrase: Callable[[str], str | None] | None
    ) -> None:
        super().__init__(root)
        self.attempt = attempt
        self.phrase = phrase
        self._new_seeded = seeded
        self._seeded: Seeded | None = None

    @property
    def seeded(self) -> Seeded:
        """Numbers are drawn only when something must be made up."""
        if self._seeded is None:
            self._seeded = self._new_seeded()
            for _ in range(self.attempt):
                self._seeded.below(2)
        return self._seeded

    def string(self, schema: Schema, given: object, name: str) -> str:
        least = min(count_of(schema, "minLength", 0), 100_000)
        most = count_of(schema, "maxLength", 1 << 31)
        pattern = schema.get("pattern")
        if isinstance(given, str):
            return given[:most] if pattern is None else given
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return str(given)
        maker = FORMATS.get(str(schema.get("format")))
        if maker is not None and self.attempt % 4 != 3:
            return maker(self.seeded)
        if isinstance(pattern, str):
            for more in range(self.attempt % 3, self.attempt % 3 + 12, 2):
                try:
                    text = text_matching(pattern, self.seeded, max(0, min(least, 4_000)) if more > 8 else more)
                except (PatternError, RecursionError):
                    break
                if len(text) >= least:
                    return text
            # An open pattern may stand anywhere in a text: its characters repeated are often long enough.
        words = None if self.phrase is None else self.phrase(name)
        text = words if words is not None else f"{self.seeded.choice(WORDS)}-{self.seeded.below(1000)}"
        while len(text) < least:
            text = (text or "a") + " " + text
        return text[: max(least, min(most, len(text)))][:most] if len(text) > most or least else text

    def number(self, schema: Schema, given: object, kind: str) -> int | float:
        whole = kind == "integer"
        low, high = self._bounds(schema, whole)
        value: float
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            value = int(given) if whole and abs(given) < 2**63 else given
            if low <= value <= high and not schema.get("multipleOf"):
                return value
            value = min(max(value, low), high)
        elif low > -math.inf and high < math.inf:
            span = int(min(high - low, 1_000_000)) if high > low else 0
            value = low + self.seeded.below(span + 1)
        elif low > -math.inf:
            value = low + self.seeded.below(10)
        elif high < math.inf:
            value = high - self.seeded.below(10)
        else:
            value = 1 + self.seeded.below(10)
        step = schema.get("multipleOf")
        if isinstance(step, (int, float)) and not isinstance(step, bool) and step > 0:
            value = _stepped(value, step, low, high)
        if whole:
            return int(value) if abs(value) < 2**63 else float(value)
        return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value

    def _bounds(self, schema: Schema, whole: bool) -> tuple[float, float]:
        low, high = -math.inf, math.inf
        for name, sign in (("minimum", 1), ("exclusiveMinimum", 1), ("maximum", -1), ("exclusiveMaximum", -1)):
            bound = schema.get(name)
            if not isinstance(bound, (int, float)) or isinstance(bound, bool):
                continue
            edge: float = bound
            if whole:
                edge = math.ceil(bound) if sign > 0 else math.floor(bound)
            if name.startswith("exclusive") and edge == bound:
                edge += sign * (1 if whole else self._nudge(schema, float(bound)))
            if sign > 0:
                low = max(low, edge)
            else:
                high = min(high, edge)
        return low, high

    @staticmethod
    def _nudge(schema: Schema, bound: float) -> float:
        """A little beyond an exclusive bound, less than the way to the other one."""
        others = [
            abs(schema[name] - bound)
            for name in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
            if isinstance(schema.get(name), (int, float)) and schema[name] != bound
        ]
        return min([1.0, *(other / 4 for other in others)])


def _stepped(value: float, step: float, low: float, high: float) -> float:
    """The multiple of `step` nearest to `value` within the bounds."""
    if not math.isfinite(value / step):
        return value
    count = round(value / step)
    for candidate in (count, count + 1, count - 1):
        multiple = candidate * step if isinstance(step, int) else round(candidate * step, 12)
        if low <= multiple <= high:
            return multiple
    return count * step
