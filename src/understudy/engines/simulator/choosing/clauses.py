"""A message as clauses: what is asked one after another, each with its words, its acts and its mood."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from understudy.engines.simulator.choosing.asked_acts import DETERMINERS, NEW_THING, PARTICLE, TELLS, acts_asked
from understudy.engines.simulator.choosing.commands import is_command
from understudy.engines.simulator.choosing.gated import Gated, Words, first_in, words_in
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.moods import Mood, is_unknown_verb, mood_of
from understudy.engines.simulator.choosing.wording import lead_of, wording_of
from understudy.engines.simulator.choosing.words import Token, tokens_of

_LONGEST = 2_400
_MOST_CLAUSES = 16
# Words that a clause is known by: the first two, and as many as may be one phrase with them.
_MOST_OPENING = 8
# Commas and the like that are looked at in a sentence.
_MOST_SEPARATORS = 40
_END = re.compile(
    r"(?<=[.!?;。！？])(?:[\"”')]?)\s+|(?<=[。！？])|\n+|;\s|\s(?:[—–]|--?)\s(?=\D)|:\s+(?=\w+ (?:it|them|that)\b)"
)
# The same where all is ASCII, put so that what cannot be an end is passed by.
_END_ASCII = re.compile(
    r"[\s\"'):;](?:(?<=[.!?;][\"')])\s+|(?<=[.!?;]\s)\s*|(?<=\n)\n*|(?<=;)\s|(?<=\s)--?\s(?=\D)"
    r"|(?<=:)\s+(?=\w+ (?:it|them|that)\b))"
)
_MARKER = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|[a-h]\))\s+")
# Characters of the longest of these, and some.
_LONGEST_SHORT = 12
_NOT_END = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|etc|approx|no|inc|ltd|jr|sr)|(?<!['’])\b(?-i:[A-Z])|\s\d{1,2})\.$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\s\d{1,2}\.$")
_DATED = re.compile(r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[kc]t|nov|de[zc])", re.IGNORECASE)
_THEN = Gated(
    r",?\s*\b(?:and then|and after that|after that|and afterwards|afterwards|and finally|and also"
    r"|and subsequently|followed by|as well as to|(?<=, )then|and next|then)\b,?\s+(?=\S)"
    r"|,\s+(?:but|plus|also|finally|only|just|instead|rather|so)\s+|\s+but\s+(?=(?:please |let'?s |can you "
    r"|could you |would you |don'?t|do not|first"
    r"|also)\b)|、そして|。それから|,?\s+und dann\s+|,?\s+(?:et )?(?:puis|ensuite)\s+|,?\s+y (?:luego|después)\s+"
)
_AND = re.compile(r"[,\s](?:(?<=,)(?:\s+and)?|(?<=\s)\s*(?:and|&|und|et|y|plus))\s+(?=\S)", re.IGNORECASE)
# The words of the above.
_JOINING = frozenset("and und et y plus".split())
# From here on a clause says what is to be said or noted, not what is to be done.
_PAYLOAD = re.compile(
    r"\b(?:saying|that says|which says|telling (?:him|her|them|\w+)|remind (?:me|us|him|her|them"
    r"|\w+)\b.{0,40}?\b(?:to|that|about)|(?:note|task|todo|to-do|reminder|memo|ticket|message|text|mail|email"
    r"|issue|alarm|sms|notification|event)\b.{0,30}?\b(?:to|that|about|for|called|titled|named)|let (?:\w+"
    r"|the \w+) know|tell (?!me)(?:\w+|the \w+) (?:that|to|about)"
    r"|ask (?:\w+) (?:to|if|whether)|remember (?:that|to)|translate|say|with the (?:text|message|body|title"
    r"|subject|content)|says?:|:)\s",
    re.IGNORECASE,
)
_STOCKS = Gated(r"^do you (?:guys |still |also )?(?:have|sell|carry|stock|offer)\b")
_IN_CODE = Gated(
    r"^(?:(?:where|in which file|in what file|which line)(?:'s| is| are| do we| does| did we"
    r"| was)? \S+(?: \w+){0,2}? (?:defined|declared"
    r"|implemented|used|called|imported|referenced|set up|instantiated|define|declare|call|use|import)\b"
    r"|(?:which|what) (?:files?|modules?|places|lines)(?: in \S+)? (?:mentions?|uses?|imports?|calls?|contains?"
    r"|references?|defines?|has|have)\b"
    r"|who calls\b|(?:does|do|is|are) (?:any(?:thing|one|body| \w+)|we"
    r"|there any\w*)(?: \w+)?? (?:still )?(?:imports?|importing|calls?|calling|references?)\b|find (?:where"
    r"|all (?:uses|usages|callers|references))\b)"
)
_JAPANESE = re.compile(r"[\u3040-\u30ff]")
_RELATIVE = Gated(
    r"\b(?:that |which "
    r"|what )?(?<!can )(?<!could )(?<!would )(?<!will )(?<!may )(?<!have )(?<!had )(?<!do )(?<!did )(?:you"
    r"|i) (?:find|found|get|got|see|have found)\b"
)
_HYPHENATED = re.compile(r"^[a-z]+-[a-z]+", re.IGNORECASE)
_ASKS = Gated(
    r"^(?:(?:(?:in|on|at|for|from|to|with|by) (?:which|what|whom|whose|how many))|(?:the )?same (?:\w+ )?(?:for"
    r"|in|at|on|with|from)"
    r"|another (?:one )?(?:for|in|at|on|with)|one (?:more )?for|what(?:'s)?|how|when|where(?:'s)?|who(?:'s)?"
    r"|which|is|are|does|do|can you|could you|would you|will you"
    r"|i (?:want|need|would)|i'd|(?:want|need|would like) to\b|please|let me know|tell me|give me|show me|wie"
    r"|quel)\b"
)
_CONDITION = Gated(
    r"^\W*(?:and |then |but )?(?:if|in case|wenn|falls|si)\s+(.{3,80}?)(?:,\s*(?:then\s+)?|\s+then\s+)(?=\S)"
)
_AFTER = Gated(
    r"^\W*(?:and then|then|after that|afterwards|next|finally|once|when that|using (?:that|the|it)|based on"
    r"|with (?:that|the result))\b"
)
_HEADING = re.compile(r"^[^:\"“]{1,40}:\s+")
_BACK = frozenset("it that this them those these one its his her him their result results same".split())


@dataclass(slots=True)
class Clause:
    """One thing said. `head` is the leading act's word, `acts` the acts with their weight, `after` that it follows."""

    text: str
    tokens: list[Token]
    mood: Mood
    acts: dict[str, float]
    head: Token | None
    after: bool = False
    condition: str = ""
    sought: bool = False
    said_words: Words | Literal[False] = False

    @property
    def words(self) -> Words:
        """The words of the text, for patterns that are gated by them."""
        if self.said_words is False:
            self.said_words = words_in(self.text)
        return self.said_words

    @property
    def refers_back(self) -> bool:
        return any(token.low in _BACK for token in self.tokens)


