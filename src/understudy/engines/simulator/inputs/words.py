"""Small tables of words, and how names of properties fall into them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

NUMBER_WORDS: Final[dict[str, float]] = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
    "thousand": 1000,
    "nil": 0,
    "dozen": 12,
    "half": 0.5,
    "couple": 2,
    **dict.fromkeys(("dos", "zwei", "deux", "dois"), 2),
    **dict.fromkeys(("tres", "drei", "trois", "três"), 3),
    **dict.fromkeys(("cuatro", "vier", "quatre", "quattro"), 4),
    **dict.fromkeys(("cinco", "fünf", "cinq", "cinque"), 5),
    **dict.fromkeys(("seis", "sechs", "sei"), 6),
}

TENS: Final = frozenset("twenty thirty forty fifty sixty seventy eighty ninety".split())

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)

LANGUAGES: Final[dict[str, str]] = {
    "english": "en",
    "french": "fr",
    "german": "de",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "dutch": "nl",
    "russian": "ru",
    "japanese": "ja",
    "chinese": "zh",
    "mandarin": "zh",
    "korean": "ko",
    "arabic": "ar",
    "hindi": "hi",
    "turkish": "tr",
    "polish": "pl",
    "swedish": "sv",
    "danish": "da",
    "norwegian": "no",
    "finnish": "fi",
    "greek": "el",
    "czech": "cs",
    "hebrew": "he",
    "thai": "th",
    "vietnamese": "vi",
    "ukrainian": "uk",
    "hungarian": "hu",
    "romanian": "ro",
    "indonesian": "id",
    "latin": "la",
}
"""Name → ISO 639-1 code."""

CURRENCIES: Final[dict[str, str]] = {
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "dollar": "USD",
    "euro": "EUR",
    "pound": "GBP",
    "yen": "JPY",
    "rupee": "INR",
    "franc": "CHF",
    "yuan": "CNY",
    "peso": "MXN",
    "krona": "SEK",
    "bitcoin": "BTC",
}
CURRENCY_CODES: Final = frozenset(
    "USD EUR GBP JPY INR CHF CNY MXN SEK NOK DKK AUD CAD NZD BRL KRW SGD HKD ZAR PLN TRY THB CZK HUF BTC ETH".split()
)

UNITS: Final[dict[str, str]] = {
    "s": "second",
    "sec": "second",
    "min": "minute",
    "hr": "hour",
    "h": "hour",
    "km": "kilometer",
    "kilometre": "kilometer",
    "m": "meter",
    "metre": "meter",
    "cm": "centimeter",
    "mm": "millimeter",
    "mi": "mile",
    "ft": "foot",
    "feet": "foot",
    "in": "inch",
    "kg": "kilogram",
    "kilo": "kilogram",
    "g": "gram",
    "lb": "pound",
    "lbs": "pound",
    "oz": "ounce",
    "l": "liter",
    "litre": "liter",
    "ml": "milliliter",
    "c": "celsius",
    "f": "fahrenheit",
    "k": "kelvin",
    "mb": "megabyte",
    "gb": "gigabyte",
    "px": "pixel",
    "mg": "milligram",
    "millilitre": "milliliter",
    "centilitre": "centiliter",
    "cl": "centiliter",
    "centimetre": "centimeter",
    "millimetre": "millimeter",
    "hrs": "hour",
    "mins": "minute",
    "secs": "second",
    "minuten": "minute",
    "stunde": "hour",
    "stunden": "hour",
    "minuto": "minute",
    "hora": "hour",
    "heure": "hour",
}
"""Short or other spelling of a unit → its name in the singular."""

SECONDS: Final[dict[str, float]] = {
    "millisecond": 0.001,
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 604800,
}

MEASURES: Final[dict[str, tuple[str, float]]] = {
    **{unit: ("time", factor) for unit, factor in SECONDS.items()},
    "gram": ("mass", 1), "kilogram": ("mass", 1000), "milligram": ("mass", 0.001), "tonne": ("mass", 1e6),
    "pound": ("mass", 453.592), "ounce": ("mass", 28.3495),
    "liter": ("volume", 1), "milliliter": ("volume", 0.001), "centiliter": ("volume", 0.01),
    "meter": ("length", 1), "kilometer": ("length", 1000), "centimeter": ("length", 0.01),
    "millimeter": ("length", 0.001), "mile": ("length", 1609.344), "foot": ("length", 0.3048),
    "inch": ("length", 0.0254),
    "celsius": ("celsius", 1), "fahrenheit": ("fahrenheit", 1), "kelvin": ("kelvin", 1),
    "megabyte": ("data", 1), "gigabyte": ("data", 1024), "pixel": ("pixel", 1),
}  # fmt: skip
"""A unit's dimension, and how many of that dimension's smallest common unit it is."""

PREPOSITIONS: Final = frozenset(
    "in on at to from for with by about of into as named called titled between until till before after near via using "
    "within through during regarding concerning labeled since against saying under over is are per than than "
    "entitled where which whose".split()
)
ARTICLES: Final = frozenset(
    """the a an my our your his her their its this that these those some any every each all another more most much
    many few several both no""".split()
)

# Words that begin a sentence with a capital and are no part of a name.
STARTERS: Final = frozenset(
    """add and any are arrange ask assign at book build buy calculate call can cancel change check clear close
    compare compose compute convert copy could count create deactivate delete deploy describe did disable
    display do does don't download draft email enable execute explain extract fetch file fill filter find fix
    follow for forward from generate get give go hello help hey hi highlight how however i i'd i'll i'm i've if
    import in insert install is it it's its join just kick kindly launch let let's list locate log look make
    mark measure merge message move my need next no not note now of ok okay on open order our pause pay perform
    play please post print process publish pull push put query read record register remind remove rename reply
    report reschedule reserve restart retrieve run save say schedule search see send set share shorten should
    show solve sort start stop store submit subscribe suggest summarize tag take tell text thank thanks that the
    their then there these they this those to track transfer translate turn type undo update upload use verify
    view visit want we what what's when where which who who's whose why will with work would write yes you your
    also actually sorry great perfect instead same after before once review renew water feed scrap stick stage
    bring swap trade lower raise dim ring wake order hold quote log cancel pin mute pause resume rate apply
    attach approve reject decline transcribe trim crop stream count pull roll scale restock refund extract
    classify analyze parse return identify customer user name order ticket""".split()
)

POINTING: Final = frozenset(
    "it him her them that this these those me us you one ones there here now again too one same what which".split()
)

# After the thing of which something is said, where the first word of a sentence is no command.
SAYING_OF: Final = frozenset(
    """is are was were has have had needs need can could should will won't isn't and or did
    didn't got gets wants wasn't hasn't doesn't does takes""".split()
)

ORDINALS: Final = frozenset(
    """first second third fourth fifth last former latter other same cheapest lowest highest largest smallest
    latest newest oldest nearest closest earliest best longest shortest next previous right wrong""".split()
)

GENERAL: Final = frozenset(
    "data info information details list status number id name page report thing day week time date".split()
)
"""Nouns that stand for a thing without saying which."""

NEGATIONS: Final = frozenset(
    """no not without don't dont hasn't hasnt haven't didn't didnt wasn't
    weren't aren't doesnt isnt shouldn't never disable disabled off exclude skip omit avoid non doesn't isn't won't
    nobody none neither nor kein keine nicht ohne pas sans sin""".split()
)

MONTH_NUMBERS: Final[dict[str, int]] = {
    name: number
    for names in (
        " ".join(MONTHS),
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "jan feb mar apr may jun jul aug sep oct nov dec",
    )
    for number, name in enumerate(names.split(), 1)
} | {"sept": 9}
"""Months in six spellings → their numbers."""

CALENDAR: Final = frozenset((*WEEKDAYS, *MONTHS))

_PIECES: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_LETTERS: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without the commonest English endings, in lower case."""
    word = word.lower().replace("’", "'")
    if word.endswith("'s"):
        word = word[:-2]
    length = len(word)
    if length > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if length > 5 and word.endswith("ing"):
        word = word[:-3]
    elif length > 4 and word.endswith(("ed", "es")) and not word.endswith(("eed", "ses", "ees")):
        word = word[:-2]
    elif length > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def name_words(name: str) -> list[str]:
    """The words of a property's or enum member's name: snake, camel or kebab case, in lower case."""
    return [piece.lower() for piece in _PIECES.findall(name)]


