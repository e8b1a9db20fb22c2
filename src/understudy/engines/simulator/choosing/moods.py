"""What a clause is: something asked for, a question, a wish for an explanation, a statement, a negation, a courtesy."""

from __future__ import annotations

import re
from enum import Enum

from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.mood_patterns import (
    ANY_CASE,
    ASKING,
    CHATTY,
    COMPOSE,
    EXPLAIN,
    GENERAL,
    IN_GENERAL,
    LEAD,
    META,
    NEGATED,
    NEVER_TOOLS,
    QUESTION,
    SOCIAL,
    STATEMENT,
    SUM,
    USUAL,
    WISH,
    WORDED,
)
from understudy.engines.simulator.choosing.phrasal import acts_apart
from understudy.engines.simulator.choosing.words import Token


class Mood(Enum):
    REQUEST = "request"
    QUESTION = "question"
    # A wish for something from somewhere, no act named: "I need a flight".
    WISH = "wish"
    # Words without a verb: "Weather in Paris".
    FRAGMENT = "fragment"
    EXPLAIN = "explain"
    COMPOSE = "compose"
    STATEMENT = "statement"
    NEGATED = "negated"
    SOCIAL = "social"
    META = "meta"

    # Moods are looked up in sets at every turn; Enum's own hash is a function of Python.
    __hash__ = object.__hash__


_SUBJECT = re.compile(r"^(?:i|we|he|she|they|there)\b(?! ?(?:'d|would))(?= \w+ \w+)", ANY_CASE)
_CAN_YOU_THINGS = re.compile(
    r"^(?:can|could|do|are) you (?:able to |capable of |know how to |also )?(\w+)(?: \w+)?(?: \w+s)?\W*$", ANY_CASE
)


_NOUN_FIRST = re.compile(
    r"^\w+ \w+ (?:should|is|are|was|were|will|has|have|had|must|can|cannot|did|does|do)\b", ANY_CASE
)
# "Have a courier come", "take it off the list"
_CAUSED = re.compile(
    r"^have (?:an?|the|my|some|someone|somebody)\b|^(?:turn|switch|put|take)\b(?: \S+){1,5}? (?:on|off|up"
    r"|down)\b",
    ANY_CASE,
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might|isn't|aren't|doesn't"
    r"|don't|didn't)\b",
    ANY_CASE,
)
# The person wants to be told first what to bring.
_ASKS_BACK = re.compile(
    r"\b(?:tell me|let me know|ask me|say) what (?:else )?(?:you(?:'d| would| will|'ll)? need|you want|to bring"
    r"|is needed)\b"
    r"|\bwhat (?:else )?do you need (?:from me|to know)\b",
    ANY_CASE,
)
_NEW = re.compile(r"^(?:an? )?(?:new|another) \w+(?: \w+){0,3}\s?[:,]", ANY_CASE)
# "In a.toml change x to y"
_PLACE_FIRST = re.compile(
    r"^(?:in|on|at|for|under|from|inside) \S+(?: \S+){0,3}?,? (?=(?:please )?(?:change|replace|set|add|remove"
    r"|delete|rename"
    r"|update|turn|switch|put|create|show|list|find|search|check|book|send|give|play|run|move|make|write|fix"
    r"|insert|append"
    r"|increase|decrease|raise|lower|swap|edit|cancel|order|open|close|start|stop) (?!of\b|for\b|in\b|is\b|are\b"
    r"|list\b|and\b))",
    ANY_CASE,
)
# "Order 88213 arrived broken": what looks like an order to do something is a noun with its number.
_TOLD_OF = re.compile(
    r"^\w+ (?:no\.? |number )?#?[\w-]*\d[\w-]* (?:arrived|came|was|is|were|has|had|got|went|broke|never|still"
    r"|showed|turned out"
    r"|stopped|failed|shipped|expired|hasn't|isn't|doesn't|won't|didn't|seems|looks|keeps)\b",
    ANY_CASE,
)
# "When this is over, …" before what is to be done.
_WHEN_DONE = re.compile(
    r"^(?:when|once|after|as soon as) [^,?.]{3,40}?\b(?:over|done|finished|ends|ended|ready|is up"
    r"|finishes),? (?=\w+ \w)",
    ANY_CASE,
)
# What one likes, or has done and tells of.
_FEELS = re.compile(
    r"^(?:i|we) (?:(?:really|just|so|absolutely) )*(?:love|hate|adore|miss|enjoy|appreciate) (?:how|that|when|it"
    r"|the way|this)\b",
    ANY_CASE,
)
ONLY = re.compile(r"^\W*(?:just|only)\b(?! (?:the|a|an|my)\b)", ANY_CASE)
# "Word counts for DOC-118"
_NOUN_FOR = re.compile(
    r"^(?!(?:i|we|you|he|she|they|it|the|my|our)\b)(?:[a-z]+ ){1,3}(?:for|of) #?[\w-]*\d[\w-]*(?= and|,|\W*$)", ANY_CASE
)
_HYPHENATED = re.compile(r"^\w+(?:-\w+)+\b")
_FINITE_SOON = re.compile(
    r"^\S+ (?:\S+ ){0,6}?(?:is|are|was|were|has|needs?|should|must|will|keeps?|wants?)\b", ANY_CASE
)
_FORGET = re.compile(r"^(?:don'?t|do not) (?:let me )?forget\b|^let (?!me|us|it\b)\S+(?: \S+){0,5}? know\b", ANY_CASE)
# Statements that say what is to be done.
_IMPLIED = re.compile(
    r"\b(?:needs? to be|needs to \w+|need \w+ing|should (?:be|go (?:to|out|up|live|in)|get|air|start|run|end)"
    r"|must be|ha(?:s|ve) to be|is to be|(?:is|it's"
    r"|are) (?:way |much |a bit )?too (?:dark|bright|hot|cold|warm|cool|loud|quiet|slow|small|big)|needs? an?"
    r"|^(?:i|we)(?:'ll| will) (?:take|have|go (?:for|with))\b|would like|(?:he|she|they|it|guest|client|customer"
    r"|patient)'d (?:like|love|prefer)|wants? (?:to|an?)|(?:don'?t|no longer) need\b.+|can'?t make it|i(?:'ve"
    r"| have)? lost my|(?:got"
    r"|was|been) stolen)\b",
    ANY_CASE,
)
_JUST = re.compile(
    r"^\W*(?:i )?(?:just|only) (?:want(?:ed)? to (?:say|tell|share|let)|saying|thought|letting|sharing"
    r"|curious)\b",
    ANY_CASE,
)
_HOPES = re.compile(
    r"\bplease\W*$|\bwould be (?:perfect|great|lovely|nice|ideal|fine|good|best|helpful)\b|\b(?:nearly"
    r"|almost) (?:out of|gone|empty)\b"
    r"|\b(?:running|run|ran) (?:out of|low on)\b",
    ANY_CASE,
)
_LIMITS = re.compile(r"^(?:i |we )?(?:only|just) (?:really )?(?:care|interested|looking|bother|mind)\b", ANY_CASE)
_ABOUT = re.compile(r"^(?:what|how) about\b", ANY_CASE)


