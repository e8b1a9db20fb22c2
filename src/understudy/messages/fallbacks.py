"""`fallbacks` of a request: which models answer where the requested one declines, and what each of them is asked.

Sources: refusals-and-fallback.md (2026-08), the documentation of the official SDK's BetaFallbackParam (2.12). The words
of the errors were not seen [guess].
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from understudy.engines.catalog import Model
from understudy.engines.routing import Route
from understudy.messages.budgets import task_budget_fault
from understudy.messages.rules import Found, check_request
from understudy.messages.rules.blocks import other_block
from understudy.messages.rules.thinking import effort_fault
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.server_tools import CALLS, RESULTS

MOST: Final = 3
DEFAULT: Final = "default"

# "The date 2026-07-01 supports both, 2026-06-01 accepts only the explicit list."
NEWEST: Final = "server-side-fallback-2026-07-01"
BETAS: Final = frozenset({NEWEST, "server-side-fallback-2026-06-01"})

NOT_IN_BATCHES: Final = "fallbacks: `fallbacks` is not supported on the Message Batches API."

_ANSWERS: Final = RESULTS | {"mcp_tool_result"}

_Request: TypeAlias = dict[str, Any]
_Find: TypeAlias = Callable[[str], Route | None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """`request` is what the model of `route` is asked, as it would be asked directly; `found` is what is in it.
    `continues`: its last message is what others have said of the answer before they declined."""

    route: Route
    request: _Request
    found: Found
    continues: bool = False


def attempts_of(
    request: _Request, model: Model, find: _Find, version: str, betas: Collection[str], *, batch: bool = False
) -> list[Attempt]:
    """The attempts after the first, in their order; none where the request has no `fallbacks`.

    Raises InvalidRequestError for a list that may not be, and for a request that one of its models would refuse;
    NotFoundError for a model that is none.
    """
    fallbacks: Literal["default"] | list[_Request] | None = request.get("fallbacks")
    if not fallbacks:
        return []
    if batch:
        raise InvalidRequestError(NOT_IN_BATCHES)
    if fallbacks == DEFAULT:
        if NEWEST not in betas:
            raise InvalidRequestError(f"fallbacks: 'default' requires the `{NEWEST}` value in `anthropic-beta`.")
        return _default(request, model, find, version, betas)
    return _named(request, fallbacks, model, find, version, betas)


def _default(request: _Request, model: Model, find: _Find, version: str, betas: Collection[str]) -> list[Attempt]:
    """The service's own choice "is not published", and goes by the refusal's category: here it is the list of permitted
    models [guess]. One that cannot answer this request "is dropped from the routing instead" of refusing it."""
    attempts: list[Attempt] = []
    for name in model.allowed_fallback_models[:MOST]:
        route = find(name)
        if route is None or route.model.id == model.id:
            continue
        try:
            attempts.append(_attempt(request, {}, route, version, betas))
        except InvalidRequestError:
            continue
    return attempts


def _named(
    request: _Request, fallbacks: list[_Request], model: Model, find: _Find, version: str, betas: Collection[str]
) -> list[Attempt]:
    if len(fallbacks) > MOST:
        raise InvalidRequestError(
            f"fallbacks: List should have at most {MOST} items after validation, not {len(fallbacks)}"
        )
    if not model.allowed_fallback_models:
        raise InvalidRequestError(f"fallbacks: {model.id} does not support fallbacks.")
    attempts: list[Attempt] = []
    seen = {model.id}
    for place, entry in enumerate(fallbacks):
        path, name = f"fallbacks.{place}", entry["model"]
        route = find(name)
        if route is None:
            raise NotFoundError(f"{path}.model: {name[:200]}")
        if route.model.id in seen:
            same = "the requested model" if route.model.id == model.id else "an earlier entry"
            raise InvalidRequestError(f"{path}.model: {name} is the same model as {same}.")
        seen.add(route.model.id)
        if route.model.id not in model.allowed_fallback_models:
            allowed = ", ".join(model.allowed_fallback_models)
            raise InvalidRequestError(
                f"{path}.model: {name} is not a permitted fallback for {model.id}. Permitted: {allowed}"
            )
        try:
            attempts.append(_attempt(request, entry, route, version, betas))
        except InvalidRequestError as error:
            # "The request must be valid as a direct request to every model named."
            raise InvalidRequestError(f"{path}: {error.message}") from None
    return attempts


def _attempt(request: _Request, entry: _Request, route: Route, version: str, betas: Collection[str]) -> Attempt:
    asked = asked_of(request, entry, route.model)
    return Attempt(route, asked, check_request(asked, route.model, version, betas))


def carried(content: list[_Request]) -> list[_Request]:
    """What the next model sees of an answer that was broken off: "only the `text` blocks", and "completed tool results
    carry over" with their calls."""
    answered = {block["tool_use_id"] for block in content if block["type"] in _ANSWERS}
    return [
        block
        for block in content
        if block["type"] in _ANSWERS
        or (block["type"] == "text" and block["text"])
        or (block["type"] in CALLS and block["id"] in answered)
    ]


