"""What is judged, and changed, of a request before it is passed on to a Claude upstream."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias, cast

from understudy.messages.signatures import Signer, leave_out
from understudy.wire.errors import InvalidRequestError

Endpoint: TypeAlias = Literal["messages", "count_tokens"]

# What a request must have, in the order in which the API misses it.
_REQUIRED: Final[dict[Endpoint, tuple[str, ...]]] = {
    "messages": ("model", "messages", "max_tokens"),
    "count_tokens": ("model", "messages"),
}


def check_forwarded(body: object, endpoint: Endpoint) -> dict[str, Any]:
    """The object of a request that is passed on. Raises InvalidRequestError in the API's words for what it lacks."""
    if not isinstance(body, dict):
        raise InvalidRequestError("Input does not match the expected shape.")
    request = cast("dict[str, Any]", body)
    for name in _REQUIRED[endpoint]:
        if name not in request:
            raise InvalidRequestError(f"{name}: Field required")
        if name == "model" and not isinstance(request[name], str):
            raise InvalidRequestError("model: Input should be a valid string")
        if name == "messages" and not isinstance(request[name], list):
            raise InvalidRequestError("messages: Input should be a valid array")
    return request


class Issuers:
    """Tells who signed thinking."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def without_ours(self, request: dict[str, Any], organization_id: str) -> dict[str, Any]:
        """The request without thinking that was signed here. Raises InvalidRequestError where such is damaged."""
        ours: list[tuple[int, int]] = []
        # A long history is looked through for every request: JSON is made of these very classes.
        for index, message in enumerate(cast("list[Any]", request["messages"])):
            content: Any = message.get("content") if message.__class__ is dict else None
            if content.__class__ is not list:
                continue
            for place, block in enumerate(content):
                kind: Any = block.get("type") if block.__class__ is dict else None
                if kind == "thinking":
                    signature, text = block.get("signature"), block.get("thinking")
                elif kind == "redacted_thinking":
                    signature, text = block.get("data"), ""
                else:
                    continue
                if not isinstance(signature, str) or not isinstance(text, str):
                    continue
                if self._signer.open(kind, signature, text, organization_id) is not None:
                    ours.append((index, place))
                elif self._signer.is_damaged(signature):
                    name = "signature" if kind == "thinking" else "data"
                    raise InvalidRequestError(f"messages.{index}.content.{place}: Invalid `{name}` in `{kind}` block")
        return leave_out(request, ours)
