"""Several values for one parameter: "A, B and C" is one call where the parameter takes a list, else one call each."""

from __future__ import annotations

import re
from itertools import pairwise

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.profiles import Parameter, Profile
from understudy.engines.simulator.choosing.slots import asks_by_slots
from understudy.engines.simulator.choosing.words import Token

_LINK = re.compile(
    r"^\s*(?:\([^)]{1,12}\))?\s*(?:,|,?\s*(?:and|&|und|et|y|plus|as well as|and also)\s)\s*(?:also )?(?:of |for "
    r"|in |to |from |on |the |my |number |order |ticket |issue |room |den |die |das |à |en )*\s*$",
    re.IGNORECASE,
)
_AND = re.compile(r"\b(?:and|und|et|y|plus|as well as|e)\b|&", re.IGNORECASE)
_LAST_WORD = re.compile(r"([^\W\d_]+)\s+$")
_BETWEEN = re.compile(r"\bbetween\b", re.IGNORECASE)
_SERIES_KINDS = frozenset(("name", "code", "id", "number", "path", "url", "email", "quoted", "date"))
_PAIR = re.compile(
    r"^(?:from|to|origin|destination|start|end|source|target|a|b|x|y|first|second|left|right|base|quote|num_?1"
    r"|num_?2|\w+_?[12ab]|min|max|since|until)(?:_|$)",
    re.IGNORECASE,
)
_MOST = 12
_TYPES = {
    "email": {"email"},
    "url": {"url"},
    "path": {"path"},
    "id": {"id", "number", "code", "quoted"},
    "number": {"number"},
    "date": {"date"},
    "time": {"time"},
    "place": {"name", "code", "quoted"},
}


def conjuncts_of(clause: Clause) -> list[str]:
    """The texts of the first run of values of one kind that are linked by commas or "and"."""
    run = _run(clause)
    return [clause.text[first.start : last.end] for first, last in run]


def _groups(tokens: list[Token], text: str) -> list[tuple[Token, Token]]:
    """Values, neighbouring names taken together."""
    found: list[tuple[Token, Token]] = []
    for token in tokens:
        if token.kind not in _SERIES_KINDS or (token.stop and token.kind != "number"):
            continue
        if found:
            first, last = found[-1]
            between = text[last.end : token.start]
            if (last.kind == token.kind == "name" and between in {" ", "-"}) or (
                between == " "
                and {last.kind, token.kind} <= {"name", "code", "number"}
                and token.kind != last.kind == "name"
            ):
                found[-1] = (first, token)
                continue
        found.append((token, token))
    return found


def _run(clause: Clause) -> list[tuple[Token, Token]]:
    text = clause.text
    best: list[tuple[Token, Token]] = []
    run: list[tuple[Token, Token]] = []
    for group in _groups(clause.tokens, text):
        if run:
            previous = run[-1][1]
            same = previous.kind == group[0].kind or {previous.kind, group[0].kind} <= {"name", "code"}
            between = text[previous.end : group[0].start]
            noun = _LAST_WORD.search(text[: run[0][0].start])
            if noun:
                between = re.sub(rf"\b{re.escape(noun.group(1))}\s+$", "", between)
            if not (same and _LINK.match(between)):
                if len(run) > len(best):
                    best = run
                run = []
        run.append(group)
    if len(run) > len(best):
        best = run
    if len(best) < 2:
        return []
    # "Paris, France" is one value; two need an "and".
    linked = len(best) > 2 or _AND.search(text[best[0][1].end : best[-1][0].start])
    return best if linked else []


def _takes(parameter: Parameter, kind: str) -> bool:
    served = _TYPES.get(parameter.kind)
    if served is None:
        return parameter.kind in {"text", "enum"} and kind in {"name", "code", "quoted", "id", "path"}
    return kind in served


