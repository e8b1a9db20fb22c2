"""A chat completion's request as one of the Messages API.

Only what has another name or form there is looked at; the rest is judged by the API's own rules, whose texts then name
its own fields. Fields that the documentation calls ignored, and unknown ones, are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from understudy.engines.catalog import Model
from understudy.wire.errors import InvalidRequestError

from .messages import conversation
from .reading import a_string, an_array, an_object, refused
from .schemas import closed
from .tools import add_tools

_SAME: Final = ("model", "stream", "top_p", "thinking")
_LONGEST_USER: Final = 512
# Of a request that does not say [guess: the page is silent]. More than almost any answer has, and no more than what
# every model of today takes; models of which nothing is known may have less than the catalog supposes.
_DEFAULT_MAX_TOKENS: Final = 32_000


@dataclass(frozen=True, slots=True)
class Translated:
    """`include_usage`: the stream ends with a chunk of usage. `functions`: calls are answered as `function_call`."""

    request: dict[str, Any]
    include_usage: bool
    functions: bool


def translate(body: object, find: Callable[[str], Model | None]) -> Translated:
    """`find` gives the model of a name. Raises InvalidRequestError."""
    if not isinstance(body, dict):
        raise InvalidRequestError("Input does not match the expected shape.")
    asked = cast("dict[str, Any]", body)
    request: dict[str, Any] = {name: asked[name] for name in _SAME if asked.get(name) is not None}
    number: object = asked.get("n")
    if number is not None and (isinstance(number, bool) or number != 1):
        raise refused("n", "Only one choice is supported: n must be 1")
    if "messages" in asked:
        system, request["messages"] = conversation(asked["messages"])
        if system:
            request["system"] = system
    request["max_tokens"] = _max_tokens(asked, find)
    _add_stop(asked.get("stop"), request)
    temperature = asked.get("temperature")
    if temperature is not None:
        # Documented: what is above is capped.
        above = isinstance(temperature, int | float) and not isinstance(temperature, bool) and temperature > 1
        request["temperature"] = 1 if above else temperature
    functions = add_tools(asked, request)
    _add_format(asked.get("response_format"), request)
    user = asked.get("user")
    if isinstance(user, str) and 0 < len(user) <= _LONGEST_USER:
        request["metadata"] = {"user_id": user}
    return Translated(request, _include_usage(asked.get("stream_options")), functions)


def _max_tokens(asked: dict[str, Any], find: Callable[[str], Model | None]) -> Any:
    given = asked.get("max_completion_tokens")
    given = asked.get("max_tokens") if given is None else given
    if given is not None:
        return given
    name = asked.get("model")
    model = find(name) if isinstance(name, str) else None
    if model is None:
        return _DEFAULT_MAX_TOKENS
    # Prompt and max_tokens together must fit into the context window, which may be a small one.
    return max(min(model.max_tokens, _DEFAULT_MAX_TOKENS, model.max_input_tokens // 4), 1)


def _add_stop(stop: object, request: dict[str, Any]) -> None:
    if stop is None:
        return
    sequences = [a_string(one, "stop") for one in ([stop] if isinstance(stop, str) else an_array(stop, "stop"))]
    # Documented: all but those of white space work.
    working = [sequence for sequence in sequences if sequence and not sequence.isspace()]
    if working:
        request["stop_sequences"] = working


def _add_format(value: object, request: dict[str, Any]) -> None:
    """The page calls all of `response_format` ignored. A schema is carried out here, for that is what was asked for;
    an object of any form (`json_object`) has no like in the Messages API."""
    if value is None:
        return
    form = an_object(value, "response_format")
    kind = form.get("type")
    if kind in ("text", "json_object"):
        return
    if kind != "json_schema":
        raise refused("response_format.type", "Input should be 'text', 'json_object' or 'json_schema'")
    param = "response_format.json_schema"
    schema = an_object(an_object(form.get("json_schema"), param).get("schema"), f"{param}.schema")
    request["output_config"] = {"format": {"type": "json_schema", "schema": closed(schema)}}


def _include_usage(options: object) -> bool:
    return options is not None and an_object(options, "stream_options").get("include_usage") is True