def may_begin(content: list[_Request]) -> list[_Request]:
    """What was carried over as an answer may begin: its last text does not end in white space."""
    if not content or content[-1]["type"] != "text":
        return content
    text = content[-1]["text"].rstrip()
    return [*content[:-1], {**content[-1], "text": text}] if text else may_begin(content[:-1])


def continued(attempt: Attempt, said: list[_Request], container: _Request | None) -> Attempt:
    """The attempt that goes on from what others have said before they declined, in the container in which they worked.
    What their tools have brought is read as in any conversation that is sent back."""
    request, model, found = attempt.request, attempt.route.model, copy(attempt.found)
    index = len(request["messages"])
    for place, block in enumerate(said):
        if block["type"] != "text":
            other_block(found, block, block["type"], "assistant", index, place, model, documents_anywhere=True)
    request = {**request, "messages": [*request["messages"], {"role": "assistant", "content": said}]}
    if container is not None:
        given = cast("str | _Request | None", request.get("container"))
        request["container"] = {**given, "id": container["id"]} if isinstance(given, dict) else container["id"]
    return Attempt(attempt.route, request, found, continues=True)


def asked_of(request: _Request, entry: _Request, model: Model) -> _Request:
    """The request as `model` is asked it, with what `entry` says for it. A field that the entry leaves out is taken
    over as far as the model knows it; null is the model's own default.

    Documented for the beta of 2026-07; that of 2026-06 is taken to do the same [guess].
    """
    asked = {name: value for name, value in request.items() if name != "fallbacks"}
    asked["model"] = model.id
    if entry.get("max_tokens") is not None:
        asked["max_tokens"] = entry["max_tokens"]
    _put(asked, "thinking", _thinking(request.get("thinking"), entry, model))
    thinking = asked.get("thinking")
    config = _output_config(request, entry, model, None if thinking is None else thinking["type"])
    _put(asked, "output_config", config)
    if "output_config" in entry and entry["output_config"] is None:
        asked.pop("output_format", None)
    speed = entry.get("speed")
    if "speed" not in entry and request.get("speed") == "fast" and model.fast_mode:
        speed = "fast"
    _put(asked, "speed", speed)
    return asked


def _put(asked: _Request, name: str, value: Any) -> None:
    if value is None:
        asked.pop(name, None)
    else:
        asked[name] = value


def _thinking(of_request: _Request | None, entry: _Request, model: Model) -> _Request | None:
    kinds = model.capabilities.thinking
    if entry.get("thinking") is not None:
        return entry["thinking"]
    if of_request is None:
        return None
    if "thinking" not in entry:
        if of_request["type"] in kinds:
            return of_request
        if of_request["type"] == "between_tools" and "disabled" in kinds:
            return {"type": "disabled"}
    # "The request's `thinking.display` still applies where `model` allows it."
    if model.thinks_by_default and of_request.get("display"):
        return {"type": "adaptive", "display": of_request["display"]}
    return None


def _output_config(request: _Request, entry: _Request, model: Model, thinking: str | None) -> _Request | None:
    given: _Request | None = request.get("output_config")
    if "output_config" in entry and entry["output_config"] is None:
        return None
    config: _Request = dict(given or {})
    # What the request says holds as far as the model can do it; what the entry says is judged as it stands.
    effort, budget = config.get("effort"), config.get("task_budget")
    if effort is not None and effort_fault(effort, thinking, model) is not None:
        del config["effort"]
    if budget is not None and task_budget_fault(budget, model) is not None:
        del config["task_budget"]
    for name, value in cast("_Request", entry.get("output_config") or {}).items():
        _put(config, name, value)
    return config or None
