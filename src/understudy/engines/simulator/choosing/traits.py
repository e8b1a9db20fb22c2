"""What is asked of each of the tools offered together when a turn is weighed against them, worked out once."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from understudy.engines.simulator.choosing.kindred import kindred
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.meanings import direction_of_tool
from understudy.engines.simulator.choosing.profiles import Profile
from understudy.engines.simulator.choosing.stems import folded, stem
from understudy.engines.simulator.choosing.vectors import Direction
from understudy.engines.simulator.choosing.words import GENERIC
from understudy.wire.client_tools import ClientTool

_PARTS = re.compile(r"[ _-]+")


# Words of the names of what is written in free words.
_FREE = frozenset(
    stem(word)
    for word in "text message body content note description comment reason subject details query question topic "
    "summary remark instructions prompt title".split()
)


@dataclass(frozen=True, slots=True)
class Options:
    """The members of an enum: written as one word, as several, and their stems."""

    words: frozenset[str]
    phrases: tuple[frozenset[str], ...]
    stems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Traits:
    """`labels` are the words a value may stand behind, `prefixed` those whose beginning may be in a code, `lacked`
    those of what a result must have brought. `slots` is how many things by name or code must be told, `writes` whether
    a text in free words must."""

    reads: bool
    needs: int
    texts: int
    options: tuple[Options, ...]
    named: tuple[frozenset[str], ...]
    labels: frozenset[str]
    prefixed: tuple[str, ...]
    lacked: frozenset[str]
    slots: int
    writes: bool


@dataclass(slots=True)
class Matters:
    """`held` says which tools speak of a kindred group, by place, and how much; `rarity` how much that tells.

    `directions` is what each tool speaks of; `number` is no other's.
    """

    traits: list[Traits]
    directions: list[Direction]
    held: dict[int, list[tuple[int, float]]] = field(default_factory=dict[int, list[tuple[int, float]]])
    rarity: dict[int, float] = field(default_factory=dict[int, float])
    number: int = field(default_factory=itertools.count().__next__)


def matters_of(profiles: Sequence[Profile], tools: Sequence[ClientTool]) -> Matters:
    """`tools` are those of the profiles, in their order."""
    groups = kindred().words
    held: dict[int, dict[int, float]] = {}
    for place, profile in enumerate(profiles):
        for word, worth in profile.index.items():
            for group in groups.get(word, ()):
                there = held.setdefault(group, {})
                if worth > there.get(place, 0.0):
                    there[place] = worth
    many = len(profiles)
    whole = math.log(many + 0.5)
    return Matters(
        [_traits(profile) for profile in profiles],
        [direction_of_tool(tool) for tool in tools],
        {group: list(there.items()) for group, there in held.items()},
        {group: math.log((many + 0.5) / len(there)) / whole if many > 1 else 1.0 for group, there in held.items()},
    )


def _traits(profile: Profile) -> Traits:
    required = profile.required
    nouns = {key for keys, _ in profile.nouns for key in keys if key[0] != "#"}
    prefixed = [
        word for parameter in required if parameter.kind in {"id", "text"} for word in parameter.stems if word != "id"
    ]
    worded = [parameter for parameter in required if parameter.kind == "text" and parameter.stems & _FREE]
    return Traits(
        reads=profile.act in lexicon().reading,
        needs=len(required),
        texts=sum(parameter.kind in {"text", "place"} for parameter in required),
        options=tuple(_options(parameter.enum) for parameter in profile.parameters if parameter.enum),
        named=tuple(parameter.stems - GENERIC for parameter in profile.parameters),
        labels=frozenset(nouns).union(*(parameter.stems for parameter in profile.parameters)),
        prefixed=tuple(prefixed),
        lacked=frozenset(
            word
            for parameter in required
            if parameter.kind in {"id", "text", "number"}
            for word in parameter.stems - GENERIC
        ),
        slots=sum(parameter.kind in {"id", "text", "place"} for parameter in required) - len(worded),
        writes=bool(worded),
    )


def _options(enum: frozenset[str]) -> Options:
    parts = [frozenset(part for part in _PARTS.split(value) if part) for value in enum]
    return Options(
        frozenset(enum),
        tuple(part for part in parts if len(part) > 1),
        frozenset(lexicon().stem(folded(value)) for value in enum if len(value) > 2),
    )