def asks_of(clause: Clause, profile: Profile) -> list[str]:
    """The clause, or one of its kind for each of the values where the tool takes them one by one."""
    surely = asks_by_slots(clause.text, clause.tokens, profile, surely=True)
    if len(surely) > 1:
        return surely
    asks = _asks_of(clause, profile)
    return asks if len(asks) > 1 else asks_by_slots(clause.text, clause.tokens, profile)


def _asks_of(clause: Clause, profile: Profile) -> list[str]:
    pairs_of_values = _alike(clause, profile)
    if pairs_of_values:
        return pairs_of_values
    repeated = _repeated(clause, profile)
    if repeated:
        return repeated
    amounts = _amounts(clause, profile)
    if amounts:
        return amounts
    run = _run(clause)
    if not run or len(run) > _MOST:
        enums = _enums(clause, profile)
        return enums if len(enums) > 1 else _plain(clause, profile)
    kind = run[0][0].kind
    takers = [parameter for parameter in profile.parameters if _takes(parameter, kind)]
    if any(parameter.array for parameter in takers):
        return [clause.text]
    if not takers:
        return _enums(clause, profile)
    pairs = [parameter for parameter in takers if _PAIR.match(parameter.name)]
    if len(pairs) >= 2 and (_BETWEEN.search(clause.text) or kind == "number" or len(run) <= len(pairs)):
        return [clause.text]
    if kind == "number" and sum(parameter.kind == "number" for parameter in profile.parameters) >= len(run):
        return [clause.text]
    begin, end = run[0][0].start, run[-1][1].end
    return [clause.text[:begin] + clause.text[first.start : last.end] + clause.text[end:] for first, last in run]


def _enum_phrases(text: str, parameter: Parameter) -> list[str]:
    """As _enums, for values of several words: "the living room and the bedroom" for living_room and bedroom."""
    low = text.lower()
    found: list[tuple[int, int]] = []
    for value in parameter.enum:
        words = value.replace("_", " ").replace("-", " ")
        match = re.search(rf"\b{re.escape(words)}s?\b", low)
        if match:
            found.append(match.span())
    found.sort()
    if len(found) < 2 or any(one[1] > other[0] for one, other in pairwise(found)):
        return []
    if not all(_BETWEEN_VALUES.match(low[one[1] : other[0]]) for one, other in pairwise(found)):
        return []
    begin, end = found[0][0], found[-1][1]
    return [text[:begin] + text[first:last] + text[end:] for first, last in found]


_BETWEEN_VALUES = re.compile(r"^\s*(?:,|,?\s*(?:and|&)\b)\s*(?:(?:in|on|at|for|of|from|the|my|our)\s+)*$")


def _enums(clause: Clause, profile: Profile) -> list[str]:
    """A clause that names two values of one enumeration: one ask for each."""
    for parameter in profile.parameters:
        if not parameter.enum or parameter.array:
            continue
        named = [token for token in clause.tokens if token.low in parameter.enum]
        if len({token.low for token in named}) < 2:
            phrases = _enum_phrases(clause.text, parameter)
            if len(phrases) > 1:
                return phrases
            continue
        first, last = named[0], named[-1]
        between = clause.text[first.end : last.start].lower()
        if not re.search(r",|\band\b|&|\bund\b|\bet\b|\by\b", between) or re.search(
            r"\bto\b|\bfrom\b|\binto\b", between
        ):
            continue
        return [clause.text[: first.start] + token.text + clause.text[last.end :] for token in named]
    return [clause.text]


_SHAPE = re.compile(r"\b(?:to|of|for|in|into|at|from|with|on)\b", re.IGNORECASE)


