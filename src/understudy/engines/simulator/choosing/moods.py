"""What a clause is: something asked for, a question, a wish for an explanation, a statement, a negation, a courtesy."""

from __future__ import annotations

import re
from enum import Enum

from understudy.engines.simulator.choosing.gated import Gated, Words, first_in, words_in
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.mood_patterns import (
    ANY_CASE,
    CHATTY,
    COMPOSE,
    EXPLAIN,
    GENERAL,
    IN_GENERAL,
    META,
    NEGATED,
    NEVER_TOOLS,
    QUESTION,
    SOCIAL,
    STATEMENT,
    SUM,
    USUAL,
    WHEN_YOU,
    WISH,
    WORDED,
)
from understudy.engines.simulator.choosing.phrasal import acts_apart
from understudy.engines.simulator.choosing.wording import Wording
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


_SUBJECT = Gated(r"^(?:i|we|he|she|they|there)\b(?! ?(?:'d|would))(?= \w+ \w+)")
_CAN_YOU_THINGS = Gated(
    r"^(?:can|could|do|are) you (?:able to |capable of |know how to |also )?(\w+)(?: \w+)?(?: \w+s)?\W*$"
)


_NOUN_FIRST = re.compile(
    r"^\w+ \w+ (?:should|is|are|was|were|will|has|have|had|must|can|cannot|did|does|do)\b", ANY_CASE
)
# "Have a courier come", "take it off the list"
_CAUSED = Gated(
    r"^have (?:an?|the|my|some|someone|somebody)\b|^(?:turn|switch|put|take)\b(?: \S+){1,5}? (?:on|off|up"
    r"|down)\b"
)
_FINITE = Gated(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might|isn't|aren't|doesn't"
    r"|don't|didn't)\b"
)
# The person wants to be told first what to bring.
_ASKS_BACK = Gated(
    r"\b(?:tell me|let me know|ask me|say) what (?:else )?(?:you(?:'d| would| will|'ll)? need|you want|to bring"
    r"|is needed)\b"
    r"|\bwhat (?:else )?do you need (?:from me|to know)\b"
)
_NEW = Gated(r"^(?:an? )?(?:new|another) \w+(?: \w+){0,3}\s?[:,]")
# "Order 88213 arrived broken": what looks like an order to do something is a noun with its number.
_TOLD_OF = re.compile(
    r"^\w+ (?:no\.? |number )?#?[\w-]*\d[\w-]* (?:arrived|came|was|is|were|has|had|got|went|broke|never|still"
    r"|showed|turned out"
    r"|stopped|failed|shipped|expired|hasn't|isn't|doesn't|won't|didn't|seems|looks|keeps)\b",
    ANY_CASE,
)
# What one likes, or has done and tells of.
_FEELS = Gated(
    r"^(?:i|we) (?:(?:really|just|so|absolutely) )*(?:love|hate|adore|miss|enjoy|appreciate) (?:how|that|when|it"
    r"|the way|this)\b"
)
ONLY = Gated(r"^\W*(?:just|only)\b(?! (?:the|a|an|my)\b)")
# "Word counts for DOC-118"
_NOUN_FOR = re.compile(
    r"^(?!(?:i|we|you|he|she|they|it|the|my|our)\b)(?:[a-z]+ ){1,3}(?:for|of) #?[\w-]*\d[\w-]*(?= and|,|\W*$)", ANY_CASE
)
_HYPHENATED = re.compile(r"^\w+(?:-\w+)+\b")
_FINITE_SOON = re.compile(
    r"^\S+ (?:\S+ ){0,6}?(?:is|are|was|were|has|needs?|should|must|will|keeps?|wants?)\b", ANY_CASE
)
_FORGET = Gated(r"^(?:don'?t|do not) (?:let me )?forget\b|^let (?!me|us|it\b)\S+(?: \S+){0,5}? know\b")
# Statements that say what is to be done.
_IMPLIED = Gated(
    r"\b(?:needs? to be|needs to \w+|need \w+ing|should (?:be|go (?:to|out|up|live|in)|get|air|start|run|end)"
    r"|must be|ha(?:s|ve) to be|is to be|(?:is|it's"
    r"|are) (?:way |much |a bit )?too (?:dark|bright|hot|cold|warm|cool|loud|quiet|slow|small|big)|needs? an?"
    r"|^(?:i|we)(?:'ll| will) (?:take|have|go (?:for|with))\b|would like|(?:he|she|they|it|guest|client|customer"
    r"|patient)'d (?:like|love|prefer)|wants? (?:to|an?)|(?:don'?t|no longer) need\b.+|can'?t make it|i(?:'ve"
    r"| have)? lost my|(?:got"
    r"|was|been) stolen)\b"
)
_JUST = Gated(
    r"^\W*(?:i )?(?:just|only) (?:want(?:ed)? to (?:say|tell|share|let)|saying|thought|letting|sharing"
    r"|curious)\b"
)
_HOPES = Gated(
    r"\bplease\W*$|\bwould be (?:perfect|great|lovely|nice|ideal|fine|good|best|helpful)\b|\b(?:nearly"
    r"|almost) (?:out of|gone|empty)\b"
    r"|\b(?:running|run|ran) (?:out of|low on)\b"
)
_LIMITS = Gated(r"^(?:i |we )?(?:only|just) (?:really )?(?:care|interested|looking|bother|mind)\b")
_ABOUT = Gated(r"^(?:what|how) about\b")


