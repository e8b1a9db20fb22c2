"""The groups and acts of the thesaurus that words belong to, alone and with the words after them."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from understudy.engines.simulator.choosing.lexicon import HINT, SAME_GROUP, Lexicon, Phrase, lexicon, stem_of

if TYPE_CHECKING:
    from understudy.engines.simulator.choosing.words import Token

# Words whose meanings are kept.
_REMEMBERED = 2_048
# Kinds that a word of letters may have.
_WORDS = frozenset(("", "name", "date", "number"))
_ID_WORD = re.compile(r"[a-z]{2,}")
_LIGHT = frozenset("get put take make set do give let go come keep hold turn".split())


class _Meant(NamedTuple):
    """What a word stands for by itself: the keys before and behind the one that it makes with the word after it, and
    the acts."""

    before: tuple[tuple[str, float], ...]
    behind: tuple[tuple[str, float], ...]
    names: frozenset[str]
    acts: tuple[str, ...]


def add_groups(found: list[Token], verbs: Collection[str]) -> None:
    """Gives the tokens of a text their keys and acts. `verbs`: stems that are acts, too."""
    known = lexicon()
    stems = [token.stem for token in found]
    last = len(found) - 1
    for place, token in enumerate(found):
        stemmed, low, kind = token.stem, token.low, token.kind
        joined = ""
        if place < last:
            following = found[place + 1]
            if token.end + 1 == following.start and stemmed.isalpha():
                joined = stem_of(low + following.low)
            later = known.later_words.get(stemmed)
            if later is not None and stems[place + 1] in later:
                _add_phrases(found, stems, place, joined, known, verbs)
                continue
        # Codes and numbers are hardly ever said again.
        before, behind, names, acts = (_meant if kind in _WORDS else _meant_by)(low, stemmed, kind, token.stop)
        if not joined or joined in names:
            token.keys = before + behind
        else:
            token.keys = (*before, (joined, 0.9), *behind)
        token.acts = ("=" + stemmed, *acts) if stemmed in verbs and not kind else acts


def _meant_by(low: str, stemmed: str, kind: str, stop: bool) -> _Meant:
    known = lexicon()
    keys = _first_keys(low, stemmed, kind, stop, known)
    before = tuple(keys.items())
    _add_unsaid(keys, low, stemmed, known)
    acts: list[str] = []
    if stemmed in known.first_words and not stop:
        _add_phrase((stemmed,), keys, known)
        acts += known.acts.get((stemmed,), ())
    _add_foreign(keys, acts, low, known)
    items = tuple(keys.items())
    return _Meant(before, items[len(before) :], frozenset(keys), tuple(acts))


_meant = lru_cache(maxsize=_REMEMBERED)(_meant_by)


def _first_keys(low: str, stemmed: str, kind: str, stop: bool, known: Lexicon) -> dict[str, float]:
    keys: dict[str, float] = {} if stop else {stemmed: 1.0}
    if kind in known.kinds:
        for key, strength in known.kinds[kind]:
            keys.setdefault(key, strength)
    elif kind in {"id", "code"}:
        for part in _ID_WORD.findall(low):
            keys.setdefault(stem_of(part), 0.6)
    return keys


def _add_unsaid(keys: dict[str, float], low: str, stemmed: str, known: Lexicon) -> None:
    if stemmed.startswith("un") and len(stemmed) > 5 and stemmed[2] not in "idl":
        # "Unpaid" speaks of paying.
        keys.setdefault(known.stem(low[2:]), 0.6)


def _add_phrase(phrase: Phrase, keys: dict[str, float], known: Lexicon) -> bool:
    """Adds the groups of a phrase; whether it has any that are its own."""
    groups = known.things.get(phrase, ())
    for group in groups:
        keys.setdefault(group, SAME_GROUP)
    for group in known.hints.get(phrase, ()):
        keys.setdefault(group, HINT if group[0] == "#" else HINT + 0.15)
    return bool(groups)


def _add_foreign(keys: dict[str, float], acts: list[str], low: str, known: Lexicon) -> None:
    for target in known.foreign.get(low) or _without_clitic(low, known):
        stemmed = known.stem(target)
        keys.setdefault(stemmed, 0.95)
        acts += [act for act in known.acts.get((stemmed,), ()) if act not in acts]
        for group in known.things.get((stemmed,), ()):
            keys.setdefault(group, SAME_GROUP)


def _add_phrases(
    found: list[Token], stems: list[str], place: int, joined: str, known: Lexicon, verbs: Collection[str]
) -> None:
    """The keys and acts of a word that may begin a phrase with those after it."""
    token = found[place]
    keys = _first_keys(token.low, token.stem, token.kind, token.stop, known)
    acts: list[str] = []
    if joined:
        keys.setdefault(joined, 0.9)
    if token.stem in verbs and not token.kind:
        acts.append("=" + token.stem)
    _add_unsaid(keys, token.low, token.stem, known)
    for length in range(known.first_words.get(token.stem, 0), 0, -1):
        phrase = tuple(stems[place : place + length])
        if len(phrase) < length or (length == 1 and token.stop):
            continue
        grouped = _add_phrase(phrase, keys, known)
        found_acts = known.acts.get(phrase, ())
        acts += [act for act in found_acts if act not in acts]
        if length > 1 and (grouped or found_acts):
            if grouped:
                token.weight = max(token.weight, 1.0)
            for other in found[place + 1 : place + length]:
                other.covered = True
            if found_acts:
                if token.stem in _LIGHT:
                    # "Get rid of it" is no getting.
                    acts = [act for act in acts if act[0] != "="]
                break
    _add_foreign(keys, acts, token.low, known)
    token.keys = tuple(keys.items())
    token.acts = tuple(acts)


# Spanish and Italian verbs are written together with their object: "resérvame".
_CLITIC = re.compile(r"(?:(?:me|te|se|nos|mi|ci)?(?:l[aoe]s?)|me|te|se|nos|mi)$")


def _without_clitic(low: str, known: Lexicon) -> tuple[str, ...]:
    if len(low) < 6:
        return ()
    match = _CLITIC.search(low)
    return known.foreign.get(low[: match.start()], ()) if match and match.start() >= 4 else ()
