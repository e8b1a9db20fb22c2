"""Cutting an answer at a stop sequence, wherever the pieces of it were cut."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from understudy.wire.errors import InvalidRequestError

# The documentation of the Bedrock flavour names 8,191; a limit on their length is a guess. Looking for more would take
# longer than answering.
_MOST_SEQUENCES: Final = 8_191
_LONGEST_SEQUENCE: Final = 1_000

# Up to this many are looked for one by one.
_FEW: Final = 16


def check_stop_sequences(sequences: list[str]) -> None:
    """Refuse what could not be looked for in bounded time."""
    if len(sequences) > _MOST_SEQUENCES:
        raise InvalidRequestError(
            f"stop_sequences: List should have at most {_MOST_SEQUENCES} items after validation, not {len(sequences)}"
        )
    for index, sequence in enumerate(sequences):
        if len(sequence) > _LONGEST_SEQUENCE:
            raise InvalidRequestError(
                f"stop_sequences.{index}: String should have at most {_LONGEST_SEQUENCE} characters"
            )


class StopCutter:
    """Lets text through until one of the stop sequences appears in it.

    Text that may be the beginning of a stop sequence is held back until it is known. Of several that appear, the one
    that ends first stops the answer; of those that end together, the longest.
    """

    def __init__(self, sequences: list[str]) -> None:
        self._sequences = sorted({sequence for sequence in sequences if sequence})
        self._known = frozenset(self._sequences)
        # Longest first: it is the one that is wanted where several end together.
        self._lengths = sorted({len(sequence) for sequence in self._sequences}, reverse=True)
        self._held = ""

    def feed(self, text: str) -> tuple[str, str | None]:
        """The text that may go out now, and the stop sequence if it was reached."""
        waiting = self._held + text
        matched = self._find(waiting)
        if matched is not None:
            self._held = ""
            end, sequence = matched
            return waiting[: end - len(sequence)], sequence
        keep = self._possible_beginning(waiting)
        self._held = waiting[len(waiting) - keep :]
        return waiting[: len(waiting) - keep], None

    def rest(self) -> str:
        """What was held back when the answer ends by itself."""
        rest, self._held = self._held, ""
        return rest

    def _find(self, text: str) -> tuple[int, str] | None:
        """Where the first stop sequence ends in `text`, and which it is."""
        if len(self._sequences) > _FEW:
            # What was held back has been looked through; a new sequence ends in what is new.
            for end in range(len(self._held) + 1, len(text) + 1):
                for length in self._lengths:
                    if length <= end and text[end - length : end] in self._known:
                        return end, text[end - length : end]
            return None
        best: tuple[int, str] | None = None
        for sequence in self._sequences:
            place = text.find(sequence)
            if place >= 0:
                end = place + len(sequence)
                if best is None or end < best[0] or (end == best[0] and len(sequence) > len(best[1])):
                    best = end, sequence
        return best

    def _possible_beginning(self, text: str) -> int:
        """Length of the longest end of `text` with which a stop sequence begins."""
        if not self._lengths:
            return 0
        for length in range(min(self._lengths[0] - 1, len(text)), 0, -1):
            ending = text[-length:]
            # In the sorted list, what begins with `ending` stands where `ending` itself would.
            place = bisect_left(self._sequences, ending)
            if place < len(self._sequences) and self._sequences[place].startswith(ending):
                return length
        return 0
