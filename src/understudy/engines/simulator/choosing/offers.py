"""The tools offered together: how rare each word is among them, and their own verbs. Remembered, bounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from understudy.engines.by_identity import ByIdentity
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.profiles import Profile, profile_of
from understudy.engines.simulator.choosing.stems import stem
from understudy.engines.simulator.choosing.traits import Matters, matters_of
from understudy.engines.simulator.choosing.wanting import Wants, wants_of
from understudy.wire.client_tools import ClientTool

_REMEMBERED = 128
_MOST_ACTS = 256
# Words of an id's name that do not say of what it is.
_OF_ANY = frozenset("id ids uuid number numb ref refer key code no".split())


_PLACING = frozenset(stem(word) for word in ("latitude", "coordinates", "geocode"))


@dataclass(frozen=True, slots=True, eq=False)
class Offered:
    """A tool, what is known of it, and how rare each of its words is among the tools it is offered with."""

    tool: ClientTool
    profile: Profile


class Things(NamedTuple):
    """The things that a tool's name speaks of, each with its keys and its weight among the tools; `whole` is the sum of
    the weights."""

    nouns: list[tuple[list[tuple[str, float]], float]]
    whole: float


@dataclass(slots=True)
class Offer:
    """`rarity` is how much a word tells the tools apart, from 0 to 1; `verbs` are the tools' own verbs.

    `holders` says for a word which tools speak of it, by place, and how much it says of each; `doers` the same for acts
    that were asked for before; `things` and `wants` by place. `labels` are the words for what the tools' ids are of,
    `options` the members of their enums, `chained` the places of the tools that another tool brings a value for.
    """

    tools: list[Offered]
    rarity: dict[str, float]
    verbs: frozenset[str]
    holders: dict[str, list[tuple[int, float]]]
    doers: dict[str, list[tuple[int, float]]]
    things: list[Things]
    wants: list[Wants]
    labels: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    chained: frozenset[int] = frozenset()
    initials: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    weighed: list[Matters] = field(default_factory=list[Matters])

    def matters(self) -> Matters:
        """What the tools speak of beyond their own words, worked out when it is first asked for."""
        if not self.weighed:
            self.weighed.append(matters_of([one.profile for one in self.tools], [one.tool for one in self.tools]))
        return self.weighed[0]

    def words_with(self, initial: str) -> list[str]:
        """The tools' plain words of four letters and more that begin with a letter."""
        if not self.initials:
            for word in self.rarity:
                if len(word) >= 4 and word.isalpha():
                    self.initials.setdefault(word[0], []).append(word)
        return self.initials.get(initial, [])

    def doing(self, act: str) -> list[tuple[int, float]]:
        """The places of the tools that serve an act, each with how well."""
        found = self.doers.get(act)
        if found is None:
            likeness = lexicon().likeness
            found = list[tuple[int, float]]()
            for place, offered in enumerate(self.tools):
                best = max((worth * likeness(act, other) for other, worth in offered.profile.acts.items()), default=0.0)
                if best:
                    found.append((place, best))
            if len(self.doers) < _MOST_ACTS:
                self.doers[act] = found
        return found


# Of tools that say the same, and of the very tools.
_offers: Final[ByIdentity[Offer]] = ByIdentity(_REMEMBERED)
_latest: Final[ByIdentity[Offer]] = ByIdentity(8)


def offer_of(tools: Sequence[ClientTool]) -> Offer:
    offer = _latest.find(tools)
    if offer is None:
        offer = _offer_of(tools)
        _latest.keep(tools, offer)
    return offer


def _offer_of(tools: Sequence[ClientTool]) -> Offer:
    offered = [Offered(tool, profile_of(tool)) for tool in tools]
    profiles = tuple(entry.profile for entry in offered)
    same = _offers.find(profiles)
    if same is not None:
        return Offer(
            offered,
            same.rarity,
            same.verbs,
            same.holders,
            same.doers,
            same.things,
            same.wants,
            same.labels,
            same.options,
            same.chained,
            same.initials,
            same.weighed,
        )
    holders: dict[str, list[tuple[int, float]]] = {}
    for place, profile in enumerate(profiles):
        for word, worth in profile.index.items():
            holders.setdefault(word, []).append((place, worth))
    many = len(profiles)
    whole = math.log(many + 0.5)
    rarity = {word: math.log((many + 0.5) / len(held)) / whole if many > 1 else 1.0 for word, held in holders.items()}
    verbs = frozenset(verb for profile in profiles for verb in profile.verbs)
    things = [_things(profile, rarity) for profile in profiles]
    made = Offer(offered, rarity, verbs, holders, {}, things, [wants_of(profile) for profile in profiles])
    made.labels = frozenset(
        word
        for profile in profiles
        for parameter in profile.required
        if parameter.kind == "id"
        for word in parameter.stems
        if word not in _OF_ANY
    )
    made.options = frozenset(value for profile in profiles for one in profile.parameters for value in one.enum)
    made.chained = frozenset(place for place in range(many) if _is_chained(place, offered))
    _offers.keep(profiles, made)
    return made


def _things(profile: Profile, rarity: dict[str, float]) -> Things:
    found: list[tuple[list[tuple[str, float]], float]] = []
    whole = 0.0
    for keys, weight in profile.nouns:
        telling = max((rarity.get(key, 0.0) for key in keys if key[0] != "#"), default=1.0)
        weight *= 0.3 + 0.7 * telling
        found.append((list(keys.items()), weight))
        whole += weight
    return Things(found, whole)


def _is_chained(place: int, offered: list[Offered]) -> bool:
    """Whether another tool brings what this one must have: a description says so, or that one knows places."""
    profile, told = offered[place].profile, offered[place].tool.description.lower()
    lacks = {parameter.kind for parameter in profile.required}
    if not lacks & {"id", "coordinate", "email"}:
        return False
    for number, other in enumerate(offered):
        if number == place or {parameter.kind for parameter in other.profile.required} & {"coordinate", "id"} & lacks:
            continue
        if len(other.tool.name) > 3 and other.tool.name.lower() in told:
            return True
        if "coordinate" in lacks and any(other.profile.index.get(word, 0.0) >= 0.4 for word in _PLACING):
            return True
    return False
