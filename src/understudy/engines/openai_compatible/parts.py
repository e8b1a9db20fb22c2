"""The parts of an answer, one after the other.

A stream of the API has one block open at a time. An upstream may write several calls at once, and text between them, so
all parts of an answer stand in a queue: the first is passed on as it comes, the others wait until it has ended. A call
has ended when its input is a whole object and something else has begun, or when the answer has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from understudy.engines.engine import EngineEvent, InputDelta, TextDelta, ThinkingDelta, ToolUse

from .calls import Call
from .errors import UpstreamError
from .think_tags import Kind
from .tools import Names


@dataclass(slots=True)
class _Said:
    """Text or thinking. White space alone is no block, so it waits for what follows."""

    kind: Kind
    waiting: list[str] = field(default_factory=list[str])
    begun: bool = False

    def ready(self) -> str:
        text = "".join(self.waiting)
        if not self.begun:
            if not text or text.isspace():
                return ""
            self.begun = True
        self.waiting.clear()
        return text


_Part: TypeAlias = _Said | Call


class Tokens:
    """Tokens of an answer: `owed` are those that no event bears yet. Apart from the answer, lest it and its parts hold
    each other, which the garbage collector would have to find out."""

    __slots__ = ("_left", "owed")

    def __init__(self, most: int) -> None:
        self._left = most
        self.owed = 0

    def take(self) -> int:
        """What the next event bears: all that is owed, but never more than may be made."""
        tokens = self.owed
        if tokens > self._left:
            tokens = self._left
        self.owed = 0
        self._left -= tokens
        return tokens

    def spread(self, sizes: list[int], made: int) -> bool:
        """Let events bear `sizes`, which are `made` together, and the first one what is owed as well. False, and
        nothing is done, where that is more than may be made."""
        if self.owed + made > self._left:
            return False
        sizes[0] += self.owed
        self._left -= self.owed + made
        self.owed = 0
        return True


class Parts:
    """`events` takes what is passed on, `tokens` tells how many the next event bears. `called`: a call was among it.
    `flows`: a text is open, and what is added to it would be passed on as it is."""

    __slots__ = ("_names", "_parts", "_tokens", "called", "events", "flows")

    def __init__(self, names: Names, tokens: Callable[[], int]) -> None:
        self._names = names
        self._tokens = tokens
        self._parts: deque[_Part] = deque()
        self.events: list[EngineEvent] = []
        self.called = False
        self.flows = False

    def say(self, kind: Kind, text: str) -> None:
        """Add text or thinking to what was said last, or behind the calls."""
        parts = self._parts
        last = parts[-1] if parts else None
        if last.__class__ is not _Said or cast("_Said", last).kind != kind:
            last = _Said(kind)
            parts.append(last)
        said = cast("_Said", last)
        said.waiting.append(text)
        self.advance()
        self.flows = kind == "text" and said.begun and len(parts) == 1

    def begin(self, call: Call) -> None:
        """Put a call behind what there is."""
        self.flows = False
        self._parts.append(call)

    def advance(self) -> None:
        """Pass on what the first part has, and the next ones' if it has ended."""
        parts = self._parts
        while parts:
            first = parts[0]
            self._pass_on(first)
            if len(parts) == 1 or (isinstance(first, Call) and not first.whole()):
                return
            parts.popleft()

    def breaks_off(self) -> bool:
        """Whether the last part is a call that has begun its input and not ended it."""
        last = self._parts[-1] if self._parts else None
        return isinstance(last, Call) and last.breaks_off()

    def end(self, *, cut: bool) -> None:
        """Pass on all that waits. `cut`: calls may stay unfinished. Raises UpstreamError for one that cannot be run."""
        while self._parts:
            part = self._parts.popleft()
            self._pass_on(part)
            if isinstance(part, Call):
                if part.name is not None:
                    self._input(part.end(cut=cut))
                elif not cut:
                    raise UpstreamError("The model's server sent a call without the name of a tool.")

    def _pass_on(self, part: _Part) -> None:
        if isinstance(part, _Said):
            text = part.ready()
            if text:
                made = TextDelta if part.kind == "text" else ThinkingDelta
                self.events.append(made(text, self._tokens()))
        elif part.name is not None:
            if not part.opened:
                part.opened = self.called = True
                name, toolset_name = self._names.ours(part.name)
                self.events.append(ToolUse(name, toolset_name, self._tokens()))
            self._input(part.ready())

    def _input(self, text: str) -> None:
        if text:
            self.events.append(InputDelta(text, self._tokens()))
