"""Cutting an answer at a stop sequence, wherever the pieces of it were cut."""

from __future__ import annotations


class StopCutter:
    """Lets text through until one of the stop sequences appears in it.

    Text that may be the beginning of a stop sequence is held back until it is known. Of several that appear, the one
    that ends first stops the answer; of those that end together, the longest.
    """

    def __init__(self, sequences: list[str]) -> None:
        self._sequences = sorted({sequence for sequence in sequences if sequence}, key=len, reverse=True)
        self._longest = max((len(sequence) for sequence in self._sequences), default=0)
        self._held = ""

    def feed(self, text: str) -> tuple[str, str | None]:
        """The text that may go out now, and the stop sequence if it was reached."""
        waiting = self._held + text
        end, start, matched = len(waiting) + 1, 0, None
        for sequence in self._sequences:
            place = waiting.find(sequence)
            if place >= 0 and place + len(sequence) < end:
                end, start, matched = place + len(sequence), place, sequence
        if matched is not None:
            self._held = ""
            return waiting[:start], matched
        keep = self._possible_beginning(waiting)
        self._held = waiting[len(waiting) - keep :]
        return waiting[: len(waiting) - keep], None

    def rest(self) -> str:
        """What was held back when the answer ends by itself."""
        rest, self._held = self._held, ""
        return rest

    def _possible_beginning(self, text: str) -> int:
        """Length of the longest end of `text` with which a stop sequence begins."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            ending = text[-length:]
            if any(sequence.startswith(ending) for sequence in self._sequences):
                return length
        return 0
