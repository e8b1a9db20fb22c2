"""The spellings of typed values in a text: one pattern for each kind, in the order in which they win."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from . import words

_MONTH: Final = "(?:" + "|".join(sorted(words.MONTH_NUMBERS, key=lambda name: (-len(name), name))) + ")"
_LONE_MONTH: Final = (
    r"\b(?:january|february|april|june|july|august|september|october|november|december)\b(?!-[a-z])(?:\s\d{4}\b)?"
)
_DAY: Final = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)day"
_NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+,\d{1,2}(?![\d,])|\d+(?:\.\d+)?"
_EXTENSION: Final = (
    r"(?:py|js|mjs|ts|tsx|jsx|json|ya?ml|toml|md|txt|csv|tsv|xlsx?|docx?|pptx?|pdf|png|jpe?g|gif|svg|html?|css|xml|sql|"
    r"sh|rb|go|rs|java|c|h|cpp|hpp|cs|php|log|ini|cfg|conf|env|zip|gz|tar|mp[34]|wav|mov|ipynb|parquet|lock|db)"
)
_ALSO: Final = r"(?!\w*-?\w*\d)(?![A-Z]{1,3}-[A-Z]{1,2}\s\d)"
"""No code goes on with a name: "Kennzeichen M-KX 2203"."""
_CAPITAL: Final = r"[^\W\d_a-zß-öø-ÿ](?:[\w.&]*\w)?(?:['’-][^\W\d_]+)*"

_FEW: Final = "(?:one|two|three|four|five|six|seven|eight|nine|ten)"
_OTHER_DAYS: Final = "(?:heute|morgen|gestern|demain|aujourd['’]hui|mañana|hoy|ayer|domani|oggi|ieri)"

TOKEN: Final = re.compile(
    "|".join(
        [
            r"(?P<block>```[^`]{1,4000}```)",
            r"(?P<code>`[^`\n]{1,400}`)",
            r"(?P<quoted>\"[^\"\n]{1,800}\"|“[^”]{1,800}”|«[^»]{1,800}»|「[^」]{1,400}」|„[^“”]{1,400}[“”]|‘[^’\n]{1,400}’"
            r"(?!\w)|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,400}'(?!\w))",
            r"(?P<url>https?://[^\s<>\"'`)\]，。]+|\bwww\.[^\s<>\"'`)\],]+)",
            r"(?P<email>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)",
            r"(?P<uuid>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)",
            r"(?P<datetime>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?)",
            r"(?P<date>\b\d{4}-\d\d-\d\d\b|\b(?:19|20)\d\d-(?:0[1-9]|1[0-2])\b(?![-\w])|\b\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d\d)\b|"
            rf"(?i:\b{_MONTH}\.?\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}}\b)?|"
            rf"\b\d{{1,2}}(?:st|nd|rd|th|er|\.)?(?:\s(?:of|de))?\s{_MONTH}\b(?:,?\s(?:de\s)?\d{{4}}\b)?|{_LONE_MONTH}|"
            rf"\b(?:today|tonight|tomorrow|yesterday|(?:(?:next|this|last|coming)\s)?{_DAY}|"
            r"(?:the\s)?day\s(?:after\stomorrow|before\syesterday)|(?:next|this|last)\s(?:week(?:end)?|month|year|quarter)|"
            rf"in\s(?:\d{{1,3}}|an?|{_FEW})\s(?:days?|weeks?|months?)|the\s\d{{1,2}}(?:st|nd|rd|th)(?=\s(?:at|from|for|until|to|and)\b|"
            rf"\W*$|[,.?!\n])|(?:the\s)?(?:(?:next|following)\sday|day\safter)(?!\x20\w)|{_OTHER_DAYS})\b)|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b(?=[\s,.?!]|$))",
            rf"(?P<time>(?i:\b(?:half|quarter)\s(?:past|to)\s(?:\d{{1,2}}|{_FEW}|eleven|twelve)(?:\s?[ap]\.?m\b)?|"
            rf"\b(?:\d{{1,2}}|{_FEW}|eleven|twelve)\s(?:o['’]clock(?:\s(?:in\sthe\s\w+))?|in\sthe\s(?:morning|afternoon|evening)|"
            r"at\snight)\b|\b\d{1,2}(?::\d\d)?\s?[ap]\.?m\b\.?|\b(?:noon|midnight)\b|\b\d{1,2}h\d\d\b)|\b\d{1,2}:\d\d(?::\d\d)?\b)",
            r"(?P<address>\b\d{1,4}[a-zA-Z]?\s(?:[A-Z][\w'’]+\s){1,3}?(?:Street|St|Road|Rd|Lane|Ln|Avenue|Ave|Row|Way|Drive|Dr|"
            r"Square|Close|Court|Boulevard|Blvd|Place|Terrace|Crescent|Gardens|Hill|Park|Quay|Mews|Walk|Alley)\b)",
            r"(?P<code_number>\b[A-Z]{2}\d{2}(?:\s[A-Z0-9]{4}){2,7}(?:\s[A-Z0-9]{1,3})?\b|\b[A-Z]{1,3}-[A-Z]{1,2}\s\d{1,4}\b|"
            r"\b[A-Z]{1,2}\d{1,2}[A-Z]?\s\d[A-Z]{2}\b|\b(?:[A-Z]{2,5}/)(?:\d+/)*\d+\b|\b\d{2,4}-[A-Z]{1,4}-\d+\b)",
            r"(?P<dice>\b\d{1,3}[dDwW]\d{1,3}\b(?:\s?[+-]\s?\d{1,3}\b)?)",
            r"(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}\b)",
            r"(?P<version>\bv\d+(?:\.\d+)*\b|\b\d+\.\d+\.\d+[\w.-]*)",
            r"(?P<domain>\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|ai|co|edu|gov|app|example|de|uk|fr|jp|info)\b(?![\w.-])"
            r"(?:/[^\s,]*)?)",
            rf"(?P<path>(?<!\S)[\w./-]*\*[\w*./-]+|(?<![\w/])(?:~|\.{{1,2}})?/(?:[\w.@+-]+/)*[\w.@*+-]*\w/?|\b[A-Za-z]:\\[^\s\"'<>|]+|"
            rf"(?<![\w/])\.?[\w-]+(?:[./][\w-]+)*\.{_EXTENSION}\b(?![./]\w)|(?<![\w/])[\w.-]+(?:/[\w.-]+)+/?|"
            rf"(?<![\w/])[\w.-]{{2,}}/(?=[\s,?!]|$))",
            r"(?P<file>(?<![\w/.])[\w-]{2,}\.[a-z][a-z0-9]{1,4}\b(?![.\w])|(?<![\w./])\.[a-z][\w-]{2,30}\b)",
            r"(?P<phone>(?<![\w.])(?:\+\d[\d ()-]{6,18}\d|\(?\d{3}\)?[ -]\d{3}[ -]?\d{4}|"
            r"0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4})\b)",
            r"(?P<id>#\d+\b|(?<![\w=(])[A-Z]{1,2}\d{1,4}:[A-Z]{1,2}\d{1,4}\b|\b\d{2,6}-\d{3,}\b|\b[A-Z][A-Z0-9]{0,9}[-_][A-Z0-9-]*\d[\w-]*|"
            r"\b(?!(?:day|week|month|page|top)-)[A-Za-z]{1,12}(?:[_-][A-Za-z0-9]{1,16}){0,3}[_-][A-Za-z0-9]*\d[\w-]*|"
            r"\b[A-Z]{1,12}\d[A-Z0-9]+\b|\b[A-Z]{1,4}\d+\b|\b\d{1,4}[A-Z][A-Z0-9]*\d\w*\b|\b[A-Z]\d?[A-Z]{1,4}\d[A-Z0-9]*\b|"
            r"\b\d{1,3}[abcdeABCDE]\b|\b[a-z]{1,3}\d{1,5}\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40}\b)",
            rf"(?P<span>(?i:\b(?:(?:a\s)?quarter|three\squarters|half)\s(?:of\s)?an\shour\b|\b(?:an?|{_FEW}|\d+)\s?(?:hours?|hrs?|h|minutes?|mins?|days?|weeks?)\s(?:and\s)?"
            r"(?:a\s(?:half|quarter)|\d{1,2}\s?(?:minutes?|mins?|m|seconds?|secs?|hours?)|thirty\sminutes)\b|\b\d{1,2}h\d\d\b))",
            r"(?P<expression>(?<![\w.-])\(?\d[\d.,]{0,15}\)?(?:\s?[+*/^×÷]\s?\(?\s?\d[\d.,]{0,15}\)?|\s-\s\(?\d[\d.]{0,15}\)?){1,20}(?![\w/]))",
            r"(?P<channel>(?<!\w)#[^\W\d][\w-]*)",
            r"(?P<handle>(?<!\w)@\w[\w-]*)",
            rf"(?P<money>[$€£¥₹]\s?(?:{_NUMBER})(?:\s?(?:k|m|million|billion|thousand)\b)?|"
            rf"\b(?:{_NUMBER})\s?(?:k\s)?(?:€|£|(?i:dollars?|euros?|pounds?|yen|rupees?|francs?|yuan|pesos?|kronor)\b|"
            rf"(?:{'|'.join(sorted(words.CURRENCY_CODES))})\b))",
            rf"(?P<percent>-?(?:{_NUMBER})\s?(?:%|(?i:percent)\b))",
            rf"(?P<number>(?<![\w.])-?(?:{_NUMBER})(?:\s?(?:million|billion|thousand)\b|k\b|(?=[a-zA-Z°%]{{0,4}}\b)))",
            r"(?P<symbol>\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b)",
            r"(?P<upper>\b[A-Z]{2,5}\b)",
            rf"(?P<name>(?:\b(?:(?:St|Dr|Mr|Mrs|Ms|Prof)\.\s)?{_CAPITAL})"
            rf"(?:\s(?:(?:of|de|del|do|du|di|van|von|da|la|the)\s){{0,2}}{_ALSO}{_CAPITAL}){{0,5}})",
        ]
    )
)


_DIGITS: Final = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_DECIMAL: Final = re.compile(r"-?\d+,\d{1,2}")


def span_of(text: str) -> tuple[float, str] | None:
    """How long "an hour and a half" is, in its first unit, and that unit."""
    parts = re.findall(r"\d+|[a-z]+", text.lower())
    if parts[-2:] == ["an", "hour"]:
        return {"half": 30, "three": 45}.get(parts[0], 15), "minute"
    amounts: list[tuple[float, str]] = []
    amount: float | None = None
    for part in parts:
        unit = words.singular_unit(part)
        if part.isdigit():
            amount = float(part)
        elif unit in words.SECONDS and amount is not None:
            amounts.append((amount, unit))
            amount = None
        elif part in ("half", "quarter") and amounts:
            amounts.append((0.5 if part == "half" else 0.25, amounts[0][1]))
            amount = None
        elif part in ("a", "an"):
            amount = 1.0
        elif part in words.NUMBER_WORDS:
            amount = words.NUMBER_WORDS[part]
    if amount is not None and amounts and parts[-1].isdigit():
        amounts.append((amount, "minute"))
    if not amounts:
        return None
    first = amounts[0][1]
    return sum(count * words.SECONDS[unit] for count, unit in amounts) / words.SECONDS[first], first


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """`text` is the value in words; `number` is set where it counts something, `unit` where that is named.

    `before` and `after` are the stems of the words around it in its sentence, the nearest first.
    """

    kind: str
    text: str
    start: int
    end: int
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    number: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What a text gives as `key: value`; `stems` are those of the key's words."""

    stems: frozenset[str]
    text: str
    start: int
    end: int


def number_of(text: str) -> float | None:
    match = _DIGITS.search(text)
    if match is None:
        return None
    digits = match[0]
    # A comma before one or two digits is a decimal one.
    number = float(digits.replace(",", ".") if _DECIMAL.fullmatch(digits) else digits.replace(",", ""))
    rest = text[match.end() :].strip().lower()
    for suffix, factor in (("k", 1e3), ("thousand", 1e3), ("million", 1e6), ("m", 1e6), ("billion", 1e9)):
        if rest == suffix:
            number *= factor
    # JSON has no larger whole numbers that every reader keeps.
    return number if abs(number) < 2**53 else None


def dice(text: str, start: int, end: int) -> list[Value]:
    """ "8d6" is eight dice of six sides."""
    count, sides, *more = re.findall(r"\d+", text[start:end])
    added = [
        Value("number", number, end - len(number), end, (), ("modifi", "bonu", "bonus", "plu"), int(number))
        for number in more
    ]
    middle = start + len(count)
    return [
        Value("number", count, start, middle, (), ("dice", "count", "die"), int(count)),
        Value("number", sides, middle + 1, middle + 1 + len(sides), (), ("side", "face", "sid"), int(sides)),
        *added,
        Value("id", text[start:end], start, end),
    ]
