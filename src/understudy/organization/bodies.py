"""Bodies of the Admin API: small JSON objects, refused at their first fault in the API's words."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from understudy.http.body import read_json_body
from understudy.http.exchange import Exchange
from understudy.wire.errors import InvalidRequestError
from understudy.wire.validation import parse_json

STRICT: Final = ConfigDict(extra="forbid", strict=True)
"""`__pydantic_config__` of bodies: unknown fields are refused, and no value is taken for another."""

_MOST_BYTES: Final = 1024 * 1024
_LONGEST_MESSAGE: Final = 2_000
_TEXTS: Final = {
    "list_type": "Input should be a valid array",
    "dict_type": "Input should be an object",
}

_T = TypeVar("_T")


def _printable(text: str) -> str:
    # Line feeds and escapes would end up in terminals and logs.
    if not text.isprintable():
        raise ValueError("must be printable characters")
    return text


def _name(text: str) -> str:
    if not 1 <= len(text) <= 500:
        raise ValueError("must be 1 to 500 characters")
    return _printable(text)


_EMAIL: Final = re.compile(
    r"[^\s@<>()\[\]\\,;:\"]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)


def _email(text: str) -> str:
    if len(text) > 254 or not text.isprintable() or not _EMAIL.fullmatch(text):
        raise ValueError("value is not a valid email address")
    return text


Printable = Annotated[str, AfterValidator(_printable)]
Name = Annotated[str, AfterValidator(_name)]
Email = Annotated[str, AfterValidator(_email)]


class Shape(Generic[_T]):
    """What a body or a query is like. Its validator is made when it is first needed: each takes a millisecond."""

    def __init__(self, of: type[_T]) -> None:
        self._of = of

    @cached_property
    def adapter(self) -> TypeAdapter[_T]:
        return TypeAdapter(self._of)


async def read_body(exchange: Exchange, params: Shape[_T], most_bytes: int = _MOST_BYTES) -> _T:
    """The request's JSON body, checked. Raises InvalidRequestError for its first fault."""
    return check(parse_json(await read_json_body(exchange, most_bytes)), params)


def check(body: object, params: Shape[_T]) -> _T:
    """`body`, a parsed JSON value, as `params` has it."""
    try:
        return params.adapter.validate_python(body)
    except ValidationError as exc:
        error: Any = exc.errors(include_url=False)[0]
        path = ".".join(str(part) for part in error["loc"])
        # What pydantic puts before the words of an error raised here.
        text: str = _TEXTS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
        raise InvalidRequestError((f"{path}: {text}" if path else text)[:_LONGEST_MESSAGE]) from None
