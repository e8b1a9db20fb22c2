"""A text as tokens: words with the groups they belong to, and values with their kind."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from understudy.engines.simulator.choosing.grouping import add_groups
from understudy.engines.simulator.choosing.lexicon import SAME_GROUP, Lexicon, lexicon
from understudy.engines.simulator.choosing.stems import folded

_MONTH = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar|rero)?|févr(?:ier)?|mar(?:ch|s|zo)?|märz|apr(?:il)?|avr(?:il)?"
    r"|abril|may|mai"
    r"|mayo|jun[ei]?|juin|junio|jul[yi]?|juillet|julio|aug(?:ust)?|août|agosto|sept?(?:ember|embre|iembre|iembre)?"
    r"|oct(?:ober|obre|ubre)?|okt(?:ober)?|nov(?:ember|embre|iembre)?|dec(?:ember)?|dez(?:ember)?|déc(?:embre)?"
    r"|dic(?:iembre)?"
    r"|enero)"
)
_TOKEN = re.compile(
    # What most texts consist of, before all else is tried: a word that can be nothing but one.
    r"\s*+(?:(?P<plain>(?-i:[A-Za-z]+(?:'[A-Za-z]+)?)(?=[,;?!)]|\s(?!\d)|[.:](?:\s(?!\d)|$)|$))"
    r"|(?P<url>https?://[^\s<>\"]+|www\.[^\s<>\"]+|\b[\w-]{1,64}(?:\.[\w-]{1,64}){0,8}\.(?:com|org|net|io|dev|gov|edu|uk"
    r"|ai)\b(?!@)(?:/\S*)?)"
    r"|(?P<email>[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]*\w)"
    r"|(?P<quoted>\"[^\"\n]+\"|“[^”\n]+”|(?<!\w)‘[^’\n]+’|(?<!\w)'[^'\n]+'(?!\w)|`[^`\n]+`|「[^」\n]+」|«[^»\n]+»)"
    r"|(?P<path>(?:~|\.{1,2})?/[\w.-][\w./-]*|[A-Za-z]:\\[\w\\.-]+|[\w-]{1,64}(?:/[\w.-]{1,64}){2,}"
    r"|[\w-]{1,64}/[\w-]{0,64}[-.\d][\w.-]*|\b[\w-]{1,64}/(?=[\s,?!]|\.?$)|\*[\w*./-]+"
    r"|\b[\w-]{1,64}\.(?:[a-z]{1,5}\d?)\b(?<!\.\d))"
    r"|(?P<date>\d{4}-\d{2}-\d{2}(?:T[\d:]+Z?)?|\d{1,2}/\d{1,2}(?:/\d{2,4})?|\d{1,2}\.\d{1,2}\.(?:\d{2,4})?"
    r"|" + _MONTH + r"\.? \d{1,2}(?:st|nd|rd|th)?\b(?:,? \d{4}\b)?"
    r"|\d{1,2}(?:st|nd|rd|th)?\.? (?:of |de )?" + _MONTH + r"\b(?:,? (?:de )?\d{4}\b)?)"
    r"|(?P<time>\d{1,2}:\d{2}(?: ?[ap]\.?m\b)?|\d{1,2} ?[ap]\.?m\b)"
    r"|(?P<id>#\w+|[0-9a-f]{8}-[0-9a-f-]{13,}|[A-Za-z]{1,9}[-_][A-Za-z]{0,4}[-_]?\d[\w-]*|[A-Z]{1,6}\d[\w-]*"
    r"|\d+[A-Z][\w-]*"
    r"|[A-Za-z]{1,32}\d{2,}\w*|\d{2,}-\d[\d-]+)"
    r"|(?P<code>[A-Za-z]{1,32}(?:_[A-Za-z0-9]{1,32}){1,8})"
    r"|(?P<number>[$€£¥]?\d+(?:,\d{3})*(?:\.\d+)?%?)"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)?))",
    re.IGNORECASE,
)
_CASED_ID = re.compile(
    r"[A-Z]{1,6}\d[\w-]*|\d+[A-Z][\w-]*|#\w+|[\w]+[-_][\w-]*\d[\w-]*|[A-Za-z]+\d{2,}\w*|\d{2,}-[\d-]+"
)
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_JAPANESE_VALUE = re.compile(r"[\u30a0-\u30ff\u4e00-\u9fff]{2,}")
_CAMEL = re.compile(r"[a-z][A-Z]")
_YEAR = re.compile(r"(?:19|20)\d\d")
_BEFORE_YEARS = frozenset("in since until before after year by during early late".split())
_DAYS = frozenset(
    "today tomorrow tonight yesterday monday tuesday wednesday thursday friday saturday sunday weekend morning "
    "evening "
    "afternoon noon midnight week month heute morgen demain hoy manana lunes martes miercoles jueves viernes "
    "sabado domingo "
    "montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi vendredi samedi "
    "dimanche".split()
)
_MONTHS = frozenset(
    "january february march april may june july august september october november december januar februar marz "
    "mai juni "
    "juli oktober dezember janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre "
    "enero febrero "
    "marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
)
_NUMBERS = frozenset("one two three four five six seven eight nine ten twelve twenty thirty fifty hundred half".split())
STOP = frozenset(
    "a about above after again all also am an and any anyone anything are as at be because been before being below "
    "between both but by can could did do does doing down each either else every everything few for from further "
    "had has have "
    "having he her here hers him his how i if in into is it its itself just like me more most much my need no "
    "nor not "
    "now of off on once only or other our out over own per please quick quickly really same she should so some "
    "something "
    "such than thanks thank that the their them then there these they thing this those through to too under "
    "until up us use "
    "using very via want was we were what when where whether which while who whom whose why will with within "
    "would you your "
    "another same second ones yes yeah ok okay hey hi hello let lets got i'm i'd i'll i've it's what's that's "
    "don't doesn't isn't can't won't let's "
    "who's where's how's there's "
    "new currently right maybe still already going exactly actually kindly dont im id ill whats "
    "der die das den dem des ein eine einen einem einer ist sind wie was wer wo wann ich du er sie es wir ihr "
    "mir mich mein meine "
    "meinen bitte in im am an auf aus bei mit nach von vom zu zum zur und oder fur uber um kannst konnen kann "
    "wird gibt "
    "le la les l un une des du de et ou est sont quel quelle quels quelles qui que quoi je tu il elle nous vous "
    "moi mon ma mes "
    "s'il plait vous pour dans sur avec a au aux en ce cette fait peux pouvez c'est "
    "el los las una unos unas y o es son cual cuales que quien donde cuando como yo mi mis me te se por favor "
    "para con del al "
    "hay puedes podrias lo va hace esta ".split()
)
# Words that tools and requests are full of: they decide little.
GENERIC = frozenset(
    "user data information info detail current give get specific specified provide optional valu valid string "
    "object result "
    "input paramet return request nam list name tool function number typ type item avail given text content "
    "default exampl format id "
    "option full set new day time today last first work thing lot way good best bit help system servic servy us "
    "mak tak "
    "com go put ask person minut hour second week month year".split()
)


# Words that are kept.
_REMEMBERED = 2_048


@dataclass(slots=True)
class Token:
    """A word or value of a text. `kind` is "" for a plain word; `keys` are (stem or group, strength)."""

    text: str
    low: str
    stem: str
    kind: str
    start: int
    end: int
    keys: tuple[tuple[str, float], ...] = ()
    acts: tuple[str, ...] = ()
    stop: bool = False
    weight: float = 1.0
    covered: bool = False


def tokens_of(text: str, verbs: Collection[str] = (), most: int = 0) -> list[Token]:
    """The tokens of `text`, with the groups of the words and phrases in it. `verbs`: stems that are acts, too.

    `most`: so many of the tokens are enough, unless letters are not ASCII.
    """
    known = lexicon()
    found: list[Token] = []
    matches = _TOKEN.finditer(text)
    for match in islice(matches, most) if most and text.isascii() else matches:
        kind = match.lastgroup or "word"
        word = match[kind]
        start, end = match.span(kind)
        if kind == "plain":
            found.append(_word_token(found, word, start, end, verbs))
            continue
        if kind == "id" and not _CASED_ID.fullmatch(word):
            kind = "word"
        if kind == "path" and "/" not in word and "\\" not in word and word.lower() in {"e.g", "i.e", "etc.and"}:
            kind = "word"
        if kind == "word":
            found.append(_word_token(found, word, start, end, verbs))
        else:
            low = folded(word).replace("’", "'")
            found.append(Token(word, low, low, kind, start, end))
    if not text.isascii() and _JAPANESE.search(text):
        return _japanese(text, known) + [token for token in found if token.kind]
    for place, token in enumerate(found):
        if token.kind == "number" and place and found[place - 1].low in _BEFORE_YEARS and _YEAR.fullmatch(token.text):
            token.kind = "date"
    # A word is written large at the beginning of a sentence, too: it is a name there only if it stands alone.
    if len(found) > 1 and found[0].kind == "name" and found[1].kind == "" and not found[1].stop:
        found[0].kind = ""
    add_groups(found, verbs)
    return found


class _Word(NamedTuple):
    """A word as it is wherever it stands. `large`: it is written with a large letter, and is no day and no number;
    `shouted`: with large letters only; `known`: it is a word of the thesaurus."""

    low: str
    stem: str
    kind: str
    stop: bool
    weight: float
    letter: bool
    large: bool
    shouted: bool
    known: bool


@lru_cache(maxsize=_REMEMBERED)
def _word(word: str) -> _Word:
    known = lexicon()
    low = folded(word).replace("’", "'")
    bare = low
    if low.endswith(("'s", "s'")):
        bare = low[:-2] if low.endswith("'s") else low[:-1]
    letter = len(word) == 1 and word.isupper() and word != "I"
    if bare in STOP or low in STOP:
        kind = "number" if bare in _NUMBERS else ""
        return _Word(low, known.stem(bare.replace("'", "")), kind, True, 0.0, letter, False, False, False)
    bare = bare.replace("'", "")
    stemmed = known.stem(bare)
    kind = ""
    large = shouted = False
    if bare in _DAYS or (bare in _MONTHS and (word[0].isupper() or bare not in {"may", "march", "mars"})):
        kind = "date"
    elif bare in _NUMBERS:
        kind = "number"
    elif word[0].islower() and _CAMEL.search(word):
        kind = "code"
    elif word[0].isupper():
        large = True
        shouted = len(word) > 1 and word.isupper() and bare != "ok"
    plain = (stemmed,) in known.acts or (stemmed,) in known.things or bare in known.foreign
    weight = 0.25 if stemmed in GENERIC else 1.0
    return _Word(low, stemmed, kind, False, weight, letter, large, shouted, plain)


def _word_token(found: list[Token], text: str, start: int, end: int, verbs: Collection[str]) -> Token:
    """The token of a word behind those that were `found` before it."""
    low, stemmed, kind, stop, weight, letter, large, shouted, known = _word(text)
    if letter and found and not found[-1].stop:
        # "Lift A", "team B"
        return Token(text, low, low, "code", start, end)
    if large:
        initial = not found or (len(found) == 1 and found[0].text in {"and", "And"})
        if shouted:
            kind = "code" if not (initial and known) else ""
        elif not initial or not (known or stemmed in verbs):
            kind = "name"
    return Token(text, low, stemmed, kind, start, end, (), (), stop, weight)


def _japanese(text: str, known: Lexicon) -> list[Token]:
    found: list[Token] = []
    taken = [False] * len(text)
    for written, meaning in known.japanese:
        start = text.find(written)
        if start < 0 or any(taken[start : start + len(written)]):
            continue
        taken[start : start + len(written)] = [True] * len(written)
        for word in meaning.split():
            stemmed = known.stem(word)
            keys = {stemmed: 1.0}
            for group in known.things.get((stemmed,), ()):
                keys[group] = SAME_GROUP
            kind = "date" if word in _DAYS else ""
            acts = known.acts.get((stemmed,), ())
            found.append(Token(written, word, stemmed, kind, start, start + len(written), tuple(keys.items()), acts))
    found += [
        Token(match.group(), match.group(), match.group(), "name", match.start(), match.end())
        for match in _JAPANESE_VALUE.finditer(text)
        if not any(taken[match.start() : match.end()])
    ]
    found.sort(key=lambda token: token.start)
    return found
