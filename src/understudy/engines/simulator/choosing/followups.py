"""Turns that only make sense after the one before: "and in London?", "the same for X", "yes, please"."""

from __future__ import annotations

import re
from dataclasses import replace

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.profiles import profile_of
from understudy.engines.simulator.choosing.series import conjuncts_of
from understudy.engines.simulator.choosing.words import Token, tokens_of
from understudy.wire.client_tools import ClientTool

_ELLIPTIC = re.compile(
    r"^\W*(?:ok(?:ay)?,? |oh,? |great,? |thanks,? |now |cool,? |yes,? |no,? |sorry,? |hm+,? )*(?:and|what about"
    r"|how about|same|the same|do (?:the same|that|it|this)|also|again|another|one more|once more|likewise|ditto"
    r"|make (?:it|that)|try|repeat|plus|or|instead|actually|then|next|for|in|on|at|with|und|et|y|¿?y|was ist mit"
    r"|et pour|qué tal|now|no,|sorry|i meant|i mean|rather|better|too)\b",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"^\W*(?:\w+,? ){0,2}(?:what about|how about|same|the same|do (?:the same|that again|it again|this)|again"
    r"|another one|one more|once more|make (?:it|that)|try again|und (?:in|für|am|mit|der|die|das)?|et (?:à|pour"
    r"|en)?|¿?y (?:en|para|el|la)?)\b|\b(?:instead|as well|too|again|once more)\W*$",
    re.IGNORECASE,
)
_YES = re.compile(
    r"^\W*(?:yes|yeah|yep|yup|sure|ok(?:ay)?|please|go ahead|do it|do that|sounds good|of course|absolutely"
    r"|definitely|correct|confirmed?|right|ja|oui|sí|si|はい)\b",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"(?:would you like me to|do you want me to|shall i|should i|want me to|may i|can i|i (?:can|could)"
    r"|would you like to have me)\s+([^?.!\n]{4,200}?)(?:\s+for you|\s+now|,? (?:if you(?:'d)? (?:like"
    r"|want)))?\s*[?.!]",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^\W*(?:(?:and|what about|how about|the same|same|do the same|do that|also|again|now|then|ok(?:ay)?|oh"
    r"|thanks|great|cool|no|sorry|i meant?|make (?:it|that)|please|for|und|et|y|actually|rather|plus|one more"
    r"|another one?|in the same \w+)\b[\s,:]*)+",
    re.IGNORECASE,
)
_PLACED = re.compile(
    r"^\W*(?:\w+,? ){0,3}?(for|in|at|of|on|with|from|to) (?:the )?([^\W\d_][\w-]*(?: [^\W\d_][\w-]*)?)\W*$",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"^(\w+(?: me| us)?) (.{1,80}?) ((?:to|into|in|on|from|off) (?:the|my|our|a)\b.*)$", re.IGNORECASE)
_FAMILY = {
    "number": "n",
    "money": "n",
    "id": "i",
    "name": "w",
    "code": "w",
    "quoted": "q",
    "date": "d",
    "time": "t",
    "path": "p",
    "url": "u",
    "email": "e",
}


def is_yes(text: str) -> bool:
    return bool(_YES.match(text))


def offer_in(text: str) -> str:
    """What the model said it could do next, in words of a request; empty where it said nothing of the kind."""
    found = list(_OFFER.finditer(text[-2_000:]))
    return found[-1].group(1).strip() if found else ""


_SAME = re.compile(
    r"^\W*(?:\w+,? ){0,2}(?:same|the same|do (?:the same|that again|it again)|another one|one more|once more"
    r"|make (?:it|that)|try again)\b",
    re.IGNORECASE,
)


def says_again(clause: Clause) -> bool:
    """Whether the clause says that it repeats the call before it, with something changed."""
    return len(clause.text) < 120 and bool(_SAME.search(clause.text))


def is_elliptic(clause: Clause, left: int) -> bool:
    """Whether the clause has no act and no thing of its own and is short, or says itself that it goes on."""
    if clause.mood not in {Mood.FRAGMENT, Mood.QUESTION, Mood.REQUEST, Mood.WISH}:
        return False
    words = clause.text.split()
    if clause.tokens and clause.tokens[0].low.endswith("ed") and not clause.tokens[0].kind:
        return False
    if _STRONG.search(clause.text) and len(words) <= 14:
        return True
    if len(words) > 8:
        return False
    own = [token for token in clause.tokens if not token.stop and not token.kind]
    if clause.mood is Mood.FRAGMENT:
        return (
            bool(_ELLIPTIC.match(clause.text))
            or clause.text.rstrip(" ?.!").endswith((" one", " ones"))
            or (len(own) <= 2 and any(token.kind for token in clause.tokens))
        )
    return bool(_ELLIPTIC.match(clause.text)) and len(own) <= 2 and clause.mood is not Mood.QUESTION


def resolved(clause: Clause, before: str, offer: Offer, tool: ClientTool) -> list[str]:
    """The earlier ask with what is new in the place of what it replaces; one text for each value that is new."""
    values = [token for token in clause.tokens if token.kind and not token.stop and token.low != "one"]
    rest = _LEADING.sub("", clause.text).strip(" ?.!,")
    old = _joined(tokens_of(before), before)
    values = _joined(values, clause.text)
    enums = [parameter.enum for parameter in profile_of(tool).parameters if parameter.enum]
    changed = before
    placed = False
    for token in clause.tokens:
        for enum in enums:
            if token.low in enum:
                other = next((one for one in old if one.low in enum), None)
                if other is not None:
                    changed = changed.replace(other.text, token.text, 1)
                    placed = True
    if placed:
        fixed = {value for enum in enums for value in enum}
        others = [token for token in values if token.low not in fixed]
        return [_replaced(changed, [token for token in old if token.low not in fixed], others) or changed]
    series = conjuncts_of(clause)
    if len(series) > 1:
        return [_replaced(before, old, tokens_of(text)) or f"{before} {text}" for text in series]
    if values:
        fixed = {value for enum in enums for value in enum}
        return [_replaced(before, [token for token in old if token.low not in fixed], values) or f"{rest}\n{before}"]
    placed_anew = _PLACED.search(clause.text)
    if placed_anew:
        # "And for storage?"
        other = re.search(rf"\b{placed_anew.group(1)} (?:the )?([^\W\d_][\w-]*)", before, re.IGNORECASE)
        if other:
            return [before[: other.start(1)] + placed_anew.group(2) + before[other.end(1) :]]
    thing = _OBJECT.match(before)
    if thing and rest and len(rest.split()) <= 6:
        return [f"{thing.group(1)} {rest} {thing.group(3)}"]
    return [f"{rest}\n{before}" if rest else before]


def _joined(tokens: list[Token], text: str) -> list[Token]:
    """The tokens with neighbouring names as one: "Crow Hill"."""
    found: list[Token] = []
    for token in tokens:
        last = found[-1] if found else None
        if last is not None and last.kind == token.kind == "name" and text[last.end : token.start] == " ":
            found[-1] = replace(last, text=text[last.start : token.end], low=f"{last.low} {token.low}", end=token.end)
        else:
            found.append(token)
    return found


def _replaced(before: str, old: list[Token], values: list[Token]) -> str:
    """`before` with each of the values in the place of one of its kind; empty where none has its counterpart."""
    changed = before
    used: set[int] = set()
    for value in values:
        family = _FAMILY.get(value.kind)
        same = [
            place
            for place, token in enumerate(old)
            if token.kind and _FAMILY.get(token.kind) == family and place not in used and (token.low != value.low)
        ]
        if not same:
            if value.kind in {"date", "time"}:
                changed = f"{changed.rstrip(' ?.!')} {value.text}"
            continue
        place = same[-1] if family != "n" else same[0]
        used.add(place)
        changed = changed.replace(old[place].text, value.text, 1)
    return changed if changed != before else ""
