"""What is told to be a name, a message or a value by the words before it: "called", "saying", a label."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from . import words
from .chunks import BREAKS, PAUSES, STOP
from .tokens import Value

if TYPE_CHECKING:
    from .values import Text

_CALLED: Final = re.compile(
    r"(?i:\b(?:named|called|titled|entitled|labell?ed|(?:with\s)?(?:the\s)?(?:title|name|subject|heading|label(?!\s(?:it|this|them|as)\b))"
    r"(?:\s(?:is|of|line))?:?)\s+)"
)
_SAYING: Final = re.compile(
    r"(?i:\b(?:saying|that\s(?:says|reads)|which\ssays|with\s(?:the|a)\s(?:message|text|body|content|note|comment)|"
    r"(?:message|text|body|content|note|comment)(?:\sis|:)|containing|to\ssay|(?:to\s)?(?:let|tell|inform|remind)"
    r"(?:ing)?\s(?:him|her|them|me|us|everyone|(?:the\s)?[#@]?[\w-]+)(?:\sknow)?(?:\sthat|\sto)\b|telling\s\w+)\s?:?(?:\sthat\b)?)\s*"
)
_SENTENCE_END: Final = re.compile(r"[.!?;](?=\s|$)|\n")
_CLAUSE_END: Final = re.compile(r"[.!?;,](?=\s|$)|\n")
_DUE_PART: Final = re.compile(r"(?i),\s(?:due|by|until|high|low|urgent|medium)\b")
_DUE: Final = re.compile(r"(?i)\s(?:by|before|until|due|tomorrow|today|next)\b")
_COLON: Final = re.compile(r"(?<=[\w)]):\s+(?=\S)")
_STATEMENT: Final = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER|DROP)\s[^\n]+")
_RUN: Final = re.compile(
    r"(?i)\b(?:run|execute|command)(?:\s+(?:the|this|command|shell|query|following|in|it))*\s*:?\s+([^\n`\"]+)$"
)
_AFTER_COMMAND: Final = re.compile(
    r"(?i),?\s(?:in the (?:background|foreground)|with (?:a|the) (?:timeout|limit)|please|pls|for me|"
    r"and (?:tell|show|wait|give|let)\b|"
    r"then (?:tell|show|give)\b|thanks?\b)"
)
_THAT_ISSUE: Final = re.compile(
    r"(?i)\b(?:task|todo|to-do|reminder|ticket)\s(?:for\s\w+\s)?to\s+(?=\S)|"
    r"\b(?:issue|bug|ticket|task|report|story|card|incident)\b[^.:,!?\n]{0,40}?\s(?:that|about|because|where)\s+(?=\S)"
)
_ENDS_NAME: Final = frozenset({"with", "for", "in", "on", "at", "and", "due", "to", "from"})


def statements(text: Text) -> list[Value]:
    """A statement of SQL that stands in the text without quotes."""
    match = _STATEMENT.search(text.text)
    if match is None or match[0].count(" ") < 2:
        return []
    return [Value("code", match[0].rstrip(".;"), *match.span())]


def tails(text: Text) -> list[Value]:
    """What follows "run" and its like to the end of the text."""
    match = _RUN.search(text.text)
    if match is None:
        return []
    rest = _AFTER_COMMAND.split(match[1], maxsplit=1)[0].rstrip(" ,.")
    return [Value("tail", rest, match.start(1), match.start(1) + len(rest))] if rest else []


def sayings(text: Text) -> list[Value]:
    """What follows "saying" and its like, or else a colon, to the end of the text."""
    match = _SAYING.search(text.text) or _COLON.search(text.text)
    if match is None:
        return []
    quoted = _quoted_at(text, match.end())
    if quoted is not None:
        return [Value("saying", quoted.text, quoted.start, quoted.end)]
    rest = text.text[match.end() :].strip().rstrip(".").strip()
    return [Value("saying", rest, match.end(), len(text.text))] if rest else []


def headlines(text: Text) -> list[Value]:
    """The first sentence after a colon: what a thing that is made is about."""
    match = _COLON.search(text.text)
    if match is None:
        match = _THAT_ISSUE.search(text.text)
        if match is None:
            return []
        end = _CLAUSE_END.search(text.text, match.end())
        if match[0].rstrip().lower().endswith(" to"):
            end = _DUE.search(text.text, match.end(), len(text.text) if end is None else end.start()) or end
        stop = len(text.text) if end is None else end.start()
        return [Value("headline", text.text[match.end() : stop].strip(), match.end(), stop)]
    if _quoted_at(text, match.end()) is not None:
        return []
    end = _SENTENCE_END.search(text.text, match.end())
    stop = len(text.text) if end is None else end.start()
    due = _DUE_PART.search(text.text, match.end(), stop)
    stop = stop if due is None else due.start()
    piece = text.text[match.end() : stop].strip()
    return [Value("headline", piece, match.end(), stop)] if piece.count(" ") > 1 else []


def called(text: Text) -> list[Value]:
    """What follows "called", "titled" and their like: quoted, or up to the next part of the sentence."""
    found: list[Value] = []
    for match in _CALLED.finditer(text.text):
        quoted = _quoted_at(text, match.end())
        if quoted is not None:
            found.append(Value("called", quoted.text, quoted.start, quoted.end, ("called",)))
            continue
        end = _phrase_end(text, match.end(), _ENDS_NAME)
        name = text.text[match.end() : end].strip()
        if name:
            found.append(Value("called", name, match.end(), end, ("called",)))
    return found


def _quoted_at(text: Text, place: int) -> Value | None:
    for value in text.values:
        if value.start == place and value.kind in {"quoted", "code"}:
            return value
    return None


def _phrase_end(text: Text, start: int, stops: frozenset[str]) -> int:
    """Where a phrase that begins at `start` ends: a stop word, punctuation, a date or a time."""
    limit = len(text.text)
    for value in text.values:
        if value.start > start and value.kind in {"date", "time", "datetime"}:
            limit = value.start
            break
    for index in range(bisect_left(text.starts, start), len(text.tokens)):
        token, place, _ = text.tokens[index]
        if place >= limit:
            break
        if place > start and token.lower() in stops:
            return place
        if token in PAUSES and (token != STOP or not text.text[place + 1 : place + 2].strip()):
            return place
    return limit


_NO_VALUES: Final = words.ARTICLES | words.STARTERS | words.POINTING
_JOINERS: Final = ("is", "no", "number", "id", "named", "called", ":", ".", "#", "nr", "num")


def following(text: Text, stems: frozenset[str]) -> Value | None:
    """The word that stands right after one of `stems`: "namespace shop", "order no. 5"."""
    if stems.isdisjoint(text.stem_set):
        return None
    tokens = text.tokens
    for index, stem in enumerate(text.stems[:-1]):
        if stem not in stems:
            continue
        place = index + 1
        while place < len(tokens) and tokens[place][0].lower() in _JOINERS:
            place += 1
        if place >= len(tokens):
            return None
        start = tokens[place][1]
        # Only what belongs together without a break is one word: web-2, a/b, x_y.
        if text.text[tokens[place - 1][2] : start].strip("\"'“`# .:"):
            continue
        for value in text.values:
            if value.kind in ("quoted", "code") and value.start == start - 1:
                return Value("marked", value.text, value.start, value.end, (stem,))
            if value.start == start and value.kind == "name" and (numbered := _NUMBER.match(text.text, value.end)):
                # "subject Invoice 44"
                return Value("marked", value.text + numbered[0], start, numbered.end(), (stem,))
            if value.start == start and (value.kind == "name" or (value.kind == "id" and value.text[0] != "#")):
                return Value("marked", value.text, value.start, value.end, (stem,))
        match = _WORD.match(text.text, start)
        word = "" if match is None else match[0].rstrip(".")
        lower = word.lower()
        letter = len(word) == 1 and word.isupper() and word != "I"
        if not word or (not letter and (lower in BREAKS or lower in _NO_VALUES)):
            continue
        plain = word.isalpha() and word.islower()
        if plain and words.stem(word) in words.GENERAL_STEMS:
            continue
        return Value("word" if plain else "marked", word, start, start + len(word), (stem,))
    return None


_NUMBER: Final = re.compile(r" \d+\b(?![:.]\d)")
_WORD: Final = re.compile(r"[^\s,;:!?\"'”`)]+")
