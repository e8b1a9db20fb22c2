"""Reading an OpenAI request: what every part of the translation asks of a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from understudy.wire.errors import InvalidRequestError


def refused(param: str, message: str) -> InvalidRequestError:
    """The 400 about `param`, a path in the words of the request: `messages.0.content`."""
    return InvalidRequestError(f"{param}: {message}", details={"param": param})


def an_object(value: object, param: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refused(param, "Input should be an object")
    return cast("dict[str, Any]", value)


def an_array(value: object, param: str) -> list[Any]:
    if not isinstance(value, list):
        raise refused(param, "Input should be an array")
    return cast("list[Any]", value)


def objects(value: object, param: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of an array, each with its path."""
    for index, each in enumerate(an_array(value, param)):
        path = f"{param}.{index}"
        yield path, an_object(each, path)


def a_string(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise refused(param, "Input should be a string")
    return value
