"""What a tool's definition says about it: its acts, its things, its parameters. Remembered by content, bounded."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.tool_acts import acts_of_tool, verbs_of_tool
from understudy.engines.simulator.choosing.words import Token, tokens_of
from understudy.wire.client_tools import ClientTool

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_COMMAND = re.compile(r"^(?:shell_?|bash_?)?(?:command|cmd|commands|command_?line|script)$", re.I)
_ON_OFF = re.compile(r"\bon (?:or|and|/) ?off\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|\n|;|—| - ")
_MOST_DESCRIPTION = 1_500
# From here on a sentence says what the tool is not for, or what not to do.
_NOT_FOR = re.compile(
    r"\b(?:not|never|nothing|cannot|can't|don't|doesn't|without|no longer|except|rather than|instead of|unlike"
    r"|nobody)\b",
    re.I,
)
_WHEN = re.compile(
    r"(?:use (?:this |it )?(?:when|for|if|to|after|before)|for|when|call (?:this|it) (?:when|to)|only)\b", re.I
)
# Characters of a description after which its words count less, and much less.
_NEAR = 240
_FAR = 480
_REMEMBERED = 512

_HARD_KINDS = frozenset("email url id path phone expression coordinate number date time".split())
_HARD = (
    ("email", re.compile(r"e_?mail(_address)?s?$|^(recipient|to)_email", re.I)),
    ("url", re.compile(r"(^|_)(url|uri|link|href)s?$", re.I)),
    ("phone", re.compile(r"(^|_)(phone|mobile|msisdn|tel|telephone|fax|cell)(_?number)?s?$|phone_?number", re.I)),
    ("coordinate", re.compile(r"^(lat|lon|lng|latitude|longitude|coordinates?)$", re.I)),
    ("id", re.compile(r"(^|_)(ids?|uuid|number|no|nr|num|ref|reference|sku|key|isbn|iban|vin)$|Ids?$|Number$", re.I)),
    ("path", re.compile(r"(^|_)(path|file_?path|filename|file_name|file)s?$", re.I)),
    ("expression", re.compile(r"^(expression|formula|equation)$", re.I)),
    ("date", re.compile(r"(^|_)(date|day|when|deadline)s?$|_(date|at)$", re.I)),
    ("time", re.compile(r"(^|_)(time|start|end)(_time)?$", re.I)),
    ("place", re.compile(r"(^|_)(city|location|place|address|country|origin|destination|region)$", re.I)),
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`kind` is what its name, format or type says of its values: email, id, date, number, enum, text …"""

    name: str
    kind: str
    required: bool
    array: bool
    stems: frozenset[str]
    enum: frozenset[str]
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """`act` is the leading act, `acts` each with its weight; `nouns` the keys of the name's things, one dict a thing.

    `index` says how much a stem or group says of the tool; `knowledge` that any question may be put to it;
    `executes` that it takes a command line, `room` how many parameters it has of each kind, `required` those that must
    be given, `hard` those of them whose values cannot be made up.
    """

    act: str
    acts: dict[str, float]
    nouns: tuple[tuple[dict[str, float], float], ...]
    index: dict[str, float]
    parameters: tuple[Parameter, ...]
    knowledge: bool
    specific: bool
    verbs: frozenset[str]
    executes: bool
    room: dict[str, int]
    required: tuple[Parameter, ...]
    hard: tuple[Parameter, ...]


_profiles: OrderedDict[tuple[str, str, bytes], Profile] = OrderedDict()


def profile_of(tool: ClientTool) -> Profile:
    key = (tool.name, tool.description, orjson.dumps(tool.input_schema, option=orjson.OPT_NON_STR_KEYS))
    known = _profiles.get(key)
    if known is not None:
        _profiles.move_to_end(key)
        return known
    made = _profile(tool)
    _profiles[key] = made
    if len(_profiles) > _REMEMBERED:
        _profiles.popitem(last=False)
    return made


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def name_parts(name: str) -> list[str]:
    return [part.lower() for part in _PARTS.findall(name)]


_KNOWLEDGE = re.compile(
    r"\b(web|internet|online|knowledge|documentation|docs|wikipedia|encyclop\w+|faq|handbook|articles?|documents"
    r"|wiki)\b",
    re.I,
)
# Acts that hold in so many tools that the act alone does not say what a tool is for.
_PLAIN_ACTS = frozenset(
    "get list search create update delete run start stop save open send close increase decrease order schedule "
    "cancel play "
    "copy move share track restart approve reject assign validate download upload analyze calculate lock unlock".split()
)