def clauses_of(text: str, verbs: Collection[str] = ()) -> list[Clause]:
    """The clauses of `text` in order. Of a very long text the beginning and the end are read."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST // 3] + "\n" + text[-2 * _LONGEST // 3 :]
    found: list[Clause] = []
    for sentence in _sentences(text):
        heading = _HEADING.match(sentence)
        if heading and not _names_something(heading.group(), verbs) and _opens(sentence[heading.end() :], verbs):
            sentence = sentence[heading.end() :]
        condition = _CONDITION.match(sentence, first_in(sentence))
        rest = sentence[condition.end() :] if condition else sentence
        for place, (piece, after) in enumerate(_pieces(rest, verbs)):
            clause = clause_of(piece, verbs)
            clause.after = after or bool(_AFTER.match(piece, first_in(piece))) or (place > 0 and clause.refers_back)
            if condition:
                clause.condition = condition.group(1)
                clause.after = True
            found.append(clause)
            if len(found) == _MOST_CLAUSES:
                return found
    return found


def _names_something(heading: str, verbs: Collection[str]) -> bool:
    """Whether what stands before a colon asks for something itself, or says of what the rest is to be done."""
    tokens = tokens_of(heading[lead_of(heading) :], verbs)
    return (
        not tokens
        or bool(tokens[0].acts)
        or bool(NEW_THING.match(heading, first_in(heading)))
        or any(token.kind in {"id", "path", "url", "email", "code", "quoted"} for token in tokens)
    )


def clause_of(text: str, verbs: Collection[str] = ()) -> Clause:
    said = wording_of(text)
    blanked = text
    if said.words is None or _RELATIVE.may_find(said.words):
        blanked = _RELATIVE.pattern.sub(lambda match: " " * len(match.group()), text)
    tokens = tokens_of(blanked, verbs)
    mood = mood_of(said, tokens)
    clause = Clause(text, tokens, mood, {}, None)
    clause.said_words = said.words
    sought = _IN_CODE.match(said.bare, said.bare_first, said.bare_words)
    if sought and (head := next((token for token in tokens if not token.kind), None)) is not None:
        # "Where is x defined?" asks to search what the files say.
        head.acts = ("search",)
        clause.mood, clause.head, clause.sought = Mood.REQUEST, head, True
        clause.acts = {"search": 1.0, "get": 0.5}
        return clause
    if mood is Mood.QUESTION and (found := _STOCKS.match(said.bare, said.bare_first)):
        # "Do you have any …?" asks a shop to look.
        place = said.lead + found.end()
        head = next((token for token in tokens if token.end == place), None)
        if head is not None:
            head.acts = ("search", "list")
            clause.mood, clause.head, clause.acts = Mood.REQUEST, head, {"search": 1.0, "list": 0.8}
            return clause
    if not text.isascii() and _JAPANESE.search(text) and mood in {Mood.FRAGMENT, Mood.STATEMENT, Mood.QUESTION}:
        acting = [token for token in tokens if token.acts]
        head = next((token for token in acting if "get" not in token.acts), acting[-1] if acting else None)
        if head is not None and "get" not in head.acts:
            clause.mood, clause.head, clause.acts = Mood.REQUEST, head, dict.fromkeys(head.acts, 1.0)
            return clause
        clause.mood = mood = Mood.QUESTION
    clause.acts, clause.head = acts_asked(said, tokens, mood)
    return clause


def _sentences(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    for end in (_END_ASCII if text.isascii() else _END).finditer(text):
        piece = text[place : end.start()]
        if _open_quote(piece):
            continue
        if end.group() and "\n" not in end.group() and len(piece) > 3 and _NOT_END.search(piece[-_LONGEST_SHORT:]):
            # "2. Then": a number ends a sentence before a large letter, unless that is a month's.
            later = text[end.end() : end.end() + 3]
            if not (_NUMBERED.search(piece[-5:]) and later[:1].isupper() and not _DATED.match(later)):
                continue
        found.append(piece)
        place = end.end()
    found.append(text[place:])
    return [_MARKER.sub("", piece).strip() for piece in found if piece.strip()]


def _open_quote(piece: str) -> bool:
    return piece.count('"') % 2 == 1 or piece.count("“") > piece.count("”")


def _pieces(sentence: str, verbs: Collection[str]) -> list[tuple[str, bool]]:
    """The parts of a sentence, each with whether it is said to follow the one before it."""
    parts: list[tuple[str, bool]] = []
    place = 0
    words = words_in(sentence)
    for match in islice(_THEN.pattern.finditer(sentence), _MOST_SEPARATORS) if _THEN.may_find(words) else ():
        if _open_quote(sentence[: match.start()]) or not sentence[: match.start()].strip():
            continue
        if not _opens(sentence[match.end() :], verbs, "then" in match.group().lower()):
            continue
        parts.append((sentence[place : match.start()], place > 0))
        place = match.end()
    parts.append((sentence[place:], place > 0))
    found: list[tuple[str, bool]] = []
    for part, after in parts:
        cut = _and_cuts(part, verbs) if _may_join(part, words) else [part]
        found += [(piece, after if number == 0 else False) for number, piece in enumerate(cut)]
    return [(piece.strip(" ,"), after) for piece, after in found if piece.strip(" ,.")]


def _may_join(part: str, words: Words) -> bool:
    return words is None or "," in part or "&" in part or not words.isdisjoint(_JOINING)


def _and_cuts(part: str, verbs: Collection[str]) -> list[str]:
    found: list[str] = []
    place = 0
    for match in islice(_AND.finditer(part), _MOST_SEPARATORS):
        before, rest = part[place : match.start()], part[match.end() :]
        if len(before.split()) < 2 or _open_quote(part[: match.start()]) or not _opens(rest, verbs):
            continue
        payload = _PAYLOAD.search(before)
        if payload and not _ASKS.match(rest):
            # What is to be said or noted goes on, unless a courtesy or a fresh object begins.
            said = before[payload.end() :].split()
            if (
                _WITH_TEXT.search(payload.group())
                and said
                and "," in match.group()
                and (is_command(rest) or _acts_by_itself(rest, verbs))
            ):
                found.append(before)
                place = match.end()
                continue
            if len(said) < 1 or match.group().strip() != ", and" or payload.group().strip().endswith(":"):
                continue
        found.append(before)
        place = match.end()
    found.append(part[place:])
    return found


_WITH_TEXT = re.compile(r"^with the |^saying|^that says", re.IGNORECASE)


def _acts_by_itself(rest: str, verbs: Collection[str]) -> bool:
    """Whether what follows begins with a verb of one of the tools."""
    tokens = tokens_of(rest[lead_of(rest) :][:80], verbs, _MOST_OPENING)
    return bool(tokens) and any(act[0] == "=" for act in tokens[0].acts)


def _opens(rest: str, verbs: Collection[str], after_then: bool = False) -> bool:
    """Whether a clause of its own begins here: a question, or an act and what it is done to."""
    lead = rest[lead_of(rest) :]
    first = first_in(lead)
    if _ASKS.match(lead, first):
        return True
    if _HYPHENATED.match(lead):
        return False
    tokens = tokens_of(lead[:80], verbs, _MOST_OPENING)
    if is_command(lead, first) and any(act[0] == "=" for act in tokens[0].acts):
        return True
    if PARTICLE.match(lead, first) or TELLS.match(lead, first):
        return True
    if len(tokens) < 2 or not tokens[0].acts or tokens[0].low.endswith(("ing", "ed")):
        return len(tokens) >= 2 and (
            tokens[0].low in {"don't", "do"} or (len(tokens) > 2 and is_unknown_verb(tokens[0], tokens[1]))
        )
    head, following = tokens[0], tokens[1]
    known = lexicon()
    if tokens[1].covered:
        return len(tokens) > 2
    if (head.stem,) in known.things and not after_then:
        return following.low in DETERMINERS or bool(following.kind)
    return following.low not in {"of", "is", "are", "and", "or"}
