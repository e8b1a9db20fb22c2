"""A text without the courtesy and the asking words that it begins with, and the words that stand in it."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.engines.simulator.choosing.gated import Gated, Words, first_in, words_in
from understudy.engines.simulator.choosing.mood_patterns import ASKING, LEAD, LEAD_WORD

# "In a.toml change x to y"
_PLACE_FIRST = Gated(
    r"^(?:in|on|at|for|under|from|inside) \S+(?: \S+){0,3}?,? (?=(?:please )?(?:change|replace|set|add|remove"
    r"|delete|rename"
    r"|update|turn|switch|put|create|show|list|find|search|check|book|send|give|play|run|move|make|write|fix"
    r"|insert|append"
    r"|increase|decrease|raise|lower|swap|edit|cancel|order|open|close|start|stop) (?!of\b|for\b|in\b|is\b|are\b"
    r"|list\b|and\b))"
)
# "When this is over, …" before what is to be done.
_WHEN_DONE = Gated(
    r"^(?:when|once|after|as soon as) [^,?.]{3,40}?\b(?:over|done|finished|ends|ended|ready|is up"
    r"|finishes),? (?=\w+ \w)"
)


@dataclass(frozen=True, slots=True)
class Wording:
    """`bare` is the text without courtesy and connection, which are its first `lead` characters, `body` without asking
    words besides, of which there were some where it is `asked`. The first word of each is kept beside it, "" where it
    has none, None where letters are not ASCII; and so are all `words` of the text, and of `bare`."""

    text: str
    words: Words
    first: str | None
    lead: int
    bare: str
    bare_words: Words
    bare_first: str | None
    body: str
    body_first: str | None
    asked: bool


def wording_of(text: str) -> Wording:
    words, first = words_in(text), first_in(text)
    lead = _lead_of(text, first)
    bare = text[lead:] if lead else text
    bare_first = first_in(bare) if lead else first
    body, asked = _body_of(text, bare)
    body_first = bare_first if body is bare else first_in(body)
    cut = lead and bare and bare_first and text[lead - 1].isalnum() and bare[0].isalnum()
    bare_words = words_in(bare) if cut else words
    return Wording(text, words, first, lead, bare, bare_words, bare_first, body, body_first, asked)


def lead_of(text: str) -> int:
    """How many characters at the beginning are courtesy and connection only."""
    return _lead_of(text, first_in(text))


def _lead_of(text: str, first: str | None) -> int:
    if first and text[0].isalnum() and not LEAD_WORD.may_begin(first):
        return 0
    found = LEAD.match(text)
    return found.end() if found else 0


def _body_of(text: str, bare: str) -> tuple[str, bool]:
    """`text` without courtesy and asking words, and whether there were asking words; `bare` is without the first."""
    rest = bare
    asked = False
    for _ in range(3):
        match = ASKING.match(rest, first_in(rest))
        if not match:
            break
        asked = True
        rest = rest[match.end() :].lstrip(" ,")
        rest = rest[lead_of(rest) :]
    first = first_in(rest)
    placed = _PLACE_FIRST.match(rest, first) or (None if text.rstrip().endswith("?") else _WHEN_DONE.match(rest, first))
    if placed:
        rest = rest[placed.end() :]
        rest = rest[lead_of(rest) :]
    return rest, asked