def stems_of(text: str) -> list[str]:
    return [stem(word) for word in _LETTERS.findall(text)]


@lru_cache(maxsize=4096)
def singular_unit(word: str) -> str:
    """The name of the unit that `word` writes, in the singular."""
    lower = word.lower().rstrip(".")
    if lower in UNITS:
        return UNITS[lower]
    if len(lower) > 3 and lower.endswith("s"):
        lower = lower[:-1]
    return UNITS.get(lower, lower)


GENERAL_STEMS: Final = frozenset(stem(word) for word in GENERAL)

SIDES: Final[dict[str, frozenset[str]]] = {
    "from": frozenset(
        stem(word) for word in ("from", "replace", "rename", "change", "convert", "between", "move", "out")
    ),
    "to": frozenset(stem(word) for word in "to into until till before with by and through under below".split()),
}
"""Words that bring one end of a pair."""

ORDINAL_NUMBERS: Final[dict[str, float]] = {
    **{word: n for n, word in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split(), 1)},
    **{word: n for n, word in enumerate("1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th".split(), 1)},
}

NATIONS: Final = frozenset(
    "us american canadian australian singapore zealand swiss swedish norwegian danish japanese british indian mexican "
    "chinese turkish brazilian czech".split()
)
"""What stands before the name of a currency."""
