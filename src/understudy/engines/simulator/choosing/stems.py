"""The stem of an English word: what its forms have in common, so that they meet. Not meant to be a word."""

from __future__ import annotations

import unicodedata

_VOWELS = frozenset("aeiouyäöüáéíóúàèìòùâêîôû")
# Endings that are cut from a word when so many letters stay, longest first.
_ENDINGS = (
    ("ational", 4),
    ("ations", 4),
    ("ation", 4),
    ("ators", 4),
    ("ator", 4),
    ("ions", 4),
    ("ion", 4),
    ("ate", 4),
    ("al", 4),
    ("ment", 5),
    ("ance", 5),
)


def folded(word: str) -> str:
    """`word` in small letters without accents."""
    low = word.lower()
    if low.isascii():
        return low
    return "".join(sign for sign in unicodedata.normalize("NFD", low) if not unicodedata.combining(sign))


def _has_vowel(word: str) -> bool:
    return not _VOWELS.isdisjoint(word)


def stem(word: str) -> str:
    """The stem of a folded word."""
    if len(word) < 4 or not word.isalpha() or not word.isascii():
        return word
    word = _singular(word)
    for ending in ("ing", "ed", "er"):
        kept = word[: -len(ending)]
        least = 5 if ending == "er" else 3
        if word.endswith(ending) and len(kept) >= least and _has_vowel(kept) and not kept.endswith("e"):
            word = kept
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    if word.endswith("ly") and len(word) > 5:
        word = word[:-2]
    for ending, least in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]
    if len(word) > 3 and word.endswith("ll"):
        word = word[:-1]
    if len(word) > 3 and word[-1] == "i":
        word = word[:-1] + "y"
    return word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
