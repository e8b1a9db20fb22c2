"""How well a tool fits a clause: likeness of act, of things, of values, against the other tools offered."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.commands import is_command
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.profiles import Parameter, Profile, profile_of
from understudy.engines.simulator.choosing.serving import (
    SERVED_BY,
    Values,
    at_home,
    homeless,
    is_phone,
    numbers_lacking,
    says_id,
    values_of,
)
from understudy.engines.simulator.choosing.words import Token
from understudy.wire.client_tools import ClientTool

_REMEMBERED = 128
_COORDINATE = re.compile(r"-?\d{1,3}\.\d+\D{1,20}-?\d{1,3}\.\d+")


_NO_ID = re.compile(
    r"\b(?:don'?t|do not|no idea|not sure|haven'?t|without|can'?t|lost|forgot|forgotten"
    r"|mislaid)\b.{0,40}?\b(?:id|ids|number"
    r"|reference|code|no\.)\b",
    re.IGNORECASE,
)
_LIGHT = frozenset("get make give put take do have let set need".split())
_QUERY = frozenset("query q search term keyword keyword text search_term needl pattern titl name topic".split())


@dataclass(frozen=True, slots=True, eq=False)
class Offered:
    """A tool, what is known of it, and how rare each of its words is among the tools it is offered with."""

    tool: ClientTool
    profile: Profile


@dataclass(frozen=True, slots=True)
class Fit:
    """`score` says whether the tool fits at all, `rank` which of several fits best; `things` is the part of things."""

    offered: Offered
    score: float
    rank: float
    act: float
    things: float
    missing: tuple[Parameter, ...]


@dataclass(slots=True)
class Offer:
    """`rarity` is how much a word tells the tools apart, from 0 to 1; `verbs` are the tools' own verbs."""

    tools: list[Offered]
    rarity: dict[str, float]
    verbs: frozenset[str]


_rarities: OrderedDict[tuple[int, ...], tuple[tuple[Profile, ...], dict[str, float], frozenset[str]]] = OrderedDict()


def offer_of(tools: Sequence[ClientTool]) -> Offer:
    offered = [Offered(tool, profile_of(tool)) for tool in tools]
    profiles = tuple(entry.profile for entry in offered)
    key = tuple(map(id, profiles))
    known = _rarities.get(key)
    if known is not None and all(map(lambda one, other: one is other, known[0], profiles)):
        _rarities.move_to_end(key)
        return Offer(offered, known[1], known[2])
    counts: dict[str, int] = {}
    for profile in profiles:
        for word in profile.index:
            counts[word] = counts.get(word, 0) + 1
    whole = math.log(len(profiles) + 0.5)
    rarity = {
        word: math.log((len(profiles) + 0.5) / count) / whole if len(profiles) > 1 else 1.0
        for word, count in counts.items()
    }
    verbs = frozenset(verb for profile in profiles for verb in profile.verbs)
    _rarities[key] = (profiles, rarity, verbs)
    if len(_rarities) > _REMEMBERED:
        _rarities.popitem(last=False)
    return Offer(offered, rarity, verbs)


@dataclass(slots=True)
class Heard:
    """A clause made ready to be compared: strengths of its keys, its words that carry meaning, the kinds of values."""

    clause: Clause
    keys: dict[str, float]
    content: list[Token]
    kinds: set[str]
    values: list[Token]
    background: dict[str, float]
    counted: Values
    lacks_id: bool = False
    found: list[Fit] | None = None


def lacks_its_id(text: str) -> bool:
    """Whether a text says that the id of what it is about is not known."""
    return bool(_NO_ID.search(text))


def heard_of(clause: Clause, background: dict[str, float] | None = None) -> Heard:
    keys: dict[str, float] = dict(background or {})
    content: list[Token] = []
    kinds: set[str] = set()
    values: list[Token] = []
    for token in clause.tokens:
        if token.kind:
            kinds.add(token.kind)
            values.append(token)
        for key, strength in token.keys:
            if strength > keys.get(key, 0.0):
                keys[key] = strength
        if not token.covered and (not token.stop or token.keys) and token.kind in {"", "name", "code"}:
            content.append(token)
    return Heard(
        clause, keys, content, kinds, values, background or {}, values_of(values), bool(_NO_ID.search(clause.text))
    )