def forbids_tools(text: str) -> bool:
    words = words_in(text)
    return bool(NEVER_TOOLS.search(text, words) or _ASKS_BACK.search(text, words))


def is_social(text: str) -> bool:
    return len(text) < 160 and bool(SOCIAL.match(text, first_in(text)))


def is_general(text: str, words: Words = None) -> bool:
    """Whether a text says itself that it asks about the world in general. `words`, where known, are its own."""
    return bool(IN_GENERAL.search(text, words))


def is_sum(text: str, words: Words = None) -> bool:
    """Whether a text asks for the result of a sum. `words`, where known, are its own."""
    return bool(SUM.search(text, words))


def mood_of(said: Wording, tokens: list[Token]) -> Mood:
    """The mood of a clause whose tokens are given."""
    text, words, bare, body = said.text, said.words, said.bare, said.body
    first, bare_first, body_first = said.first, said.bare_first, said.body_first
    if len(text) < 160 and SOCIAL.match(text, first):
        return Mood.SOCIAL
    if NEGATED.match(bare, bare_first) or (
        NEGATED.match(text.lstrip(" ,."), first) and not text.lower().lstrip().startswith("don't forget")
    ):
        return Mood.NEGATED
    if META.search(text, words):
        return Mood.META
    question = text.rstrip().endswith("?")
    if (
        question
        and _CAN_YOU_THINGS.match(bare, bare_first)
        and not any(
            (token.kind and token.kind != "code") or token.low in {"the", "my", "this", "that", "it", "me"}
            for token in tokens
        )
    ):
        return Mood.META
    if _NEW.match(bare, bare_first):
        return Mood.FRAGMENT
    if _explains(said, tokens):
        return Mood.EXPLAIN
    if COMPOSE.match(body, body_first) or (
        WORDED.match(body, body_first) and not any(token.kind in {"email", "id"} for token in tokens)
    ):
        return Mood.COMPOSE
    if said.asked:
        return Mood.QUESTION if QUESTION.match(body, body_first) else Mood.REQUEST
    if QUESTION.match(body, body_first) and not _CAUSED.match(body, body_first):
        return Mood.FRAGMENT if _ABOUT.match(body, body_first) else Mood.QUESTION
    if WISH.match(bare, bare_first) and not _FEELS.match(bare, bare_first):
        return Mood.WISH
    if _FORGET.match(bare, bare_first):
        return Mood.REQUEST
    return _led(said, tokens) or _told(said, question=question)


def _explains(said: Wording, tokens: list[Token]) -> bool:
    """Whether an explanation is asked for, or what one would say of the world at large."""
    text, words, body, bare = said.text, said.words, said.body, said.bare
    particular = any(token.kind in {"name", "date", "id", "code"} for token in tokens)
    later = words is None or "when" in words
    return bool(
        GENERAL.search(text, words)
        or (not particular and USUAL.search(text, words))
        or CHATTY.match(body, said.body_first)
        or EXPLAIN.match(body, said.body_first)
        or (later and WHEN_YOU.match(body))
        or (not said.asked and (EXPLAIN.match(bare, said.bare_first) or (later and WHEN_YOU.match(bare))))
    )


def _led(said: Wording, tokens: list[Token]) -> Mood | None:
    """The mood that the first word of the body decides; None where it decides none."""
    text, body = said.text, said.body
    begin = len(text) - len(body)
    head = next((token for token in tokens if token.start >= begin), None)
    imperative = head is not None and bool(head.acts or acts_apart(tokens, head)) and not head.stop and _base_form(head)
    if imperative and head is not None and ONLY.match(text, said.first) and _is_noun(tokens, head):
        # "Just file and line" says how much is wanted.
        return Mood.FRAGMENT
    if _TOLD_OF.match(said.bare):
        return Mood.STATEMENT
    if imperative and ((_HYPHENATED.match(body) and _FINITE_SOON.match(body)) or _NOUN_FIRST.match(body)):
        imperative = False
    if imperative and head is not None and not (head.low.endswith("s") and not head.low.endswith("ss")):
        following = next((token for token in tokens if token.start > head.start), None)
        if following is None or following.low not in {"is", "are", "was", "were", "has", "had", "will"}:
            return Mood.REQUEST
    if _CAUSED.match(body, said.body_first):
        return Mood.REQUEST
    if head is not None and is_unknown_verb(head, _next(tokens, head)):
        return Mood.REQUEST
    return None


def _told(said: Wording, *, question: bool) -> Mood:
    """The mood of what asks for nothing with a verb."""
    text, bare, words, first = said.text, said.bare, said.bare_words, said.bare_first
    if question and _FINITE.search(text, said.words):
        return Mood.QUESTION
    if _FEELS.match(bare, first) or _JUST.match(text, said.first) or _LIMITS.match(bare, first):
        return Mood.STATEMENT
    if bare.rstrip(" .!?").endswith((" one", " ones")) and len(bare) < 40:
        return Mood.FRAGMENT
    if _HOPES.search(bare, words) and not bare.rstrip().endswith("?"):
        return Mood.WISH
    if _IMPLIED.search(bare, words):
        return Mood.WISH
    subject = _SUBJECT.match(bare, first)
    if not subject and _NOUN_FOR.match(bare):
        return Mood.FRAGMENT
    if (subject and "?" not in bare) or STATEMENT.match(bare):
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