def _profile(tool: ClientTool) -> Profile:
    known = lexicon()
    server, _, short = tool.name.rpartition("__")
    parts = name_parts(short or tool.name)
    named = tokens_of(" ".join(parts))
    description = tool.description[:_MOST_DESCRIPTION]
    sentences = [piece for piece in _SENTENCE_END.split(description) if piece and piece.strip()]
    described = [tokens_of(sentence[:1].lower() + sentence[1:]) for sentence in sentences[:12]]
    first = described[0] if described else []
    act, verb_place, acts = acts_of_tool(named, first)
    index: dict[str, float] = {}

    def add(tokens: list[Token], weight: float) -> None:
        for token in tokens:
            if token.stop:
                continue
            for key, strength in token.keys:
                worth = weight * strength * (token.weight if key[0] != "#" else 1.0)
                if worth > index.get(key, 0.0):
                    index[key] = worth

    nouns: list[tuple[dict[str, float], float]] = []
    for place, token in enumerate(named):
        if place == verb_place or (token.stop and token.stem not in known.first_words):
            continue
        keys = dict(token.keys) or {token.stem: 1.0}
        nouns.append((keys, token.weight or 0.2))
    verbs = verbs_of_tool(named, verb_place, first) | {act[1:] for act in acts if act[0] == "="}
    for verb in verbs:
        acts["=" + verb] = 1.0
    if not nouns and act in _PLAIN_ACTS:
        for token in first:
            if not token.stop and not token.acts and token.weight >= 1.0:
                nouns.append((dict(token.keys), 0.7))
            if len(nouns) == 2:
                break
    add([token for place, token in enumerate(named) if place != verb_place], 1.0)
    if 0 <= verb_place < len(named) and (named[verb_place].stem,) in known.things:
        add([named[verb_place]], 0.7)
    read = 0
    for number, tokens in enumerate(described):
        useful = [token for token in tokens if not (number == 0 and token is tokens[0] and token.acts)]
        # What stands far down in a long description is seldom what the tool is for.
        weight = 0.85 if number == 0 else 0.5 if read < _NEAR else 0.3 if read < _FAR else 0.15
        if number and _WHEN.match(sentences[number].strip()):
            weight += 0.15
        if _NOT_FOR.search(sentences[number]):
            cut = _NOT_FOR.search(sentences[number])
            place = cut.start() if cut else 0
            add([token for token in useful if token.end <= place], weight)
        else:
            add(useful, weight)
        read += len(sentences[number])
    schema = _mapping(tool.input_schema)
    properties = _mapping(schema.get("properties"))
    wanted = schema.get("required")
    required = cast("list[object]", wanted) if isinstance(wanted, list) else []
    parameters: list[Parameter] = []
    for name, raw in properties.items():
        definition = _mapping(raw)
        name_tokens = tokens_of(" ".join(name_parts(name)))
        add(name_tokens, 0.6)
        text = definition.get("description")
        if isinstance(text, str):
            add(tokens_of(text[:300]), 0.4)
        enum = _enum(definition)
        for value in enum:
            add(tokens_of(value.replace("_", " ")), 0.6)
        parameters.append(
            Parameter(
                name,
                _kind(name, definition, text if isinstance(text, str) else ""),
                name in required and "default" not in definition,
                _type(definition) == "array",
                frozenset(token.stem for token in name_tokens),
                frozenset(value.lower() for value in enum),
                _type(definition) in {"integer", "number"},
            )
        )
    for definition in properties.values():
        # The parts of an object take values as well.
        for name, raw in _mapping(_mapping(definition).get("properties")).items():
            part = _mapping(raw)
            add(tokens_of(" ".join(name_parts(name))), 0.4)
            parameters.append(
                Parameter(
                    name, _kind(name, part, ""), False, False, frozenset(), frozenset(map(str.lower, _enum(part)))
                )
            )
    if server:
        add(tokens_of(" ".join(name_parts(server.removeprefix("mcp")))), 0.3)
    knowledge = act in {"search", "get", "list", ""} and bool(
        _KNOWLEDGE.search(short + " " + (sentences[0] if sentences else ""))
    )
    specific = act not in _PLAIN_ACTS
    if _ON_OFF.search(description):
        acts["start"] = acts["stop"] = 1.0
    executes = any(parameter.required and _COMMAND.match(parameter.name) for parameter in parameters)
    return Profile(
        act,
        acts,
        tuple(nouns),
        index,
        tuple(parameters),
        knowledge,
        specific,
        verbs,
        executes,
        _room(parameters),
        tuple(parameter for parameter in parameters if parameter.required),
        tuple(parameter for parameter in parameters if parameter.required and parameter.kind in _HARD_KINDS),
    )


def _room(parameters: list[Parameter]) -> dict[str, int]:
    """How many parameters of each kind there are; "[]" that one of them is a list."""
    room: dict[str, int] = {}
    for parameter in parameters:
        room[parameter.kind] = room.get(parameter.kind, 0) + 1
        if parameter.array:
            room["[]"] = 1
    return room


def _enum(definition: Mapping[str, Any]) -> list[str]:
    values = definition.get("enum") or _mapping(definition.get("items")).get("enum")
    return [value for value in cast("list[object]", values or []) if isinstance(value, str)][:50]


def _type(definition: Mapping[str, Any]) -> str:
    kind = definition.get("type")
    kinds = cast("list[object]", kind) if isinstance(kind, list) else [kind]
    return next((each for each in kinds if isinstance(each, str) and each != "null"), "")


def _kind(name: str, definition: Mapping[str, Any], description: str) -> str:
    if _enum(definition):
        return "enum"
    kind = _type(definition)
    if kind == "boolean":
        return "boolean"
    form = definition.get("format")
    if form in {"email", "uri", "date", "date-time", "time", "uuid"}:
        return {"uri": "url", "date-time": "date", "uuid": "id"}.get(cast("str", form), cast("str", form))
    for found, pattern in _HARD:
        if pattern.search(name) and not (found == "id" and kind in {"integer", "number"} and "id" not in name.lower()):
            return found
    if kind in {"integer", "number"}:
        return "number"
    if kind == "object":
        return "object"
    if "email address" in description.lower() and kind != "array":
        return "email"
    return "text"
