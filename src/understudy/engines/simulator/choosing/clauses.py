"""A message as clauses: what is asked one after another, each with its words, its acts and its mood."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import islice

from understudy.engines.simulator.choosing.commands import is_command
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.moods import Mood, body_of, is_unknown_verb, lead_of, mood_of
from understudy.engines.simulator.choosing.words import Token, tokens_of

_LONGEST = 2_400
_MOST_CLAUSES = 16
# Commas and the like that are looked at in a sentence.
_MOST_SEPARATORS = 40
_END = re.compile(
    r"(?<=[.!?;。！？])(?:[\"”')]?)\s+|(?<=[。！？])|\n+|;\s|\s(?:[—–]|--?)\s(?=\D)|:\s+(?=\w+ (?:it|them|that)\b)"
)
_MARKER = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|[a-h]\))\s+")
_NOT_END = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|etc|approx|no|inc|ltd|jr|sr)|(?<!['’])\b(?-i:[A-Z])|\s\d{1,2})\.$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\s\d{1,2}\.$")
_DATED = re.compile(r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[kc]t|nov|de[zc])", re.IGNORECASE)
_THEN = re.compile(
    r",?\s*\b(?:and then|and after that|after that|and afterwards|afterwards|and finally|and also"
    r"|and subsequently|followed by|as well as to|(?<=, )then|and next|then)\b,?\s+(?=\S)"
    r"|,\s+(?:but|plus|also|finally|only|just|instead|rather)\s+|\s+but\s+(?=(?:please |let'?s |can you "
    r"|could you |would you |don'?t|do not|first"
    r"|also)\b)|、そして|。それから|,?\s+und dann\s+|,?\s+(?:et )?(?:puis|ensuite)\s+|,?\s+y (?:luego|después)\s+",
    re.IGNORECASE,
)
_AND = re.compile(r"(?:,\s+and|\s+and|,|\s+&|\s+und|\s+et|\s+y|\s+plus)\s+(?=\S)", re.IGNORECASE)
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
_FORGETS = re.compile(r"^(?:don'?t|do not) let me forget", re.IGNORECASE)
_STOCKS = re.compile(r"^do you (?:guys |still |also )?(?:have|sell|carry|stock|offer)\b", re.IGNORECASE)
_IN_CODE = re.compile(
    r"^(?:(?:where|in which file|in what file|which line)(?:'s| is| are| do we| does| did we"
    r"| was)? \S+(?: \w+){0,2}? (?:defined|declared"
    r"|implemented|used|called|imported|referenced|set up|instantiated|define|declare|call|use|import)\b"
    r"|(?:which|what) (?:files?|modules?|places|lines)(?: in \S+)? (?:mentions?|uses?|imports?|calls?|contains?"
    r"|references?|defines?|has|have)\b"
    r"|who calls\b|find (?:where|all (?:uses|usages|callers|references))\b)",
    re.IGNORECASE,
)
_SOURCE = ("content", "pattern", "regular", "regex", "grep", "code")
_JAPANESE = re.compile(r"[\u3040-\u30ff]")
_PUT_DOWN = re.compile(r"^(?:put|sign|get) (?:me|us|him|her|them|\w+) (?:down|up|in) (?:for|as)\b", re.IGNORECASE)
_RELATIVE = re.compile(
    r"\b(?:that |which "
    r"|what )?(?<!can )(?<!could )(?<!would )(?<!will )(?<!may )(?<!have )(?<!had )(?<!do )(?<!did )(?:you"
    r"|i) (?:find|found|get|got|see|have found)\b",
    re.IGNORECASE,
)
_TELLS = re.compile(r"^(?:let (?!me\b|us\b)\S+(?: \S+){0,5}? know|(?:tell|ask|inform) (?!me\b|us\b))", re.IGNORECASE)
_PARTICLE = re.compile(
    r"^(?:turn|switch|put|take)\b(?: \S+){1,5}? (on|off|up|down)\b"
    r"(?! (?:it|them|him|her|the|my|our|your|an?|this|that|these|those)\b)",
    re.IGNORECASE,
)
# "… in Polish" asks for a translation.
_IN_LANGUAGE = re.compile(
    r"\b(?:in|into|to|auf|en|ins) (?:english|german|french|spanish|italian|portuguese|dutch|polish|czech|russian"
    r"|ukrainian"
    r"|turkish|arabic|hebrew|hindi|chinese|mandarin|japanese|korean|swedish|danish|norwegian|finnish|greek|hungarian"
    r"|romanian|thai|vietnamese|indonesian|latin|catalan)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"^(?:which|what|any)\b.{1,40}?\b(?:are there|exist|do (?:i|we|you) have|are in|are under|are on)\b", re.IGNORECASE
)
_NEW_THING = re.compile(r"^(?:an? )?(?:new|another)\b", re.IGNORECASE)
_NO_MORE = re.compile(
    r"\b(?:can'?t|cannot|won'?t|unable to) (?:make it|come|attend)\b|\b(?:don'?t|no longer|not) need\b|\bany ?more\b",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    r"\binstead\b|\bshould (?:go|be|have)\b|\bneeds? to (?:go|be)\b|\bmust (?:go|be)\b", re.IGNORECASE
)
_TAKES = re.compile(r"^(?:i|we)(?:'ll| will) (?:take|have|go (?:for|with))\b", re.IGNORECASE)
_PARTICLE_ACTS = {
    "on": ("start", "update"),
    "off": ("stop", "update"),
    "up": ("increase", "update"),
    "down": ("decrease", "update"),
}
_HYPHENATED = re.compile(r"^[a-z]+-[a-z]+", re.IGNORECASE)
_ASKS = re.compile(
    r"^(?:what(?:'s)?|how|when|where(?:'s)?|who(?:'s)?|which|is|are|does|do|can you|could you|would you|will you"
    r"|i (?:want|need|would)|i'd|(?:want|need|would like) to\b|please|let me know|tell me|give me|show me|wie"
    r"|quel)\b",
    re.IGNORECASE,
)
_DETERMINERS = frozenset(
    "a an the my our his her their this that these those it them him me us all every each any some to for with "
    "in on at from one two three two 1 2 3 "
    "der die das den einen eine ein mir mich le la les un une el los las mi".split()
)
_CONDITION = re.compile(
    r"^\W*(?:and |then |but )?(?:if|in case|wenn|falls|si)\s+(.{3,80}?)(?:,\s*(?:then\s+)?|\s+then\s+)(?=\S)",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"^\W*(?:and then|then|after that|afterwards|next|finally|once|when that|using (?:that|the|it)|based on"
    r"|with (?:that|the result))\b",
    re.IGNORECASE,
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
    context: list[str] = field(default_factory=list[str])

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
        condition = _CONDITION.match(sentence)
        rest = sentence[condition.end() :] if condition else sentence
        for place, (piece, after) in enumerate(_pieces(rest, verbs)):
            clause = clause_of(piece, verbs)
            clause.after = after or bool(_AFTER.match(piece)) or (place > 0 and clause.refers_back)
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
        or any(token.kind in {"id", "path", "url", "email", "code", "quoted"} for token in tokens)
    )


def clause_of(text: str, verbs: Collection[str] = ()) -> Clause:
    tokens = tokens_of(_RELATIVE.sub(lambda match: " " * len(match.group()), text), verbs)
    mood = mood_of(text, tokens)
    sought = _IN_CODE.match(text[lead_of(text) :])
    if sought and (head := next((token for token in tokens if not token.kind), None)) is not None:
        # "Where is x defined?" asks to search what the files say.
        head.acts = ("search",)
        head.keys = (*head.keys, *((key, 0.8) for key in _SOURCE))
        head.stop = False
        return Clause(text, tokens, Mood.REQUEST, {"search": 1.0, "get": 0.5}, head)
    if mood is Mood.QUESTION and (found := _STOCKS.match(text[lead_of(text) :])):
        # "Do you have any …?" asks a shop to look.
        place = lead_of(text) + found.end()
        head = next((token for token in tokens if token.end == place), None)
        if head is not None:
            head.acts = ("search", "list")
            return Clause(text, tokens, Mood.REQUEST, {"search": 1.0, "list": 0.8}, head)
    if not text.isascii() and _JAPANESE.search(text) and mood in {Mood.FRAGMENT, Mood.STATEMENT, Mood.QUESTION}:
        acting = [token for token in tokens if token.acts]
        head = next((token for token in acting if "get" not in token.acts), acting[-1] if acting else None)
        if head is not None and "get" not in head.acts:
            return Clause(text, tokens, Mood.REQUEST, dict.fromkeys(head.acts, 1.0), head)
        mood = Mood.QUESTION
    acts, head = _acts(text, tokens, mood)
    return Clause(text, tokens, mood, acts, head)


def _sentences(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    for end in _END.finditer(text):
        piece = text[place : end.start()]
        numbered = _NUMBERED.search(piece) is not None and text[end.end() : end.end() + 1].isupper()
        numbered = numbered and not _DATED.match(text[end.end() :])
        if _open_quote(piece) or (
            not numbered and end.group() and "\n" not in end.group() and _NOT_END.search(piece) and len(piece) > 3
        ):
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
    for match in islice(_THEN.finditer(sentence), _MOST_SEPARATORS):
        if _open_quote(sentence[: match.start()]) or not sentence[: match.start()].strip():
            continue
        if not _opens(sentence[match.end() :], verbs, "then" in match.group().lower()):
            continue
        parts.append((sentence[place : match.start()], place > 0))
        place = match.end()
    parts.append((sentence[place:], place > 0))
    found: list[tuple[str, bool]] = []
    for part, after in parts:
        cut = _and_cuts(part, verbs)
        found += [(piece, after if number == 0 else False) for number, piece in enumerate(cut)]
    return [(piece.strip(" ,"), after) for piece, after in found if piece.strip(" ,.")]


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
            if _WITH_TEXT.search(payload.group()) and said and "," in match.group() and _acts_by_itself(rest, verbs):
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
    tokens = tokens_of(rest[lead_of(rest) :][:80], verbs)
    return bool(tokens) and any(act[0] == "=" for act in tokens[0].acts)


def _opens(rest: str, verbs: Collection[str], after_then: bool = False) -> bool:
    """Whether a clause of its own begins here: a question, or an act and what it is done to."""
    lead = rest[lead_of(rest) :]
    if _ASKS.match(lead):
        return True
    tokens = tokens_of(lead[:80], verbs)
    if _HYPHENATED.match(lead):
        return False
    if is_command(lead) and any(act[0] == "=" for act in tokens[0].acts):
        return True
    if _PARTICLE.match(lead) or _TELLS.match(lead):
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
        return following.low in _DETERMINERS or bool(following.kind)
    return following.low not in {"of", "is", "are", "and", "or"}


_PARTICLES = frozenset("on off up down in out away back over through".split())


def _apart(tokens: list[Token], head: Token) -> tuple[str, ...]:
    """The acts of a verb and its particle with the object between them: "cross it off", "write this down"."""
    place = tokens.index(head)
    for number in range(place + 2, min(place + 6, len(tokens))):
        if tokens[number].low not in _PARTICLES:
            continue
        pronoun = number == place + 2 and tokens[number - 1].low in {"it", "them", "that", "this", "these", "those"}
        last = number + 1 == len(tokens) or (
            tokens[number + 1].stop and tokens[number + 1].low not in _DETERMINERS - {"to", "for", "with", "from", "at"}
        )
        if pronoun or last:
            return lexicon().acts.get((head.stem, tokens[number].stem), ())
    return ()


# Verbs that say no more than that the noun after them is to be done: "run the interaction check", "make a payment".
_DOERS = frozenset("run do perform make have give take conduct carry start get put file place issue submit".split())


def _had_done(tokens: list[Token], head: Token) -> tuple[str, ...]:
    """The acts of what is to be got done: "get the pull request merged", "have the rug cleaned"."""
    if head.low not in {"get", "have", "want", "need"}:
        return ()
    place = tokens.index(head)
    for number in range(place + 2, len(tokens)):
        token = tokens[number]
        last = number + 1 == len(tokens) or tokens[number + 1].stop
        if token.acts and token.low.endswith("ed") and last:
            return token.acts
    return ()


def _done_noun(tokens: list[Token], head: Token) -> tuple[str, ...]:
    if head.low not in _DOERS:
        return ()
    place = tokens.index(head)
    found: list[str] = []
    if head.low in {"get", "have", "give", "take"} and (
        place + 1 == len(tokens) or tokens[place + 1].low not in {"a", "an"}
    ):
        return ()
    for token in tokens[place + 1 : place + 6]:
        if (
            token.kind
            or (token.stop and token.low not in _DETERMINERS)
            or token.low in {"to", "for", "with", "in", "on"}
        ):
            break
        found += [act for act in token.acts if act[0] != "=" and act not in head.acts]
    return tuple(found)


def _acts(text: str, tokens: list[Token], mood: Mood) -> tuple[dict[str, float], Token | None]:
    body, _ = body_of(text)
    begin = len(text) - len(body)
    head = next(
        (
            token
            for token in tokens
            if token.start >= begin and not (token.stop and not token.acts and token.low not in {"let", "don't"})
        ),
        None,
    )
    acts: dict[str, float] = {}
    if head is not None and mood is Mood.REQUEST:
        particle = _PARTICLE.match(body)
        if _TELLS.match(body):
            head.acts = ("send",)
        elif _PUT_DOWN.match(body):
            head.acts = ("schedule", "subscribe", "create")
        elif particle:
            taken = head.low == "take" and particle.group(1).lower() == "off"
            head.acts = ("delete", "unsubscribe") if taken else _PARTICLE_ACTS[particle.group(1).lower()]
        elif _FORGETS.match(body):
            head.acts = ("remind", "create")
        else:
            head.acts = _apart(tokens, head) or _had_done(tokens, head) or (*head.acts, *_done_noun(tokens, head))
    if mood is Mood.REQUEST and head is not None and head.acts:
        for act in head.acts:
            acts[act] = 1.0
    elif mood in {Mood.QUESTION, Mood.FRAGMENT, Mood.EXPLAIN}:
        head = None
        acts["get"] = 0.8
        acts["search"] = acts["list"] = 0.7
        if _SEVERAL.match(body):
            acts["list"] = 0.9
        if _NEW_THING.match(body):
            acts["create"] = 0.9
    elif mood is Mood.WISH:
        head = None
        for act in ("search", "order", "schedule", "get", "create"):
            acts[act] = 0.5
        if _TAKES.match(text[lead_of(text) :]):
            acts["order"] = acts["schedule"] = 0.95
        if _NO_MORE.search(text):
            acts["cancel"] = acts["delete"] = 0.9
        if _OTHERWISE.search(text):
            acts["update"] = acts["move"] = 0.8
    else:
        head = None
    if _IN_LANGUAGE.search(text):
        acts["translate"] = max(acts.get("translate", 0.0), 0.7)
    for token in tokens:
        if token is not head and token.acts and (not token.kind or token.kind == "name"):
            weight = 0.6
            if token.low.endswith("ed") and mood is not Mood.REQUEST:
                # "I need the rug cleaned" asks for it; "the rug that was cleaned" does not.
                weight = 0.9 if mood is Mood.WISH else 0.3
            for act in token.acts:
                acts[act] = max(acts.get(act, 0.0), weight)
    return acts, head