def lead_of(text: str) -> int:
    """How many characters at the beginning are courtesy and connection only."""
    found = LEAD.match(text)
    return found.end() if found else 0


def body_of(text: str) -> tuple[str, bool]:
    """`text` without courtesy and asking words, and whether there were asking words."""
    rest = text[lead_of(text) :]
    asked = False
    for _ in range(3):
        match = ASKING.match(rest)
        if not match:
            break
        asked = True
        rest = rest[match.end() :].lstrip(" ,")
        rest = rest[lead_of(rest) :]
    placed = _PLACE_FIRST.match(rest) or (None if text.rstrip().endswith("?") else _WHEN_DONE.match(rest))
    if placed:
        rest = rest[placed.end() :]
        rest = rest[lead_of(rest) :]
    return rest, asked


def forbids_tools(text: str) -> bool:
    return bool(NEVER_TOOLS.search(text) or _ASKS_BACK.search(text))


def is_social(text: str) -> bool:
    return len(text) < 160 and bool(SOCIAL.match(text))


def is_general(text: str) -> bool:
    """Whether a text says itself that it asks about the world in general."""
    return bool(IN_GENERAL.search(text))


def is_sum(text: str) -> bool:
    """Whether a text asks for the result of a sum."""
    return bool(SUM.search(text))


