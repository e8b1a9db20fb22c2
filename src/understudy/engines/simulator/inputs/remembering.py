"""What the ask does not say itself: it stands in the rest of what is asked, in results, or in what was said before."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from .hints import Hint
from .making import MISSING
from .members import member
from .merging import Schema
from .recall import recalled
from .scores import scored
from .tokens import Value
from .values import Text, read_text

ONE_OF: Final = re.compile(
    r"(?i)\bthe (?:ones?|first|second|third|last|latter|former|other|same|[a-z]+est)\b(?! \d)|\b(?:that|this) one\b|"
    r"\b(?:you|we) (?:find|found|get|got)\b"
)
"""Words that point at one of several things told before."""
POINTING: Final = re.compile(r"(?i)\b(?:it|them|those|its|their|this|her|him|the\s\w+)\b")
"""Words that may point at something told before."""
_THINGS: Final = frozenset("id path url email phone called quoted object".split())


class Memory:
    """The other texts of a request: `context[0]` is the whole of what the person says, the nearest follow."""

    def __init__(
        self,
        ask: str,
        context: Sequence[str],
        convert: Callable[[Hint, Value], Any],
        tool_stems: frozenset[str],
    ) -> None:
        self.ask = ask
        self.context = context
        self.convert = convert
        self.tool_stems = tool_stems
        self._met = False

    def look_up(self, missing: list[Hint], filled: Schema) -> None:
        """What the ask leaves open is looked up in the other texts, the nearest first.

        What the ask points at ("it", "the one you find") is in the newest of them, else in the rest of what is asked.
        """
        strongly = ONE_OF.search(self.ask) is not None
        pointing = self.ask
        if not strongly and self.context and ONE_OF.search(self.context[0]) is not None:
            pointing = self.context[0]
        points = strongly or POINTING.search(self.ask) is not None
        whole = [text for text in self.context[:1] if text != self.ask]
        before = list(self.context[1:])
        # What is pointed at is what the tool is about, where several properties are open.
        meant = next((one for one in missing if one.own & self.tool_stems), missing[0] if len(missing) == 1 else None)
        meant = meant if strongly and not self._met else None
        self._met = self._met or meant is not None
        for one, weakly in [(one, weakly) for weakly in (False, True) for one in missing]:
            if one.free or one.name in filled:
                continue
            texts = [*before[:1], *whole, *before[1:]] if points and one.kinds.keys() & _THINGS else [*whole, *before]
            for other in texts:
                if other in whole and weakly:
                    continue
                if other in whole:
                    found = self.labelled(one, read_text(other))
                else:
                    found = recalled(one, other, pointing, self.convert, MISSING, points=meant is one, weakly=weakly)
                if found is not MISSING:
                    filled[one.name] = found
                    break

    def brought(self, unsure: list[Hint], filled: Schema) -> None:
        """Codes that an earlier result gives by the property's own name: `job` of `{"job": "VJ-210"}`."""
        for one in unsure:
            for other in self.context[1:]:
                if other.lstrip()[:1] not in ("{", "["):
                    continue
                found = recalled(one, other, self.ask, self.convert, MISSING)
                if isinstance(found, int) or (isinstance(found, str) and any(char.isdigit() for char in found)):
                    filled[one.name] = found
                    break

    def labelled(self, one: Hint, text: Text) -> Any:
        """A value that stands clearly for this property in another text."""
        rows = [row for row in scored(one, text, self.tool_stems) if row[0] >= (28 if one.identifies else 19)]
        for _, value in sorted(rows, key=lambda row: -row[0]):
            found = self.convert(one, value)
            if found is not MISSING:
                return found
        return MISSING

    def option(self, one: Hint, options: list[Any]) -> Any:
        """An option that the nearest of the other texts names."""
        for other in self.context[:6]:
            plain = [option for option in options if len(str(option)) > 2 or not isinstance(option, str)]
            option, score, _ = member(one, plain, read_text(other))
            if score > 8:
                return option
        return MISSING
