"""Small sums, worked out without evaluating code."""

from __future__ import annotations

import re
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

_WORDS = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "multiplied by": "*",
    "divided by": "/",
    "over": "/",
    "×": "*",
    "÷": "/",
    "−": "-",
}
_SIGNS = ("+", "-", "*", "/", " x ", *_WORDS)
_EXPRESSION = re.compile(r"[-+]?[\d(][\d\s.()+*/-]{1,200}[\d)]")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[-+*/()]")


class _NotASumError(Exception):
    pass


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def whole(self) -> Decimal:
        value = self._sum(0)
        if self._place != len(self._tokens):
            raise _NotASumError
        return value

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._place += 1
        return token

    def _sum(self, depth: int) -> Decimal:
        value = self._product(depth)
        while self._peek() in {"+", "-"}:
            value = value + self._product(depth) if self._take() == "+" else value - self._product(depth)
        return value

    def _product(self, depth: int) -> Decimal:
        value = self._factor(depth)
        while self._peek() in {"*", "/"}:
            value = value * self._factor(depth) if self._take() == "*" else value / self._factor(depth)
        return value

    def _factor(self, depth: int) -> Decimal:
        if depth > 20:
            raise _NotASumError
        symbol = self._take()
        if symbol == "-":
            return -self._factor(depth + 1)
        if symbol == "+":
            return self._factor(depth + 1)
        if symbol == "(":
            value = self._sum(depth + 1)
            if self._take() != ")":
                raise _NotASumError
            return value
        if not symbol or not symbol[0].isdigit():
            raise _NotASumError
        return Decimal(symbol)


def _may_hold_a_sum(text: str) -> bool:
    """Whether a sign stands between what may be numbers. Most texts have none, and are not looked at any further."""
    for sign in _SIGNS:
        place = text.find(sign)
        while place > 0:
            before = text[max(0, place - 8) : place].rstrip()[-1:]
            after = text[place + len(sign) : place + len(sign) + 8].lstrip()[:1]
            if (before.isdigit() or before == ")") and (after.isdigit() or after in {"(", "-", "+"}):
                return True
            place = text.find(sign, place + 1)
    return False


def work_out(text: str) -> tuple[str, str] | None:
    """The first sum in `text` and its result, both as text; None where there is none."""
    if len(text) > 2_000 or not _may_hold_a_sum(text):
        return None
    for word, sign in _WORDS.items():
        text = text.replace(word, sign)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"(?<=\d)\s*x\s*(?=\d)", " * ", text)
    for match in _EXPRESSION.finditer(text):
        expression = match.group().strip()
        if not re.search(r"\d\s*[-+*/]\s*[-+(]*\d", expression) or re.search(r"\d\s+\d", expression):
            continue
        if re.fullmatch(r"\d{1,4}-\d{1,2}(-\d{1,2})?|[\d-]{7,}", expression):
            continue  # A date or a telephone number.
        try:
            with localcontext() as context:
                context.prec = 28
                value = _Parser(_TOKEN.findall(expression)).whole()
        except (_NotASumError, DivisionByZero, InvalidOperation, Overflow):
            continue
        result = f"{value.normalize():f}" if value == value.to_integral() else f"{value:.6f}".rstrip("0")
        return " ".join(_TOKEN.findall(expression)).replace("( ", "(").replace(" )", ")"), result
    return None
