"""The signs of a turn that speak for calling no tool: each a number. Their order, `TURN`, is that of the weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.gated import Gated, words_in
from understudy.engines.simulator.choosing.hearing import Heard
from understudy.engines.simulator.choosing.judging import DEFINITE
from understudy.engines.simulator.choosing.moods import Mood, is_general
from understudy.engines.simulator.choosing.whole import DONE
from understudy.engines.simulator.choosing.words import Token

TURN: Sequence[str] = (
    "always question request wish statement fragment explain compose general no_values codes definite later short "
    "no_words long best act name no_verb asks_of_all opinion authoring feeling negated uncovered you done "
    "like says_more asks_of_code names explain_all opinion_of_all later_short told_values"
).split()

# Characters of a turn that are searched for the words of talk.
_LONGEST = 1_000
_CODES = frozenset(("id", "url", "path", "email", "code"))
_OPINION = Gated(
    r"\b(?:best|better|good|worth|should|recommend|advice|tips?|ideas?|favou?rite|normal(?:ly)?|usual(?:ly)?"
    r"|typical(?:ly)?|in general|generally|always|ever|really|actually|difference|mean|why"
    r"|how (?:do|does|can|long do|often do)|who was|who invented|explain|suggest|pros|cons|opinion|think)\b"
)
_AUTHORING = Gated(
    r"\b(?:write|draft|compose|come up|invent|tell|give|suggest|explain)\b.{0,40}\b(?:poems?|jokes?|story|stories|haiku"
    r"|slogans?|headlines?|ideas?|titles?|tips|sentences?|paragraph|essay|lyrics|words|regex|examples?|subject lines?"
    r"|letter|toast|speech|limerick|riddle|jingle|caption|way)\b"
)
_FEELING = Gated(
    r"\b(?:i(?:'m| am) (?:so |really |just |a bit )?(?:tired|happy|sad|glad|bored|sorry|scared|done|back|hungry)"
    r"|i (?:love|hate|miss|like|enjoy)|what a|lol|haha|thanks?|thx|cheers|brilliant|awesome"
    r"|great (?:work|job)|love it"
    r"|good (?:morning|night|evening))(?!\w)"
)
_SMILE = re.compile(r"\b[:;]\)(?!\w)")
_YOU = Gated(r"\b(?:you|your)\b")


_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_DIGITS = re.compile(r"\d+")
_OPENING = 600
_MARKS = ("?", "!", ",")


def marks_of(asked: str) -> frozenset[str]:
    """The words of a turn, what it begins and ends with, its marks, and how long it is: each may tell whether something
    is to be done."""
    asked = asked[:_OPENING]
    words = _WORD.findall(asked.lower().replace("’", "'"))
    found = {*words, "end " + asked.rstrip()[-1:], *(mark for mark in _MARKS if mark in asked)}
    found.add(f"numbers {min(2, len(_DIGITS.findall(asked)))}")
    found.add(f"length {min(4, len(words) // 4)}")
    if words:
        found.add("first " + words[0])
        found.add("first " + " ".join(words[:2]))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Most:
    """The most that a sign of the tools is for any of them."""

    best: float
    act: float
    name: float
    covered: float
    like: float


def turn_signs(
    asked: str,
    clauses: list[Clause],
    kept: list[Clause],
    whole: Heard,
    content: list[Token],
    most: Most,
    *,
    later: bool,
) -> list[float]:
    """`kept` are the clauses that may ask for something, `content` the words that count.

    `later`: calls were made in turns before.
    """
    asked = asked[:_LONGEST]
    moods = {clause.mood for clause in kept}
    tokens = whole.clause.tokens
    own = sum(not token.kind and not token.acts for token in content)
    definite = any(token.low in DEFINITE for token in tokens)
    question, request = Mood.QUESTION in moods, Mood.REQUEST in moods
    explain = Mood.EXPLAIN in moods
    values = bool(whole.values)
    codes = any(token.kind in _CODES for token in whole.values)
    words = words_in(asked)
    opinion = _OPINION.search(asked, words) is not None
    feeling = _FEELING.search(asked, words) or (")" in asked and _SMILE.search(asked))
    found: dict[str, float | bool] = {
        "always": True,
        "question": question,
        "request": request,
        "wish": Mood.WISH in moods,
        "statement": bool(moods) and moods <= {Mood.STATEMENT},
        "fragment": bool(moods) and moods <= {Mood.FRAGMENT},
        "explain": explain,
        "compose": Mood.COMPOSE in moods,
        "general": is_general(asked, words),
        "no_values": not values,
        "codes": codes,
        "definite": definite,
        "later": later,
        "short": len(tokens) <= 3,
        "no_words": own == 0,
        "long": len(tokens) > 25,
        "best": most.best,
        "act": most.act,
        "name": most.name,
        "no_verb": request and most.act < 0.5,
        "asks_of_all": question and not values and not definite,
        "opinion": opinion,
        "authoring": _AUTHORING.search(asked, words) is not None,
        "feeling": bool(feeling),
        "negated": any(clause.mood is Mood.NEGATED for clause in clauses),
        "uncovered": 1.0 - most.covered,
        "you": _YOU.search(asked, words) is not None,
        "done": DONE.search(asked, words) is not None,
        "like": most.like,
        "says_more": len(kept) > 1,
        "asks_of_code": question and codes,
        "names": any(token.kind == "name" for token in whole.values),
        "explain_all": explain and not values,
        "opinion_of_all": opinion and not values,
        "later_short": later and own < 3,
        "told_values": values and not question and not request,
    }
    return [float(found[name]) for name in TURN]
