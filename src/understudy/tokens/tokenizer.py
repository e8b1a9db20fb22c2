"""Counting and cutting text by tokens, without a model.

Claude's own tokenizer is not public. `o200k_base` stands in for it: an estimate, and the documentation says so. The
library holds the interpreter's lock while it works, so long texts are cut at fixed places and counted piece by piece.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import cycle
from typing import Final

import splintr

from understudy.tokens.pace import Pace

# Characters. The pieces are cut at fixed places, so that a text always counts the same.
PIECE: Final = 64 * 1024
# Shorter texts are counted faster than they are hashed and looked up.
_REMEMBERED_FROM: Final = 64
_MOST_REMEMBERED: Final = 65_536
# Texts of less than one piece that are counted before the clock is looked at.
_TEXTS_BETWEEN_LOOKS: Final = 4

_counts: dict[int, int] = {}


@lru_cache(maxsize=1)
def _tokenizer() -> splintr.AnyTokenizer:
    return splintr.Tokenizer.from_pretrained("o200k_base")


def warm_up() -> None:
    """Load the vocabulary (about 40 MB) now instead of at the first request."""
    # What merges tokens, an eighth of a second's work, is built for the first word that is none by itself.
    count_text("warmed-up-ß")


def _count(text: str) -> int:
    if "<|" in text:
        return len(encode(text))
    # Four bytes a token: making a Python integer of each would take as long again. But this way takes a control
    # token's name for the token itself, so texts that may hold one go the other.
    return len(_tokenizer().encode_flat(text)) // 4


def count_text(text: str) -> int:
    """Tokens of `text`. Counts of texts that are not short are remembered, not the texts."""
    length = len(text)
    if length < _REMEMBERED_FROM:
        return _count(text)
    if length > PIECE:
        return sum(count_text(piece) for piece in cut(text))
    # The interpreter's own hash (SipHash under a key of this process) takes half as long as any other. Two texts of one
    # length that share it would share a count; nobody can make such a pair without the key.
    key = hash(text) << 20 | length
    known = _counts.get(key)
    if known is None:
        known = _count(text)
        if len(_counts) >= _MOST_REMEMBERED:
            # The oldest half goes at once; a conversation that is still going on is remembered again in one turn.
            for old in list(_counts)[: _MOST_REMEMBERED // 2]:
                del _counts[old]
        _counts[key] = known
    return known


def cut(text: str) -> list[str]:
    """`text` in pieces of at most PIECE characters, always at the same places."""
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


async def count_texts(texts: list[str], pace: Pace) -> int:
    """Tokens of all `texts`. Lets other work run in between when there are many or long ones."""
    total = 0
    for place, text in enumerate(texts, 1):
        if len(text) <= PIECE:
            total += count_text(text)
            if place % _TEXTS_BETWEEN_LOOKS == 0 and pace.due():
                await pace.pause()
            continue
        for piece in cut(text):
            total += count_text(piece)
            if pace.due():
                await pace.pause()
    return total


def encode(text: str) -> array[int]:
    """The tokens of `text`, four bytes each: a stream may keep those of its whole answer for minutes."""
    return array("I", _tokenizer().encode_ordinary(text))


def decode(tokens: array[int]) -> str:
    """The text of `tokens`, without a last character that is not whole."""
    return _tokenizer().decode_bytes(tokens.tolist()).decode("utf-8", "ignore")


def split(tokens: array[int], sizes: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The text of `tokens` in pieces of `sizes` tokens, taken in turn and again from the beginning.

    Yields pairs of a piece and its number of tokens; the pieces join to what `decode` gives. A character that takes
    several tokens stays in one piece, which then has more tokens than asked for.
    """
    decode_bytes = _tokenizer().decode_bytes
    start, most = 0, len(tokens)
    for size in cycle(sizes):
        if start >= most:
            return
        end = min(start + size, most)
        while True:
            try:
                piece = decode_bytes(tokens[start:end].tolist()).decode("utf-8")
                break
            except UnicodeDecodeError:
                if end == most:
                    piece = decode(tokens[start:end])
                    break
                end += 1
        yield piece, end - start
        start = end
