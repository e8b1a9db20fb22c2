# ruff: noqa: E501  the rows of a table
"""Which kinds of values a property takes, told by the words of its name and, more weakly, of its description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from . import words
from .merging import Schema

_ROWS: Final[tuple[tuple[str, str, str], ...]] = (
    # words of a name | kinds, best first | prepositions that bring such a value
    ("email mail recipient to cc bcc invitee attendee participant", "email handle name phone", "to with for cc invite"),
    ("sender", "email name", "from by"),
    ("url link website uri webpage href domain page", "url", "at to from on"),
    ("site", "place name phrase url object", "at on in to from"),
    ("path file filename filepath directory folder dir src dest workspace", "path code quoted called", "to in at from"),
    (
        "location spot",
        "address place name phrase object",
        "in for at near to from",
    ),
    (
        "city place town country region state area neighborhood where port county valley village island",
        "place name phrase object",
        "in for at near to from",
    ),
    ("destination arrival", "place name phrase", "to into"),
    ("origin departure", "place name phrase", "from"),
    ("address street venue restaurant hotel", "address place name phrase object", "at to in"),
    ("airport station", "upper place name phrase", "to from at"),
    ("date day weekday deadline due when birthday checkin checkout", "datetime date", "on by due for from until"),
    ("month period", "date", "in for of"),
    ("time hour at", "datetime time", "at by from until"),
    ("timestamp datetime start end begin since until", "datetime date time", "on at from until"),
    (
        "id identifier number code key ref reference ticket issue order invoice sku tracking account case booking no pr "
        "reservation isbn barcode plate registration",
        "id marked phone",
        "for of to",
    ),
    ("phone mobile tel telephone cell", "phone id", "to at"),
    (
        "person customer user contact assignee author artist employee guest owner patient passenger member player reviewer "
        "who character client lead manager teacher student candidate friend driver speaker company organization",
        "handle name owner phrase object",
        "to for with by from assign",
    ),
    ("name", "called name owner quoted", "for called of"),
    ("language lang locale", "language", "to in into from"),
    ("query q search keyword keywords term topic question prompt terms", "topic quoted", "for about"),
    ("problem issue complaint symptom symptoms details feedback", "saying quoted about", "about that"),
    (
        "item product dish drug medication ingredient song track book movie",
        "called quoted object phrase name",
        "for of",
    ),
    ("subject", "called about phrase", "about with subject"),
    (
        "content body text message msg note notes comment caption memo reason details remark",
        "saying quoted code pairless",
        "saying that",
    ),
    ("description summary", "saying quoted about", "about for"),
    ("title label heading", "called quoted headline topic", "titled called"),
    ("command cmd script shell sql statement", "code quoted tail", "run"),
    ("snippet expression formula equation calculation", "code quoted expression", ""),
    ("amount price cost budget total salary payment income principal", "money number", "under of for"),
    ("currency base quote", "currency money", "to in into from"),
    ("percent percentage rate discount tip", "percent number", "of at"),
    (
        "limit count n max min num quantity qty size top people guests nights party rows lines width height age calories "
        "rating score",
        "number",
        "for of to",
    ),
    ("duration minutes seconds hours days weeks months timeout length interval", "number", "for in"),
    ("symbol ticker stock", "upper name", "of for"),
    ("channel", "channel phrase quoted", "in to on"),
    ("room", "name phrase channel quoted object", "in to on at for"),
    ("selector", "channel code quoted id", ""),
    ("unit units", "unit id phrase", "to into in"),
    ("last digits year", "number id", "in since from"),
    ("glob", "path code quoted", "for matching"),
    ("pattern regex", "quoted code symbol path object", "for matching"),
    ("function symbol class method variable flag column field", "code symbol quoted object", "of in"),
    ("username login handle", "handle name code", "for as"),
    ("tag tags hashtag", "channel quoted version", "with as"),
    ("version release tag", "version", "to of"),
    ("ip", "ip url", "on at to"),
    ("host server hostname machine node", "ip id url code path", "on at to"),
    ("repo repository project", "path name code phrase", "in of for"),
    (
        "branch schema table service environment env list playlist category genre type kind topic",
        "code phrase quoted",
        "in to from on for of",
    ),
    ("cuisine nationality", "language name object phrase", ""),
    ("old from source", "", "from"),
    ("new to target", "", "to into with"),
)

_FROM: Final = frozenset(
    "from source origin start begin old departure since first sender min base lower pickup".split()
)
_TO: Final = frozenset(
    "to target destination end new arrival until last dest recipient max quote upper dropoff till".split()
)
_DESCRIBED: Final = {
    "email": "email", "url": "url", "path": "path", "city": "place", "date": "date", "identifier": "id", "id": "id",
    "phone": "phone", "language": "language", "currency": "currency", "command": "code", "name": "name", "topic": "topic",
    "query": "topic", "location": "place", "search": "topic", "time": "time", "address": "place", "person": "name",
}  # fmt: skip
_FORMATS: Final = {
    "email": "email", "uri": "url", "uuid": "id", "date": "date", "date-time": "datetime", "time": "time", "ipv4": "ip",
    "hostname": "url",
}  # fmt: skip
_SERVICES: Final = frozenset({"flight", "train", "bus", "plat", "plate", "registration", "vehicl"})
_TIMES: Final = frozenset({"date", "time", "day", "type", "class", "class_"})
_AIRPORTS: Final = frozenset({"airport", "iata", "origin", "destination", "station", "country", "depart", "arriv"})
_LOWEST: Final = frozenset("min minimum least lowest above over after".split())
_HIGHEST: Final = frozenset("max maximum most highest below under upto".split())
_GENERIC: Final = frozenset(
    stem_word
    for word in """id name number new old value text string type the a to from of in for is and or with e.g input""".split()
    for stem_word in [words.stem(word)]
)
_KIND_SCORES: Final = (30, 22, 16, 12)


def _table() -> dict[str, tuple[tuple[str, ...], frozenset[str]]]:
    table: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {}
    for names, kinds, prepositions in _ROWS:
        for name in names.split():
            mine = table.get(words.stem(name))
            if mine is None:
                table[words.stem(name)] = (
                    tuple(kinds.split()),
                    frozenset(words.stem(preposition) for preposition in prepositions.split()),
                )
    return table


_TABLE: Final = _table()


_TEXT_KINDS: Final = ("quoted", "code", "called", "saying", "phrase", "object", "name", "id", "path", "url", "email",
                      "upper", "language", "date", "time", "datetime", "number", "currency")  # fmt: skip
_STRICT: Final = frozenset("email url date datetime time phone id path number money percent ip currency".split())
_UNKNOWN: Final = {
    "quoted": 20, "code": 19, "url": 16, "symbol": 20, "name": 18, "id": 19, "object": 16, "phrase": 15, "address": 15, "upper": 15, "path": 14,
    "channel": 16, "handle": 14, "email": 17, "ip": 17, "version": 17, "date": 12, "time": 12,
}  # fmt: skip
_PARTS_OF_MOMENTS: Final = frozenset({"date", "day", "time", "hour"})
_FREE: Final = frozenset(
    words.stem(word)
    for word in """content body text message msg note notes comment caption memo reason details remark description summary
    problem issue complaint symptom feedback instructions observation prompt question query q search what todo
    reminder""".split()
)


_NAMING: Final = frozenset({"id", "key", "code", "number", "ref", "reference"})


@dataclass(frozen=True, slots=True)
class Hint:
    """What is known of a property before any words are read.

    `kinds` score what it takes; `stems` are the words of its name, `own` those that tell it from others; `side` is
    "from" or "to" where it is one end of a pair. `unit` is the unit that its name gives to a number.
    """

    name: str
    types: frozenset[str]
    stems: frozenset[str]
    own: frozenset[str]
    kinds: dict[str, int]
    prepositions: frozenset[str]
    side: str | None
    unit: str | None
    description: str
    schema: Schema
    required: bool
    identifies: bool
    """Whether it takes what tells one thing from others of its sort: an id, a number of an order."""
    free: bool
    """Whether it takes a text in free words, as a message or a question is."""
    bound: str | None
    """ "min" or "max" where it is a limit of a number."""
    looked: dict[str, int]
    """Every kind of value that is looked at, with what the kind alone is worth."""


def hint(name: str, schema: Schema, *, required: bool) -> Hint:
    parts = words.name_words(name)
    stems = [words.stem(part) for part in parts]
    described = str(schema.get("description") or "").lower()[:300]
    kinds: dict[str, int] = {}
    if _SERVICES.intersection(stems) and not _TIMES.intersection(stems):
        kinds |= {"service": 34, "id": 30}
    prepositions: set[str] = set()
    form = _FORMATS.get(str(schema.get("format")))
    if form is not None:
        kinds[form] = 34
        if form == "datetime":
            kinds |= {"date": 20, "time": 30}
    # The last word of a name says what it is: `order_date` is a date.
    for place, stem in enumerate(reversed(stems)):
        row = _TABLE.get(stem)
        if row is None:
            continue
        for rank, kind in enumerate(row[0]):
            kinds[kind] = max(kinds.get(kind, 0), _KIND_SCORES[min(rank, 3)] - 8 * place)
        prepositions |= row[1]
        if stem == "id":
            break
    told = {kind for word in words.stems_of(described)[:14] if (kind := _DESCRIBED.get(word)) is not None}
    numeric = schema.get("type") in ("integer", "number")
    if numeric:
        kinds = {kind: score for kind, score in kinds.items() if kind in ("number", "money", "percent", "id")}
        if "month" in stems:
            kinds["date"] = 24
    elif not kinds:
        # The name says nothing: its words are looked for beside a value, and the description says what sort it is.
        kinds = dict(_UNKNOWN) | {kind: 24 if kind in _STRICT else 19 for kind in told if kind != "topic"}
    else:
        for kind in told:
            kinds.setdefault(kind, 12)
    if numeric or kinds.keys() >= _UNKNOWN.keys():
        pass
    elif max(kinds, key=lambda kind: kinds[kind]) not in _STRICT and "topic" not in kinds and "saying" not in kinds:
        kinds.setdefault("object", 11)
        kinds.setdefault("phrase", 10)
    side = None
    if not _FROM.isdisjoint(parts):
        side = "from"
    elif not _TO.isdisjoint(parts):
        side = "to"
    if (schema.get("pattern") == "^[A-Z]{3}$" and "iata" not in described and not _AIRPORTS.intersection(stems)) or (
        "4217" in described and not numeric
    ):
        kinds |= {"currency": 30, "money": 22}
    elif ("639" in described or "language code" in described) and not numeric:
        kinds |= {"language": 34}
    elif side is not None and kinds.keys() >= _UNKNOWN.keys():
        kinds |= {"currency": 19, "money": 17}
    bound = "min" if not _LOWEST.isdisjoint(parts) else "max" if not _HIGHEST.isdisjoint(parts) else None
    unit = None
    for word in [*parts, *described.split()]:
        single = words.singular_unit(word.strip("().,;"))
        known = single in words.MEASURES
        if known and (word in parts or len(word) > 3):
            unit = single
            break
    declared: object = schema.get("type")
    several = cast("list[object]", declared) if isinstance(declared, list) else [declared]
    types = frozenset(kind for kind in several if isinstance(kind, str))
    if kinds.get("datetime", 0) >= 22 and (form == "datetime" or _PARTS_OF_MOMENTS.isdisjoint(stems)):
        kinds["moment"] = 33
    own = frozenset(stems) - _GENERIC - words.PREPOSITIONS
    if len(parts) == 2 and "boolean" not in types:
        # "PR 318" is a pull request.
        own |= {parts[0][0] + parts[1][0]}
    if parts and parts[-1] in words.UNITS:
        own |= {words.stem(words.UNITS[parts[-1]])}
    if "path" in kinds and kinds["path"] >= 22:
        own |= {"file", "directory", "folder"}
    looked = dict.fromkeys(_TEXT_KINDS, 0) | kinds
    # A place is written as a name is.
    looked["name"] = max(looked["name"], kinds.get("place", 0))
    return Hint(
        name,
        types,
        frozenset(stems),
        own,
        kinds,
        frozenset(prepositions),
        side,
        unit,
        described,
        schema,
        required,
        bool(stems) and kinds.get("id", 0) >= 22,
        bool(stems) and not form and not _FREE.isdisjoint((stems[-1], stems[0])) and _NAMING.isdisjoint(stems),
        bound,
        looked,
    )


def alternatives(schema: Schema) -> list[Any]:
    """The members of an enum, of a constant, or of alternatives that are constants."""
    options = schema.get("enum")
    if isinstance(options, list):
        return cast("list[Any]", options)
    for name in ("anyOf", "oneOf"):
        branches = schema.get(name)
        if isinstance(branches, list):
            found: list[Any] = []
            for branch in cast("list[object]", branches):
                if isinstance(branch, dict):
                    node = cast("Schema", branch)
                    found += node.get("enum") or ([node["const"]] if "const" in node else [])
            if found:
                return found
    return []