def fits(heard: Heard, offer: Offer) -> list[Fit]:
    """The fits of all tools, the best first; equal ones in the order in which they were offered. Kept in `heard`."""
    if heard.found is not None:
        return heard.found
    acts = [_act(heard.clause, offered.profile) for offered in offer.tools]
    best = max(acts)
    if best >= 0.95 and _has_object(heard):
        # "Scrap the milk": of two tools that take away, the one that takes away some one thing.
        same = [number for number, act in enumerate(acts) if act == best]
        taking = [number for number in same if offer.tools[number].profile.required]
        if len(same) > len(taking) == 1:
            acts = [act if number == taking[0] or act < best else 0.85 for number, act in enumerate(acts)]
    only = heard.clause.head is not None and _stands_out(acts, best)
    found = [
        _fit(heard, offered, offer.rarity, act, only and act == best)
        for offered, act in zip(offer.tools, acts, strict=True)
    ]
    found.sort(key=lambda fit: -fit.rank)
    heard.found = found
    return found


def _has_object(heard: Heard) -> bool:
    """Whether more is said than the act: something that it is done to."""
    head = heard.clause.head
    return head is not None and any(token is not head and token.start > head.start for token in heard.content)


def _stands_out(acts: list[float], best: float) -> bool:
    """Whether one tool alone does what is asked for, or comes much nearer to it than the others."""
    if best >= 0.9:
        return sum(act >= 0.9 for act in acts) == 1
    return best >= 0.5 and sum(act >= best - 0.25 for act in acts) == 1


def _act(clause: Clause, profile: Profile) -> float:
    known = lexicon()
    best = 0.0
    if not profile.act:
        best = 0.4 if clause.mood in {Mood.QUESTION, Mood.FRAGMENT, Mood.WISH} else 0.3
    elif clause.mood in {Mood.FRAGMENT, Mood.WISH} or _is_light(clause):
        best = 0.4
    for heard, weight in clause.acts.items():
        for offered, worth in profile.acts.items():
            likeness = known.likeness(heard, offered)
            if likeness:
                best = max(best, weight * worth * likeness)
    return best


def _conflict(clause: Clause, profile: Profile) -> bool:
    """Whether the tool does something else than what is asked: writes where one asks, reads where one orders."""
    known = lexicon()
    if not profile.act or _is_light(clause):
        return False
    writes = profile.act not in known.reading and not (
        known.reading & {act for act, worth in profile.acts.items() if worth >= 0.7}
    )
    if clause.head is not None and clause.mood is Mood.REQUEST:
        return not any(
            known.likeness(act, offered) >= 0.3
            for act in clause.head.acts
            for offered, worth in profile.acts.items()
            if worth >= 0.6
        )
    if clause.mood is Mood.QUESTION:
        return writes
    return False


def _is_light(clause: Clause) -> bool:
    """Whether the act leaves it to the noun ("get us a table", "make it warmer"), or is a verb nobody knows."""
    return clause.mood is Mood.REQUEST and (
        clause.head is None or clause.head.low in _LIGHT or not (clause.head.acts or clause.head.stop)
    )


def _id_said(parameter: Parameter, profile: Profile, heard: Heard) -> bool:
    here = {token.kind for token in heard.values}
    if not heard.lacks_id and (heard.kinds - here) & ({"number"} if parameter.numeric else {"id", "code", "number"}):
        return True
    if heard.lacks_id:
        return False
    return says_id(parameter, profile, heard.clause.tokens, heard.values)


_SHELL_ACTS = frozenset("run commit delete move copy install restart start stop deploy validate merge rollback".split())


def missing_of(profile: Profile, heard: Heard) -> tuple[Parameter, ...]:
    """The required parameters whose values must have been said somewhere and were not said here."""
    found: list[Parameter] = []
    for parameter in profile.parameters:
        if not parameter.required or parameter.kind not in SERVED_BY:
            continue
        if parameter.kind == "coordinate":
            if not _COORDINATE.search(heard.clause.text):
                found.append(parameter)
        elif heard.kinds.isdisjoint(SERVED_BY[parameter.kind]) or (
            (parameter.kind == "id" and not _id_said(parameter, profile, heard))
            or (parameter.kind == "phone" and not any(is_phone(token) for token in heard.values))
        ):
            found.append(parameter)
    if len(heard.values) and any(parameter.kind == "number" and parameter.required for parameter in profile.parameters):
        found += [parameter for parameter in numbers_lacking(profile, heard.values) if parameter not in found]
    return tuple(found)


