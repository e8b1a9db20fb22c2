"""A clause made ready to be compared with tools, and what it lacks for one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.gated import Gated, words_in
from understudy.engines.simulator.choosing.offers import Offered
from understudy.engines.simulator.choosing.profiles import Parameter, Profile
from understudy.engines.simulator.choosing.serving import (
    COORDINATE,
    SERVED_BY,
    Values,
    counts,
    is_phone,
    numbers_lacking,
    says_id,
    values_of,
)
from understudy.engines.simulator.choosing.words import Token, tokens_of

# Words of an id's name that do not say of what it is.
ID_WORDS = frozenset("id ids uuid number numb ref refer key code no".split())
_NO_ID = Gated(
    r"\bno (?:\w+ )?(?:id|number|reference|code)\b|\b(?:don'?t|do not|no idea|not sure|haven'?t|without|can'?t"
    r"|lost|forgot|forgotten"
    r"|mislaid)\b.{0,40}?\b(?:id|ids|number"
    r"|reference|code|no\.)\b"
)


class Fit(NamedTuple):
    """`score` says whether the tool fits at all, `rank` which of several fits best; `things` is the part of things."""

    offered: Offered
    score: float
    rank: float
    act: float
    things: float
    missing: tuple[Parameter, ...]


@dataclass(slots=True)
class Heard:
    """A clause made ready to be compared: strengths of its keys, its words that carry meaning, the kinds of values."""

    clause: Clause
    keys: dict[str, float]
    content: list[Token]
    kinds: set[str]
    values: list[Token]
    background: dict[str, float]
    counted: Values
    lacks_id: bool = False
    picks: bool = False
    labels: frozenset[str] = frozenset()
    lacked: frozenset[str] = frozenset()

    @property
    def globs(self) -> bool:
        """Whether a pattern of file names is said: "*.py"."""
        return any(token.kind == "path" and "*" in token.text for token in self.values)

    @property
    def lasting(self) -> set[str]:
        """The kinds of values that may still be spoken of later: a number of minutes is not."""
        tokens = self.clause.tokens
        if all(counts(token, tokens) for token in self.values if token.kind == "number"):
            return self.kinds - {"number"}
        return self.kinds

    def lacks(self, parameter: Parameter) -> bool:
        """Whether it is said that the id a parameter takes is not known."""
        return self.lacks_id and (not self.lacked or bool(self.lacked & parameter.stems))

    found: list[Fit] | None = None


def lacks_its_id(text: str) -> bool:
    """Whether a text says that the id of what it is about is not known."""
    return bool(_NO_ID.search(text, words_in(text)))


def lacked_in(text: str) -> frozenset[str]:
    """Of what the id is that a text says is not known: "no tracking number"; empty where it says just "the id"."""
    said = _NO_ID.search(text)
    words = [token for token in tokens_of(said.group())[:-1] if not token.stop][-1:] if said else []
    return frozenset(token.stem for token in words if token.stem not in ID_WORDS and not token.kind)


def heard_of(clause: Clause, background: dict[str, float] | None = None) -> Heard:
    keys: dict[str, float] = dict(background or {})
    content: list[Token] = []
    kinds: set[str] = set()
    values: list[Token] = []
    for token in clause.tokens:
        if token.kind:
            kinds.add(token.kind)
            values.append(token)
        for key, strength in token.keys:
            if strength > keys.get(key, 0.0):
                keys[key] = strength
        if not token.covered and (not token.stop or token.keys) and token.kind in {"", "name", "code"}:
            content.append(token)
    lacks_id = bool(_NO_ID.search(clause.text, clause.words))
    return Heard(clause, keys, content, kinds, values, background or {}, values_of(values), lacks_id)


def _id_said(parameter: Parameter, profile: Profile, heard: Heard) -> bool:
    here = {token.kind for token in heard.values}
    if heard.picks:
        # "The 17:08", "the second one": the id stands in an earlier result.
        return True
    if heard.labels and _labelled(parameter, heard):
        return False
    if not heard.lacks(parameter) and (heard.kinds - here) & (
        {"number"} if parameter.numeric else {"id", "code", "number"}
    ):
        return True
    if heard.lacks(parameter):
        return False
    return says_id(parameter, profile, heard.clause.tokens, heard.values)


def _labelled(parameter: Parameter, heard: Heard) -> bool:
    """Whether all codes that are said are called by the names of other tools' ids: "order number A-1" is no parcel."""
    own = parameter.stems - ID_WORDS
    if not own or not heard.labels - own:
        return False
    labelled = False
    tokens = heard.clause.tokens
    for place, token in enumerate(tokens):
        if token.kind not in {"id", "code", "number"}:
            continue
        label = next((one.stem for one in reversed(tokens[max(0, place - 4) : place]) if _names(one)), "")
        if label not in heard.labels - own:
            return False
        labelled = True
    return labelled


def _names(token: Token) -> bool:
    return not token.stop and not token.kind and token.stem not in ID_WORDS


def missing_of(profile: Profile, heard: Heard) -> tuple[Parameter, ...]:
    """The required parameters whose values must have been said somewhere and were not said here."""
    if not profile.hard:
        return ()
    found: list[Parameter] = []
    for parameter in profile.hard:
        if parameter.kind == "coordinate":
            if not COORDINATE.search(heard.clause.text):
                found.append(parameter)
        elif (not (heard.picks and parameter.kind == "id") and heard.kinds.isdisjoint(SERVED_BY[parameter.kind])) or (
            (parameter.kind == "id" and not _id_said(parameter, profile, heard))
            or (parameter.kind == "phone" and not any(is_phone(token) for token in heard.values))
        ):
            found.append(parameter)
    if len(heard.values) and any(parameter.kind == "number" and parameter.required for parameter in profile.parameters):
        found += [parameter for parameter in numbers_lacking(profile, heard.values) if parameter not in found]
    return tuple(found)
