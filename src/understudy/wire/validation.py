"""The schema stage of a request: is the body of the right shape, and if not, which one fault does the API report?

The real service validates with pydantic and reports one error with a dotted path. pydantic's own validators give the
same faults in the same order here; this module picks the first and turns its path and text into the API's.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from functools import lru_cache
from reprlib import Repr
from typing import Any, Final, Literal, NoReturn, TypeAlias, cast

import orjson
from pydantic_core import ErrorDetails, SchemaValidator, ValidationError

from .errors import InvalidRequestError
from .gates import Variant
from .schema import EXPECTED_OBJECT, EXPECTED_SHAPE, HIDDEN, SKIP, UNION_TAG, build_validator
from .versions import variant_of

Endpoint: TypeAlias = Literal["messages", "count_tokens"]

# An unknown key or tag is echoed; one of many megabytes is cut off [guess]. Longer than any text that was seen.
_LONGEST_MESSAGE = 8192

# Bytes of a body from which on the collector waits until it is parsed.
_LARGE: Final = 256 * 1024

_TEXTS = {
    "list_type": "Input should be a valid array",
    "dict_type": "Input should be an object",
    "model_attributes_type": "Input should be an object",
}
_SHAPE_TEXTS = {
    EXPECTED_SHAPE: "Input does not match the expected shape.",
    EXPECTED_OBJECT: "Input should be an object",
}


def parse_json(body: bytes) -> object:
    """The JSON value in `body`. Raises InvalidRequestError with the API's text, which is orjson's."""
    # Each of very many new objects would have the collector look through the others, which doubles the time.
    pausing = len(body) > _LARGE and gc.isenabled()
    if pausing:
        gc.disable()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise InvalidRequestError(f"The request body is not valid JSON: {exc}") from None
    finally:
        if pausing:
            gc.enable()


def validator(endpoint: Endpoint, version: str, betas: Iterable[str]) -> Validator:
    """The validator of `endpoint` under an API version and the betas of a request; built once, then remembered.

    Betas that change no shape share a validator. Raises ValueError for a version that does not exist.
    """
    return _validator(endpoint, variant_of(version, betas))


def takes_system_messages(model: str) -> bool:
    """What `check` supposes of a model when it is told nothing: that it is of today."""
    return True


class Validator:
    """The shape of one endpoint's body under one version and one set of betas."""

    def __init__(self, endpoint: Endpoint, variant: Variant) -> None:
        self.endpoint: Endpoint = endpoint
        self.variant = variant
        self._validator = _schema_validator(endpoint, variant)

    def check(self, body: object, mid_conversation_system: Callable[[str], bool] = takes_system_messages) -> None:
        """Raise InvalidRequestError with the fault that the API would report for `body`, a parsed JSON value.

        `body` is left as it is; one that is no object is answered without a path [guess].
        `mid_conversation_system` tells whether the model of that name takes system messages in a conversation: models
        that do answer an unknown role with another text. It is asked only about that.
        """
        fault = self.fault(body)
        if fault is not None:
            self.refuse(fault, body, mid_conversation_system)

    def fault(self, body: object) -> ErrorDetails | None:
        """The fault that is reported for `body`, as pydantic tells it."""
        try:
            self._validator.validate_python(body, context=[])
        except ValidationError as exc:
            return _first(exc.errors(include_url=False))
        return None

    def refuse(self, fault: ErrorDetails, body: object, mid_conversation_system: Callable[[str], bool]) -> NoReturn:
        """Raise `fault` of `body` in the API's words."""
        if _is_role(fault):
            message = _role_message(fault, mid_conversation_system(cast("dict[str, str]", body)["model"]))
        else:
            message = _message(fault)
        raise InvalidRequestError(message[:_LONGEST_MESSAGE])


@lru_cache(maxsize=128)
def _validator(endpoint: Endpoint, variant: Variant) -> Validator:
    return Validator(endpoint, variant)


def _schema_validator(endpoint: Endpoint, variant: Variant) -> SchemaValidator:
    # The types are many, and a process that never validates (a command, a gateway's worker) need not load them.
    from .requests.params import MessageCountTokensParams, MessageCreateParams

    cls: Any = MessageCreateParams if endpoint == "messages" else MessageCountTokensParams
    return build_validator(cls, variant)


def _first(errors: list[ErrorDetails]) -> ErrorDetails:
    """The first error that is reported: where a string or a list was due, only the list's branch is."""
    return next((error for error in errors if SKIP not in error["loc"]), errors[0])


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(part if isinstance(part, str) else str(part) for part in loc if not _hidden(part))


def _hidden(part: int | str) -> bool:
    return isinstance(part, str) and part.startswith(HIDDEN)


def _message(error: ErrorDetails) -> str:
    path, text = _path(error["loc"]), _text(error)
    if error["type"] == UNION_TAG and "type" not in error["input"]:
        path, text = f"{path}.type", "Field required"
    return f"{path}: {text}" if path else text


def _text(error: ErrorDetails) -> str:
    kind, loc, context = error["type"], error["loc"], error.get("ctx", {})
    if kind in _TEXTS:
        return _TEXTS[kind]
    if kind == "is_instance_of":
        return _SHAPE_TEXTS[context["class"]]
    if kind == UNION_TAG:
        return (
            f"Input tag '{_tag(error['input'].get('type'))}' found using 'type' does not match any of the expected "
            f"tags: {context['expected_tags']}"
        )
    if kind in ("greater_than_equal", "less_than_equal") and loc in (("temperature",), ("top_p",)):
        return "range: 0..1"
    if kind == "greater_than_equal" and loc == ("max_tokens",):
        return f"must be greater than or equal to {context['ge']}"
    return error["msg"]


_bounded = Repr()
_bounded.maxlevel, _bounded.maxlist, _bounded.maxdict, _bounded.maxstring = 8, 16, 16, 256


def _tag(tag: object) -> str:
    """A tag as Python prints it; what is no string may be as large and deep as the body."""
    return tag if isinstance(tag, str) else _bounded.repr(tag)


def _is_role(error: ErrorDetails) -> bool:
    path = [part for part in error["loc"] if not _hidden(part)]
    return error["type"] == "literal_error" and len(path) == 3 and path[0] == "messages" and path[2] == "role"


def _role_message(error: ErrorDetails, mid_conversation_system: bool) -> str:
    """Both wordings were observed in 2026: models from 4.8 on give the first, older ones the second."""
    role = error["input"]
    if not mid_conversation_system:
        return f"{_path(error['loc'])}: Input should be 'user' or 'assistant'"
    if not isinstance(role, str):
        return _message(error)
    return f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant"'
