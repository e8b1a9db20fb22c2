"""A byte-level BPE vocabulary of our own, built by rule: every byte, pairs of letters, common words, then syllables.

The pre-tokenizer is the one llama.cpp calls `qwen2`. Common English and the words of JSON are one token each, so that
counts are like those of real models.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise, product


class TokenType(IntEnum):
    """llama.cpp's numbers."""

    NORMAL = 1
    CONTROL = 3
    """Never part of an answer's text."""
    USER_DEFINED = 4
    """One token always, and part of the text."""


END_OF_TEXT = "<|endoftext|>"
END_OF_TURN = "<|im_end|>"
SPECIAL_TOKENS = {
    END_OF_TEXT: TokenType.CONTROL,
    "<|im_start|>": TokenType.CONTROL,
    END_OF_TURN: TokenType.CONTROL,
    "<|vision_start|>": TokenType.CONTROL,
    "<|vision_end|>": TokenType.CONTROL,
    "<|image_pad|>": TokenType.CONTROL,
    "<think>": TokenType.USER_DEFINED,
    "</think>": TokenType.USER_DEFINED,
    "<tool_call>": TokenType.USER_DEFINED,
    "</tool_call>": TokenType.USER_DEFINED,
    "<tool_response>": TokenType.USER_DEFINED,
    "</tool_response>": TokenType.USER_DEFINED,
}

PRE_TOKENIZER = "qwen2"

_WORDS = """
the of and to a in is it you that he was for on are with as I his they be at one have this from or had by not but what
all were we when your can said there use an each which she do how their if will up other about out many then them these
so some her would make like him into time has look two more write go see number no way could people my than first water
been call who its now find long down day did get come made may part over new sound take only little work know place year
live me back give most very after thing our just name good sentence man think say great where help through much before
line right too mean old any same tell boy follow came want show also around form three small set put end does another
well large must big even such because turn here why ask went men read need land different home us move try kind hand
picture again change off play spell air away animal house point page letter mother answer found study still learn should
world high every near add food between own below country plant last school father keep tree never start city earth eye
light thought head under story saw left few while along might close something seem next hard open example begin life
always those both paper together got group often run important until children side feet car mile night walk white sea
began grow took river four carry state once book hear stop without second later miss idea enough eat face watch far
really almost let above girl sometimes mountain cut young talk soon list song being leave family weather temperature
city question answer user assistant system tool tools function functions result results name arguments description
parameters properties required string object array type integer boolean null true false content text message messages
model token tokens image file files search query code error data value key input output json number date hello thanks
""".split()

_SIGNS = """ " { [ ( < - = {" [" (" ": ": ", "} "] "}} }, }} () (); // == -> => ... ** ``` --""".split()
_SPACES = ["\n\n", "  ", "    ", "        "]


def byte_characters() -> dict[int, str]:
    """The character that stands for each byte: itself if it is printable, else one from U+0100 on (GPT-2's rule)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}


_CHARACTERS = byte_characters()


def as_characters(data: bytes) -> str:
    """How bytes are written in a byte-level vocabulary."""
    return "".join(_CHARACTERS[byte] for byte in data)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in the order of their ids; merges in the order of their rank."""

    tokens: list[str]
    types: list[TokenType]
    merges: list[tuple[str, str]]

    def with_pieces(self, pieces: Iterable[str]) -> Vocabulary:
        """The same and, at its end, tokens that no merge leads to: a model can say them, a prompt never holds them."""
        pieces = list(pieces)
        return Vocabulary([*self.tokens, *pieces], self.types + [TokenType.NORMAL] * len(pieces), self.merges)


def vocabulary(size: int) -> Vocabulary:
    """A vocabulary of exactly `size` tokens, special tokens at its end; 16,384 at most."""
    merges: dict[tuple[str, str], int] = {}
    tokens = dict.fromkeys(_CHARACTERS.values())
    for text in _texts():
        parts = _apply(merges, list(as_characters(text.encode())))
        while len(parts) > 1 and len(tokens) < size - len(SPECIAL_TOKENS):
            joined = parts[0] + parts[1]
            merges[parts[0], parts[1]] = len(merges)
            tokens[joined] = None
            parts = [joined, *parts[2:]]
    types = [TokenType.NORMAL] * len(tokens) + list(SPECIAL_TOKENS.values())
    assert len(types) == size, f"{len(types)} tokens instead of {size}"
    return Vocabulary([*tokens, *SPECIAL_TOKENS], types, list(merges))


def _texts() -> Iterator[str]:
    """What becomes one token, the most useful first."""
    letters = string.ascii_lowercase
    for first, second in product(letters, letters):
        yield first + second
    for first, second in product(letters, letters):
        yield f" {first}{second}"
    for word in _WORDS:
        yield f" {word}"
        yield word
        yield word.capitalize()
    for sign in _SIGNS:
        yield sign
        yield f" {sign}"
    yield from _SPACES
    syllables = [consonant + vowel for consonant, vowel in product("tnsrldmchpbgfwkvjzqx", "eaoiuy")]
    for first, second in product(syllables, syllables):
        yield first + second


def _apply(merges: dict[tuple[str, str], int], parts: list[str]) -> list[str]:
    """Merge neighbours, lowest rank first, as BPE does."""
    while True:
        ranks = [(merges[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in merges]
        if not ranks:
            return parts
        _, at = min(ranks)
        parts = [*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]]