def _alike(clause: Clause, profile: Profile) -> list[str]:
    """Two sides of the same shape, a number or id each and a preposition: "26 miles to km and 180 pounds to kg"."""
    if any(parameter.array for parameter in profile.parameters):
        return []
    text = clause.text
    for match in re.finditer(r",? (?:and|then|plus)(?: then| also| back| again)? (?:from |for )?|, (?=\d)", text):
        left = [token for token in clause.tokens if token.end <= match.start() and token.kind]
        right = [token for token in clause.tokens if token.start >= match.end() and token.kind]
        if not left or not right or right[0].start > match.end() + 4:
            continue
        if right[0].kind not in {"number", "id", "code", "date"} and not (
            len(right) > 1 and [token.kind for token in right] == [token.kind for token in left][-len(right) :]
        ):
            continue
        first = next((token for token in left if token.kind == right[0].kind), None)
        if first is None or (len(left) == 1 and len(right) == 1 and left[0].end == match.start()):
            continue
        one = _SHAPE.search(text[first.end : match.start()])
        other = _SHAPE.search(text[right[0].end :])
        kinds = [token.kind for token in right]
        alike = len(kinds) > 1 and kinds == [token.kind for token in left][-len(kinds) :]
        if alike or (one and other and one.group().lower() == other.group().lower()):
            if alike:
                first = left[-len(kinds)]
            begin = text[: first.start]
            return [text[: match.start()], begin + text[right[0].start :]]
    return []


_NUMBERED = re.compile(r"\b([a-z]+) (?:no\.? ?|#)?(\d+|[A-Z])\b", re.IGNORECASE)
_PAUSE = re.compile(r"(?:[,;.]|\band\b)\s*(?:and |then |the )*$", re.IGNORECASE)


def _repeated(clause: Clause, profile: Profile) -> list[str]:
    """One noun with several numbers, each with its own words: "board 1 black won, board 2 was a draw"."""
    if any(parameter.array for parameter in profile.parameters):
        return []
    found = list(_NUMBERED.finditer(clause.text))
    places = [found[0]] if found else []
    for match in found[1:]:
        if match.group(1).lower() == places[0].group(1).lower() and _PAUSE.search(clause.text[: match.start()]):
            places.append(match)
    if len(places) < 2 or places[0].group(1).lower() in {"to", "from", "at", "in", "on", "and", "of", "for", "is"}:
        return []
    begin = clause.text[: places[0].start()]
    ends = [match.start() for match in places[1:]] + [len(clause.text)]
    pieces = [_PAUSE.sub("", clause.text[match.start() : end]).strip() for match, end in zip(places, ends, strict=True)]
    if any(len(piece.split()) < 3 for piece in pieces[:-1]):
        return []
    return [f"{begin}{piece}" for piece in pieces]


_AMOUNT = r"[$€£¥]?\d[\d.,]*\d?(?: ?(?!and\b|to\b|in\b|x\b)[^\W\d_]+){1,3}?"
_AMOUNTS = re.compile(
    rf"({_AMOUNT})((?:, {_AMOUNT})*),? and ({_AMOUNT})(?=$|[.?!,;]| (?:in|to|into|for|from|at|on|please)\b)",
    re.IGNORECASE,
)


def _amounts(clause: Clause, profile: Profile) -> list[str]:
    """Amounts of several things for a tool that takes one: "120 francs, 4500 yen and 89 dollars in euros"."""
    numbers = [parameter for parameter in profile.parameters if parameter.kind == "number"]
    texts = [parameter for parameter in profile.parameters if parameter.required and parameter.kind in {"text", "enum"}]
    if len(numbers) != 1 or not texts or any(parameter.array for parameter in profile.parameters):
        return []
    match = _AMOUNTS.search(clause.text)
    if match is None:
        return []
    between = [piece.strip() for piece in match.group(2).split(", ") if piece.strip()]
    begin, end = match.start(), match.end()
    return [clause.text[:begin] + value + clause.text[end:] for value in (match.group(1), *between, match.group(3))]


_INDEFINITE = re.compile(
    r"^(?:\W*\w+ (?:me |us )?)((?:an?|some) [\w-]+(?: [\w-]+)?)((?:, (?:an?|some) [\w -]+?)*),? and ((?:an?"
    r"|some) [\w-]+)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(\w+s) ((?:[\w.-]+, )*[\w.-]+),? and ([\w.-]+)\b", re.IGNORECASE)