def mood_of(text: str, tokens: list[Token]) -> Mood:
    """The mood of a clause whose tokens are given."""
    if is_social(text):
        return Mood.SOCIAL
    bare = text[lead_of(text) :]
    if NEGATED.match(bare) or (
        NEGATED.match(text.lstrip(" ,.")) and not text.lower().lstrip().startswith("don't forget")
    ):
        return Mood.NEGATED
    if META.search(text):
        return Mood.META
    if (
        text.rstrip().endswith("?")
        and _CAN_YOU_THINGS.match(bare)
        and not any(
            (token.kind and token.kind != "code") or token.low in {"the", "my", "this", "that", "it", "me"}
            for token in tokens
        )
    ):
        return Mood.META
    if _NEW.match(bare):
        return Mood.FRAGMENT
    body, asked = body_of(text)
    particular = any(token.kind in {"name", "date", "id", "code"} for token in tokens)
    if (
        GENERAL.search(text)
        or (USUAL.search(text) and not particular)
        or CHATTY.match(body)
        or EXPLAIN.match(body)
        or (not asked and EXPLAIN.match(bare))
    ):
        return Mood.EXPLAIN
    if COMPOSE.match(body) or (WORDED.match(body) and not any(token.kind in {"email", "id"} for token in tokens)):
        return Mood.COMPOSE
    if asked:
        return Mood.QUESTION if QUESTION.match(body) else Mood.REQUEST
    if QUESTION.match(body) and not _CAUSED.match(body):
        return Mood.FRAGMENT if _ABOUT.match(body) else Mood.QUESTION
    if WISH.match(bare) and not _FEELS.match(bare):
        return Mood.WISH
    if _FORGET.match(bare):
        return Mood.REQUEST
    head = next((token for token in tokens if token.start >= len(text) - len(body)), None)
    imperative = head is not None and bool(head.acts or acts_apart(tokens, head)) and not head.stop and _base_form(head)
    if ONLY.match(text) and imperative and head is not None and _is_noun(tokens, head):
        # "Just file and line" says how much is wanted.
        return Mood.FRAGMENT
    if _TOLD_OF.match(bare):
        return Mood.STATEMENT
    if _HYPHENATED.match(body) and _FINITE_SOON.match(body):
        imperative = False
    if _NOUN_FIRST.match(body):
        imperative = False
    if imperative and head is not None and not (head.low.endswith("s") and not head.low.endswith("ss")):
        following = next((token for token in tokens if token.start > head.start), None)
        if following is None or following.low not in {"is", "are", "was", "were", "has", "had", "will"}:
            return Mood.REQUEST
    if _CAUSED.match(body):
        return Mood.REQUEST
    if head is not None and is_unknown_verb(head, _next(tokens, head)):
        return Mood.REQUEST
    if text.rstrip().endswith("?") and _FINITE.search(text):
        return Mood.QUESTION
    if _FEELS.match(bare) or _JUST.match(text) or _LIMITS.match(bare):
        return Mood.STATEMENT
    if bare.rstrip(" .!?").endswith((" one", " ones")) and len(bare) < 40:
        return Mood.FRAGMENT
    if _HOPES.search(bare) and not bare.rstrip().endswith("?"):
        return Mood.WISH
    if _IMPLIED.search(bare):
        return Mood.WISH
    if _NOUN_FOR.match(bare) and not _SUBJECT.match(bare):
        return Mood.FRAGMENT
    if STATEMENT.match(bare) or (_SUBJECT.match(bare) and "?" not in bare):
        return Mood.STATEMENT
    return Mood.FRAGMENT


_OBJECTS = frozenset(
    "the my our his her their your this these those a an it them him me us all both every each another".split()
)


_PRONOUNS = frozenset("it them him her me us everyone everybody".split())


def _next(tokens: list[Token], head: Token) -> Token | None:
    return next((token for token in tokens if token.start > head.start), None)


def is_unknown_verb(head: Token, following: Token | None) -> bool:
    """Whether a word that is no known act stands as one: in its base form before an object, as in "tape the show"."""
    if (
        following is not None
        and following.low in _PRONOUNS
        and head.low.isalpha()
        and not head.stop
        and _base_form(head)
    ):
        return True
    return (
        following is not None
        and head.low not in lexicon().irregular
        and not head.stop
        and not head.acts
        and head.kind in {"", "name"}
        and not any(key[0] == "#" for key, _ in head.keys)
        and head.low.isalpha()
        and _base_form(head)
        and not (head.low.endswith("s") and not head.low.endswith("ss"))
        and not head.low.endswith("ly")
        and (following.low in _OBJECTS or following.kind in {"quoted", "id", "path", "url", "email"})
    )


def _is_noun(tokens: list[Token], head: Token) -> bool:
    """Whether a word that may be a verb stands for a thing: nothing that it could be done to follows."""
    following = _next(tokens, head)
    if (head.stem,) not in lexicon().things:
        return False
    return following is None or following.low in {"and", "or", "plus"} or following.start > head.end + 1


def _base_form(token: Token) -> bool:
    return not token.low.endswith(("ing", "ed"))
