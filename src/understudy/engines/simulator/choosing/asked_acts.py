"""What a clause asks to be done: the acts of its leading verb, and weaker ones of its other words."""

from __future__ import annotations

from understudy.engines.simulator.choosing.gated import Gated
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.phrasal import acts_apart
from understudy.engines.simulator.choosing.wording import Wording
from understudy.engines.simulator.choosing.words import Token

_FORGETS = Gated(r"^(?:don'?t|do not) let me forget")

_PUT_DOWN = Gated(r"^(?:put|sign|get) (?:me|us|him|her|them|\w+) (?:down|up|in) (?:for|as)\b")

TELLS = Gated(r"^(?:let (?!me\b|us\b)\S+(?: \S+){0,5}? know|(?:tell|ask|inform) (?!me\b|us\b))")

PARTICLE = Gated(
    r"^(?:turn|switch|put|take)\b(?: \S+){1,5}? (on|off|up|down)\b"
    r"(?! (?:it|them|him|her|the|my|our|your|an?|this|that|these|those)\b)"
)

# "… in Polish" asks for a translation.
_IN_LANGUAGE = Gated(
    r"\b(?:in|into|to|auf|en|ins) (?:english|german|french|spanish|italian|portuguese|dutch|polish|czech|russian"
    r"|ukrainian"
    r"|turkish|arabic|hebrew|hindi|chinese|mandarin|japanese|korean|swedish|danish|norwegian|finnish|greek|hungarian"
    r"|romanian|thai|vietnamese|indonesian|latin|catalan)\b"
)

_SEVERAL = Gated(r"^(?:which|what|any)\b.{1,40}?\b(?:are there|exist|do (?:i|we|you) have|are in|are under|are on)\b")

NEW_THING = Gated(r"^(?:an? )?(?:new|another)\b")

_NO_MORE = Gated(
    r"\b(?:can'?t|cannot|won'?t|unable to) (?:make it|come|attend)\b|\b(?:don'?t|no longer|not) need\b|\bany ?more\b"
)

_OTHERWISE = Gated(r"\binstead\b|\bshould (?:go|be|have)\b|\bneeds? to (?:go|be)\b|\bmust (?:go|be)\b")

_TAKES = Gated(r"^(?:i|we)(?:'ll| will) (?:take|have|go (?:for|with))\b")

_PARTICLE_ACTS = {
    "on": ("start", "update"),
    "off": ("stop", "update"),
    "up": ("increase", "update"),
    "down": ("decrease", "update"),
}

DETERMINERS = frozenset(
    "a an the my our his her their this that these those it them him me us all every each any some to for with "
    "in on at from one two three two 1 2 3 "
    "der die das den einen eine ein mir mich le la les un une el los las mi".split()
)

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
            or (token.stop and token.low not in DETERMINERS)
            or token.low in {"to", "for", "with", "in", "on"}
        ):
            break
        found += [act for act in token.acts if act[0] != "=" and act not in head.acts]
    return tuple(found)


def acts_asked(said: Wording, tokens: list[Token], mood: Mood) -> tuple[dict[str, float], Token | None]:
    text, body, first = said.text, said.body, said.body_first
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
        particle = PARTICLE.match(body, first)
        if TELLS.match(body, first):
            head.acts = ("send",)
        elif _PUT_DOWN.match(body, first):
            head.acts = ("schedule", "subscribe", "create")
        elif particle:
            taken = head.low == "take" and particle.group(1).lower() == "off"
            head.acts = ("delete", "unsubscribe") if taken else _PARTICLE_ACTS[particle.group(1).lower()]
        elif _FORGETS.match(body, first):
            head.acts = ("remind", "create")
        else:
            head.acts = acts_apart(tokens, head) or _had_done(tokens, head) or (*head.acts, *_done_noun(tokens, head))
    if mood is Mood.REQUEST and head is not None and head.acts:
        for act in head.acts:
            acts[act] = 1.0
    elif mood in {Mood.QUESTION, Mood.FRAGMENT, Mood.EXPLAIN}:
        head = None
        acts["get"] = 0.8
        acts["search"] = acts["list"] = 0.7
        if _SEVERAL.match(body, first):
            acts["list"] = 0.9
        if NEW_THING.match(body, first):
            acts["create"] = 0.9
    elif mood is Mood.WISH:
        head = None
        for act in ("search", "order", "schedule", "get", "create"):
            acts[act] = 0.5
        if _TAKES.match(said.bare, said.bare_first):
            acts["order"] = acts["schedule"] = 0.95
        if _NO_MORE.search(text, said.words):
            acts["cancel"] = acts["delete"] = 0.9
        if _OTHERWISE.search(text, said.words):
            acts["update"] = acts["move"] = 0.8
    else:
        head = None
    if _IN_LANGUAGE.search(text, said.words):
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