_TEXTS = frozenset(("quoted", "name", "code", "path", "id", "url", "email"))
_LISTED = frozenset(("quoted", "name", "code", "id"))


def _served(heard: Heard, profile: Profile) -> bool:
    """Whether the clause has a value for a parameter of the tool."""
    searching = heard.clause.head is not None and "search" in heard.clause.head.acts and "search" in profile.acts
    for parameter in profile.parameters:
        served = SERVED_BY.get(parameter.kind)
        if served is not None and not heard.kinds.isdisjoint(served):
            return True
        if parameter.kind == "text" and (
            not heard.kinds.isdisjoint(_LISTED if parameter.array else _TEXTS)
            or (searching and parameter.stems & _QUERY)
        ):
            return True
    return False


def _fit(heard: Heard, offered: Offered, rarity: dict[str, float], act: float, only: bool) -> Fit:
    """`only`: this tool and no other does the act that is asked for."""
    clause, profile = heard.clause, offered.profile
    index = profile.index
    named = whole = 0.0
    used: set[str] = set()
    for keys, weight in profile.nouns:
        best = 0.0
        by = ""
        for key, strength in keys.items():
            said = heard.keys.get(key)
            if said is not None and said * strength > best:
                best, by = said * strength, key
        # One word that is heard does not stand for two things by a group that both are in.
        if by in used:
            best *= 0.4
        elif by:
            used.update(key for key in keys if key[0] == "#")
        telling = max((rarity.get(key, 0.0) for key in keys if key[0] != "#"), default=1.0)
        weight *= 0.3 + 0.7 * telling
        named += weight * best
        whole += weight
    nouns = named / whole if whole else 0.0
    if not whole and (profile.specific or act >= 0.95):
        nouns = act
    hits = rare = covered = content = 0.0
    for token in heard.content:
        best = best_rare = 0.0
        for key, strength in token.keys:
            worth = index.get(key)
            if worth is not None:
                if worth * strength > best:
                    best = worth * strength
                if worth * strength * rarity[key] > best_rare:
                    best_rare = worth * strength * rarity[key]
        if token is clause.head:
            if act < 0.9 and best > 0.4 and token.low not in _LIGHT:
                # "Vacuum the hall" where the tool is about a vacuum.
                hits += 0.5 * best
            best = max(best, 0.8 * act)
            rare += max(best_rare, 0.8 if "=" + token.stem in profile.acts else 0.0)
        else:
            hits += best * token.weight
            if token.acts and "=" + token.stem in profile.acts:
                best_rare = max(best_rare, 0.5)
            rare += best_rare
        if not token.kind and not token.stop:
            covered += best * token.weight
            content += token.weight
        elif token.kind and best > 0.4:
            covered += best
            content += 1.0
    coverage = covered / content if content else 0.0
    missing = missing_of(profile, heard)
    values = 0.0
    for parameter in profile.parameters:
        if parameter.kind in {"email", "url", "id", "path"} and not heard.kinds.isdisjoint(SERVED_BY[parameter.kind]):
            values += 0.1 if parameter.required else 0.05
        elif parameter.kind == "coordinate" and _COORDINATE.search(clause.text):
            values += 0.1
        elif parameter.kind == "enum" and any(token.low in parameter.enum for token in clause.tokens):
            values += 0.08
    things = max(nouns, min(1.0, 0.6 * hits))
    if _unit_named(clause.tokens, profile):
        values += 0.1
        things = max(things, 0.3)
    by_shell = False
    if profile.executes and clause.mood in {Mood.REQUEST, Mood.FRAGMENT}:
        if is_command(clause.text):
            act, things, coverage = 1.0, max(things, 0.9), max(coverage, 0.5)
            rare += 1.0
            by_shell = True
        elif clause.head is not None and not _SHELL_ACTS.isdisjoint(clause.head.acts):
            # A shell does what no tool of its own is there for.
            act, things, by_shell = max(act, 0.6), max(things, 0.5), True
    if profile.knowledge:
        if clause.head is not None and "search" in clause.head.acts:
            things = max(things, 0.7)
        elif clause.mood is Mood.QUESTION and heard.values:
            things = max(things, 0.4)
    if profile.specific and act >= 0.9:
        things = max(things, 0.6)
    if only and (_served(heard, profile) or (act >= 0.95 and profile.act in _DIRECT and _takes_any(heard, profile))):
        things = max(things, 0.5)
    elif only and act >= 0.9 and not profile.required and (things > 0.1 or not clause.text.isascii()):
        things = max(things, 0.35)
    if nouns < 0.3 and _speaks_of_another_thing(clause, index):
        things *= 0.4
    if act >= 0.7 and not missing and _place_named(heard, profile):
        things = max(things, 0.3)
    own = act >= 0.95 and clause.head is not None and "=" + clause.head.stem in profile.acts
    if own and profile.act == "search" and not missing and any(lack.stems & _QUERY for lack in profile.required):
        things = max(things, 0.3)
    if only and own and not profile.required:
        things = max(things, 0.3)
    if heard.background and own:
        # "Read it back": what was spoken of before is what the act is done to.
        before = heard.kinds - {token.kind for token in heard.values}
        if any(not before.isdisjoint(SERVED_BY.get(lack.kind, ())) for lack in profile.required):
            things = max(things, 0.35)
    for key, strength in heard.background.items():
        worth = 0.8 * strength * index.get(key, 0.0) * rarity.get(key, 0.0)
        if worth > things:
            things = worth
    score = 0.35 * act + 0.4 * things + 0.25 * coverage + min(values, 0.2)
    against = 0.0
    if not by_shell and _conflict(clause, profile):
        score -= 0.35
        against = 0.2
    sure = 0.12 if clause.head is not None and act >= 0.95 else 0.0
    rank = sure + score + 0.3 * min(rare, 2.0) + 0.15 * nouns - _lacking(missing) - against + _listing(heard, profile)
    if heard.values:
        codes = heard.counted.counts.get("id", 0)
        if (
            codes
            and any(parameter.kind == "id" and parameter.required for parameter in profile.parameters)
            and not missing
        ):
            rank += 0.12
        rank += 0.04 * min(at_home(profile, heard.counted), 3) - 0.12 * min(homeless(profile, heard.counted), 3)
    return Fit(offered, score, rank, act, things, missing)