_BARE = re.compile(
    r"^(?:please )?\w+ ((?!me\b|us\b|the\b|my\b|all\b|an?\b|for\b|to\b|up\b)[\w-]+(?:, [\w-]+)*),? and ((?!then\b"
    r"|the\b|an?\b|my\b)[\w-]+)\b",
    re.IGNORECASE,
)
# Parameters that take any text as it is.
_FREE = frozenset(
    "text query q messag content body titl descript not prompt command cod sql express question input subject topic "
    "term keyword".split()
)
_NEVER_NAMED = frozenset("is are was were has does this its as us his".split())


_NOUN = r"(?:the |my |our |your )?[a-z][\w-]*(?: [a-z][\w-]*)?"
_PREPOSITION = r"(?:in|on|at|for|of|from|near|to|inside|outside) "
_NOUNS = re.compile(
    rf"(?:\b{_PREPOSITION}|(?<= on | off|. up|down| out) (?=the |my |our ))({_NOUN})((?:, {_NOUN})*),? and"
    rf" ((?:{_PREPOSITION})?{_NOUN})(?=$|[.?!,;]| (?:in|on|at|for|from|to|with|please|right|now|today|tomorrow"
    rf"|tonight|by|until)\b)"
)


def _nouns(clause: Clause) -> list[str]:
    """Things written small after a preposition: "in the orchard and the vineyard", one ask for each."""
    text = clause.text
    match = _NOUNS.search(text)
    if match is None:
        return []
    values = [match.group(1), *(piece for piece in match.group(2).split(", ") if piece), match.group(3)]
    last = {token.end: token for token in clause.tokens}
    place = match.start(1)
    for value in values:
        end = text.index(value, place) + len(value)
        token = last.get(end)
        if token is None or token.stop or token.kind in {"date", "time", "number"} or token.acts:
            return []
        place = end
    begin, end = match.start(1), match.end(3)
    return [text[:begin] + re.sub(rf"^{_PREPOSITION}", "", value) + text[end:] for value in values]


def _plain(clause: Clause, profile: Profile) -> list[str]:
    """Values written as plain words: "the tables orders and shipments", "a baker and a butcher"."""
    required = [parameter for parameter in profile.parameters if parameter.required]
    texts = [parameter for parameter in required if parameter.kind in {"text", "enum", "id", "path", "place"}]
    plain = [parameter for parameter in texts if parameter.kind != "enum"]
    if len(plain) == 1 and not plain[0].stems & _FREE and not any(parameter.array for parameter in profile.parameters):
        nouns = _nouns(clause)
        if nouns:
            return nouns
    if not texts or any(parameter.array for parameter in profile.parameters):
        return [clause.text]
    text = clause.text
    match = _NAMED.search(text)
    if match and match.group(1).lower() not in _NEVER_NAMED:
        word = next((token for token in clause.tokens if token.start == match.start(1)), None)
        if (
            word is not None
            and not word.stop
            and not word.kind
            and word is not clause.head
            and any(profile.index.get(key, 0.0) >= 0.3 for key, _ in word.keys)
        ):
            values = [*match.group(2).split(", "), match.group(3)]
            begin, end = match.start(2), match.end(3)
            return [text[:begin] + value + text[end:] for value in values]
    match = _BARE.match(text)
    if match and clause.head is not None and clause.head.start <= match.start(1) and len(plain) == 1:
        parameter = plain[0]
        if not parameter.stems & _FREE and parameter.kind != "enum":
            values = [*match.group(1).split(", "), match.group(2)]
            return [text[: match.start(1)] + value + text[match.end(2) :] for value in values]
    match = _INDEFINITE.match(text)
    if match and len(texts) <= 2:
        values = [match.group(1), *(piece for piece in match.group(2).split(", ") if piece), match.group(3)]
        begin, end = match.start(1), match.end(3)
        return [text[:begin] + value + text[end:] for value in values]
    return [text]
