"""A word that stands nowhere else, and where it comes out: the prompt, or the text of a refusal."""

from __future__ import annotations

from typing import Any, Final

from understudy.engines.catalog import Catalog, Model
from understudy.messages.counting.prompt import Prompt
from understudy.messages.rules import Found
from understudy.messages.rules.conversation import walk_messages
from understudy.messages.rules.found import SYSTEM_KINDS
from understudy.messages.rules.tools import walk_tools
from understudy.messages.unbuilt import check_built
from understudy.wire.errors import InvalidRequestError
from understudy.wire.validation import validator
from understudy.wire.versions import BETAS

CANARY: Final = "zanzibar7quokka"
OPENING_BETAS: Final = tuple(beta.name for beta in BETAS.values() if beta.effect == "request")

_CATALOG: Final = Catalog()
_SHAPE: Final = validator("messages", "2023-06-01", OPENING_BETAS)


def model_of(name: str) -> Model:
    model = _CATALOG.find(name)
    assert model is not None
    return model


MODEL: Final = model_of("claude-opus-5-5")
OLD_MODEL: Final = model_of("claude-sonnet-4-5")


def refusal(request: dict[str, Any]) -> str | None:
    """Why a request is refused by its shape, or because it asks for what is not built."""
    return misshapen(request) or unbuilt(request)


def misshapen(request: dict[str, Any]) -> str | None:
    try:
        _SHAPE.check(request)
    except InvalidRequestError as error:
        return error.message
    return None


def unbuilt(request: dict[str, Any]) -> str | None:
    try:
        check_built(request, _found(request))
    except InvalidRequestError as error:
        return error.message
    return None


def wrong_in_system(request: dict[str, Any]) -> bool:
    """Whether a system message holds a block that the rules refuse there."""
    return _found(request).shape_rank == SYSTEM_KINDS


def _found(request: dict[str, Any]) -> Found:
    """What the rules note, for requests too that break some of them."""
    found = Found()
    walk_tools(request.get("tools") or [], found, MODEL)
    walk_messages(request["messages"], found, MODEL, cited_user_text=True)
    return found


def names(message: str, path: str) -> bool:
    """Whether the text of a refusal names the field at `path`, or the part of the request that it belongs to."""
    location = message.split(": ")[0].split(".")
    wanted = ["0" if part == "*" else part for part in path.split(".")]
    if location == wanted:
        return True
    return location == wanted[: len(location)] and (CANARY in message or "does not support" in message)


def prompt_texts(request: dict[str, Any], model: Model = MODEL) -> list[str]:
    """The texts that a model reads, as they are counted."""
    prompt = Prompt(request, model)
    prompt.read_front()
    _read_waiting(prompt)
    prompt.end_front()
    for message in request["messages"]:
        prompt.read_message(message)
        _read_waiting(prompt)
    prompt.end_messages()
    _read_waiting(prompt)
    return prompt.texts


def _read_waiting(prompt: Prompt) -> None:
    while prompt.waiting:
        items, read = prompt.waiting.pop()
        for item in items:
            for _ in read(item) or ():
                pass


def prompted(request: dict[str, Any], model: Model = MODEL) -> bool:
    return any(CANARY in text for text in prompt_texts(request, model))