# Acts whose object may be anything that is written small.
_DIRECT = frozenset("delete start stop restart open close lock unlock block unblock order play print follow".split())


def _takes_any(heard: Heard, profile: Profile) -> bool:
    required = profile.required
    return len(required) == 1 and required[0].kind == "text" and not required[0].array and _has_object(heard)


def _speaks_of_another_thing(clause: Clause, index: dict[str, float]) -> bool:
    """Whether what the act is done to is a well-known thing that the tool knows nothing of: "order me a taxi"."""
    if clause.head is None or clause.mood is not Mood.REQUEST:
        return False
    place = next((number for number, token in enumerate(clause.tokens) if token is clause.head), -1)
    for token in clause.tokens[place + 1 : place + 6]:
        if token.stop or token.acts or token.covered:
            continue
        if token.kind or not any(key[0] == "#" for key, _ in token.keys):
            return False
        return not any(index.get(key, 0.0) * strength > 0.1 for key, strength in token.keys)
    return False


def _place_named(heard: Heard, profile: Profile) -> bool:
    """Whether there is a path or an address for a parameter that must have one."""
    return any(
        parameter.required and parameter.kind in {"path", "url", "email"} and parameter.kind in heard.kinds
        for parameter in profile.parameters
    )


def _unit_named(tokens: list[Token], profile: Profile) -> bool:
    """Whether a number stands before the name of the parameter that takes it: "40 minutes", "3 nights"."""
    for token, following in pairwise(tokens):
        if token.kind == "number" and not following.stop:
            for parameter in profile.parameters:
                if parameter.kind == "number" and following.stem in parameter.stems:
                    return True
    return False


def _lacking(missing: tuple[Parameter, ...]) -> float:
    """Where to look cannot be guessed: a tool that takes a path or an address is not for one who names none."""
    return sum(0.25 if parameter.kind in {"path", "url"} else 0.08 for parameter in missing)


def _listing(heard: Heard, profile: Profile) -> float:
    """One value speaks against a tool for many, several for it."""
    lists = any(
        parameter.array and parameter.required and parameter.kind in SERVED_BY for parameter in profile.parameters
    )
    if not lists:
        return 0.0
    many = sum(token.kind in {"path", "id", "url", "email", "number"} for token in heard.values)
    return 0.15 if many > 1 else -0.15
