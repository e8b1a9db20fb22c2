"""Signs the thinking of one answer, block by block."""

from __future__ import annotations

from typing import Any, cast

from understudy.engines.catalog import Model

from .models import checks_prefix
from .prefix import THINKING, Prefix
from .signer import Place, Signer, block_id


class Seals:
    """`request` is the one that is answered, as the client sent it: before context editing, and with all its thinking.

    Costs nothing before the first block is signed.
    """

    __slots__ = ("_compacted", "_model", "_ordinal", "_organization_id", "_prefix", "_previous", "_request", "_signer")

    def __init__(self, signer: Signer, model: Model, organization_id: str, request: dict[str, Any]) -> None:
        self._signer = signer
        self._model = model
        self._organization_id = organization_id
        self._request = request
        self._prefix = b""
        self._previous = b""
        self._ordinal = 0
        self._compacted = False

    def compacted(self) -> None:
        """The answer has a summary now of all before it, which is no longer what its thinking comes after."""
        self._compacted = True
        if self._ordinal:
            self._prefix = self._digest()

    def sign(self, thinking: str, shown: str) -> str:
        """The signature of a thinking block of which the client sees `shown`: all, or nothing."""
        signature = self._signer.sign(
            thinking, model=self._model, organization_id=self._organization_id, place=self._place(), shown=shown
        )
        return self._made(signature)

    def seal(self, thinking: str) -> str:
        """The data of a redacted_thinking block."""
        data = self._signer.seal(
            thinking, model=self._model, organization_id=self._organization_id, place=self._place()
        )
        return self._made(data)

    def _place(self) -> Place:
        if not self._ordinal:
            messages = cast("list[dict[str, Any]]", self._request["messages"])
            self._previous = last_block_id(messages)
            self._prefix = self._digest()
        return Place(self._prefix, self._previous, self._ordinal)

    def _digest(self) -> bytes:
        if not checks_prefix(self._model.id):
            return b""
        prefix = Prefix(self._request)
        if not self._compacted:
            for message in cast("list[dict[str, Any]]", self._request["messages"]):
                prefix.add(message)
        return prefix.digest()

    def _made(self, signature: str) -> str:
        self._previous = block_id(signature)
        self._ordinal += 1
        return signature


def last_block_id(messages: list[dict[str, Any]]) -> bytes:
    """Of the last thinking block in a conversation; empty where there is none. What a model thought that declined then
    is none of it: those who went on have not seen it, and clients leave it out."""
    for message in reversed(messages):
        content = message.get("content")
        if message["role"] == "assistant" and isinstance(content, list):
            for block in reversed(cast("list[dict[str, Any]]", content)):
                if block["type"] in THINKING:
                    return block_id(signature_of(block))
                if block["type"] == "fallback":
                    break
    return b""


def signature_of(block: dict[str, Any]) -> str:
    """What proves a thinking block: its `signature`, or the `data` of a redacted one."""
    return block["signature" if block["type"] == "thinking" else "data"]
