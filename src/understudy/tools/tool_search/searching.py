"""Searching tool definitions by words (BM25) and by patterns.

Both look at names, descriptions, names of arguments and their descriptions
(https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from pydantic_core import SchemaError, SchemaValidator, core_schema

MOST_PATTERN: Final = 200
MOST_QUERY: Final = 500
"""Characters."""

_K1: Final = 1.2
_B: Final = 0.75
# A word of the name tells more than one of the description.
_NAME_WEIGHT: Final = 3
# Of schemas that nest deeper only the outer parts are searched.
_DEEPEST: Final = 6

# Stems of words that stand in every text and tell nothing of it.
_COMMON: Final = frozenset(
    "a an and any are at be by can do doe for from get giv hav how i if in into is it me my of on one or pleas som "
    "that the thi to tool use was what when wher which who will with you your".split()
)

_WORD: Final = re.compile(r"[^\W_\d]+|[0-9]+")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")


class PatternError(ValueError):
    """What cannot be searched by."""


def words(text: str) -> list[str]:
    """The words of a text or a name, alike whether they are written `getUserId`, `get_user_ids` or `Get user IDs`."""
    return [_stem(word) for word in _WORD.findall(_parted(text))]


def _parted(text: str) -> str:
    return text if text.islower() else _HUMP.sub(" ", text).lower()


@lru_cache(8_192)
def _stem(word: str) -> str:
    # What is left is always how the word begins, so that it can be looked for.
    for ending, least in (("ies", 5), ("ing", 6), ("es", 5), ("s", 4), ("e", 4), ("y", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def _add_arguments(schema: object, texts: list[str], depth: int = 0) -> None:
    """Add names and descriptions of arguments."""
    if schema.__class__ is not dict or depth > _DEEPEST:
        return
    found = cast("dict[str, Any]", schema)
    properties = found.get("properties")
    if properties.__class__ is dict:
        for name, inner in cast("dict[str, Any]", properties).items():
            texts.append(name)
            if inner.__class__ is dict:
                description = cast("dict[str, Any]", inner).get("description")
                if description.__class__ is str:
                    texts.append(cast("str", description))
                _add_arguments(inner, texts, depth + 1)
    if "items" in found:
        _add_arguments(found["items"], texts, depth + 1)


def _places(text: str, word: str) -> Iterator[int]:
    """Where words begin in `text` that are one with `word` but for their endings."""
    at = text.find(word)
    while at >= 0:
        if (not at or not text[at - 1].isalnum()) and (match := _WORD.match(text, at)) and _stem(match[0]) == word:
            yield at
        at = text.find(word, at + 1)


class Searchable:
    """The definitions that can be found, in the order of the request. `name` of each must be there."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._names = [str(tool["name"]) for tool in tools]
        self._texts: list[list[str]] = []
        for name, tool in zip(self._names, tools, strict=True):
            texts = [name, str(tool.get("description") or "")]
            _add_arguments(tool.get("input_schema"), texts)
            self._texts.append(texts)

    def by_words(self, query: str, limit: int) -> list[str]:
        """Names of the best `limit` matches, best first; those that share no word with `query` are none."""
        if not self._names:
            return []
        # All texts as one, since looking for a few words there is much quicker than taking each text apart.
        parts: list[str] = []
        begins: list[int] = []
        ends_of_names: list[int] = []
        place = 0
        for name, *rest in self._texts:
            begins.append(place)
            part = _parted(name)
            ends_of_names.append(place + len(part))
            text = "\n".join((part, *rest, ""))
            if not text.isascii():
                # Only there it may change a text's length.
                text = text.lower()
            parts.append(text)
            place += len(text)
        everything = "".join(parts).lower()
        total, average = len(parts), place / len(parts)
        scores: dict[int, float] = {}
        asked = set(words(query))
        for word in asked - _COMMON or asked:
            counted: Counter[int] = Counter()
            for at in _places(everything, word):
                tool = bisect_right(begins, at) - 1
                counted[tool] += _NAME_WEIGHT if at < ends_of_names[tool] else 1
            weight = math.log(1 + (total - len(counted) + 0.5) / (len(counted) + 0.5))
            for tool, n in counted.items():
                norm = _K1 * (1 - _B + _B * len(parts[tool]) / average)
                scores[tool] = scores.get(tool, 0.0) + weight * n * (_K1 + 1) / (n + norm)
        return [self._names[tool] for tool, _ in sorted(scores.items(), key=lambda one: (-one[1], one[0]))[:limit]]

    def by_pattern(self, pattern: str, limit: int) -> list[str]:
        """Names of the first `limit` in which `pattern` is found, in any case; names that match come first.

        Matching takes time in proportion to the text, whatever the pattern: look-around and back references are
        refused, which is where Python's own patterns and these differ. Raises PatternError.
        """
        # \Z is Python's spelling of the end of the text.
        asked = "(?i)" + re.sub(r"(?<!\\)((?:\\\\)*)\\Z", r"\1\\z", pattern)
        try:
            finder = SchemaValidator(core_schema.str_schema(pattern=asked, regex_engine="rust-regex"))
        except SchemaError as error:
            raise PatternError("the pattern cannot be used") from error
        of_name: list[str] = []
        elsewhere: list[str] = []
        for name, (_, *rest) in zip(self._names, self._texts, strict=True):
            if finder.isinstance_python(name):
                of_name.append(name)
            elif len(elsewhere) < limit and any(map(finder.isinstance_python, rest)):
                elsewhere.append(name)
            if len(of_name) >= limit:
                break
        return [*of_name, *elsewhere][:limit]
