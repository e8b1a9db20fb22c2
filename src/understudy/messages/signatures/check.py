"""What becomes of the thinking that a request brings back: kept, dropped, or the 400 that clients know.

Sources: platform.claude.com/docs build-with-claude/preserved-thinking (2026-09 to 2026-11); errors and answers observed
on the service, 2026-05 to 2026-10.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast

from understudy.engines.catalog import Model
from understudy.wire.errors import InvalidRequestError

from .models import checks_prefix, reads
from .prefix import THINKING, Prefix, difference, is_summary
from .seals import signature_of
from .signer import Opened, Signer, block_id

BETA: Final = "thinking-binding-controls-2026-08-01"

Where: TypeAlias = tuple[int, int]
"""A block: the index of its message and its place in that message's content."""

_Block: TypeAlias = dict[str, Any]
_Reason: TypeAlias = Literal["model_binding_mismatch", "prefix_binding_mismatch"]

# The second was observed like the first, only less often.
_INVALID: Final = {
    "thinking": "Invalid `signature` in `thinking` block",
    "redacted_thinking": "Invalid `data` in `redacted_thinking` block",
}
_OTHER_CONVERSATION: Final = (
    ". The block is bound to a different conversation. Remove the block, or set "
    '`thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)
_NEEDS_BETA: Final = f" That setting requires the `{BETA}` value in the `anthropic-beta` header."
_PREDECESSOR_MISSING: Final = (
    " The `thinking` block that preceded this one when it was created is missing from this request."
)
_MODIFIED: Final = (
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must "
    "remain as they were in the original response."
)


@dataclass(slots=True)
class Checked:
    """A request whose thinking was looked at.

    `request` is what a model here may read: without dropped and foreign blocks, and with the thinking back in its place
    that the client saw nothing of. It is the very object that came where nothing had to change. `ours` are blocks that
    were signed here, `foreign` those that a Claude upstream may have signed, both as places in the request that came.
    `transformations` is the answer's `input_transformations`; None where the answer has no such field.
    """

    request: dict[str, Any]
    transformations: list[dict[str, str]] | None = None
    ours: list[Where] = field(default_factory=list[Where])
    foreign: list[Where] = field(default_factory=list[Where])


def check(
    request: dict[str, Any],
    *,
    signer: Signer,
    model: Model,
    organization_id: str,
    betas: Collection[str] = (),
    foreign_ok: bool = False,
    batch: bool = False,
) -> Checked:
    """Look at every thinking block of a validated request for `model`.

    `foreign_ok`: a target of this request is a Claude upstream, so blocks that were not signed here are marked and left
    out; without it they are refused. `batch`: in a batch a block bound to another conversation is dropped unless the
    request says otherwise. Raises InvalidRequestError.
    """
    checked = Checked(request, no_transformations(model, betas))
    reported: list[dict[str, str]] = [] if checked.transformations is None else checked.transformations
    last = last_with_thinking(request["messages"])
    if last < 0:
        return checked
    walk = _Walk(request, last, signer, model, organization_id, foreign_ok)
    drops = _drops(request, batch=batch)
    dropping = False
    for where, block in walk.thinking():
        opened = walk.open(where, block)
        reason: _Reason | None = None
        if opened is None:
            checked.foreign.append(where)
            # It is not read here, which is what the service calls a model that cannot read a block [guess].
            reason = "model_binding_mismatch"
        else:
            checked.ours.append(where)
            if not reads(model, opened.model):
                reason = "model_binding_mismatch"
            else:
                fault = walk.prefix_fault(opened)
                if fault is not None and not drops:
                    needs = "" if BETA in betas else _NEEDS_BETA
                    raise _refusal(where, _INVALID[block["type"]] + _OTHER_CONVERSATION + needs + fault)
                # "The API drops each failing block and every thinking block after it."
                dropping = dropping or fault is not None
                if dropping:
                    reason = "prefix_binding_mismatch"
        if reason is None:
            walk.keep(where, block, cast("Opened", opened))
        else:
            reported.append({"type": "thinking_dropped", "path": _path(where), "reason": reason})
            walk.changes[where] = None
        walk.passed(block)
    if walk.changes:
        checked.request = _changed(request, walk.changes)
    return checked


def no_transformations(model: Model, betas: Collection[str]) -> list[dict[str, str]] | None:
    """`input_transformations` of a request without thinking: "under the beta header, every response from a
    thinking-capable model carries" it; None where the answer has no such field."""
    return [] if BETA in betas and model.capabilities.thinks else None


def last_with_thinking(messages: list[_Block]) -> int:
    """The index of the last message that holds thinking; -1 where none does."""
    for index in range(len(messages) - 1, -1, -1):
        content = messages[index].get("content")
        if content.__class__ is list:
            for block in cast("list[_Block]", content):
                if block["type"] in THINKING:
                    return index
    return -1


def leave_out(request: dict[str, Any], places: Collection[Where]) -> dict[str, Any]:
    """A copy of the request without the blocks at `places`; `request` itself where there are none.

    For a Claude upstream: it takes what others signed and refuses what was signed here.
    """
    return _changed(request, dict.fromkeys(places)) if places else request


def _path(where: Where) -> str:
    return f"messages.{where[0]}.content.{where[1]}"


def _refusal(where: Where, text: str) -> InvalidRequestError:
    return InvalidRequestError(f"{_path(where)}: {text}")


def _drops(request: dict[str, Any], *, batch: bool) -> bool:
    """Whether a block bound to another conversation is dropped; else it is an error, which is the default."""
    thinking: dict[str, Any] = request.get("thinking") or {}
    binding: dict[str, Any] = thinking.get("block_binding") or {}
    behavior = binding.get("prefix_mismatch_behavior")
    return batch if behavior is None else behavior == "drop_block"


class _Walk:
    """The way through the conversation, with what the next block is compared with."""

    def __init__(
        self,
        request: dict[str, Any],
        last: int,
        signer: Signer,
        model: Model,
        organization_id: str,
        foreign_ok: bool,
    ) -> None:
        self._messages = cast("list[_Block]", request["messages"])
        self._last = last
        self._signer = signer
        self._organization_id = organization_id
        self._foreign_ok = foreign_ok
        self._prefix = Prefix(request) if checks_prefix(model.id) else None
        self._previous: bytes | None = None
        self._latest = max((at for at, each in enumerate(self._messages) if each["role"] == "assistant"), default=-1)
        self._before: tuple[Where, bytes] | None = None
        # The last block of thinking before the message at hand.
        self._entered: bytes | None = None
        self.changes: dict[Where, _Block | None] = {}

    def thinking(self) -> Iterator[tuple[Where, _Block]]:
        for index, message in enumerate(self._messages[: self._last + 1]):
            content = message.get("content")
            self._entered = self._previous
            if isinstance(content, list):
                for place, block in enumerate(cast("list[_Block]", content)):
                    if block["type"] in THINKING:
                        yield (index, place), block
                    elif block["type"] == "fallback":
                        # The model that goes on saw no thinking of the one that declined.
                        self._previous, self._before = self._entered, None
                    elif self._prefix is not None and is_summary(block):
                        # What is thought behind it in the same answer.
                        self._prefix.compacted()
            if self._prefix is not None:
                self._prefix.add(message)

    def open(self, where: Where, block: _Block) -> Opened | None:
        """None for a block that was not signed here and may be somebody else's."""
        kind, signature = block["type"], signature_of(block)
        opened = self._signer.open(kind, signature, block.get("thinking") or "", self._organization_id)
        if opened is None:
            if not self._foreign_ok or self._signer.is_damaged(signature):
                raise _refusal(where, _INVALID[kind])
        elif where[0] == self._latest and self._modified(where, opened):
            raise _refusal(where, _MODIFIED)
        if where[0] == self._latest:
            self._before = (where, block_id(signature))
        return opened

    def _modified(self, where: Where, opened: Opened) -> bool:
        """Whether a block of the latest assistant message stands elsewhere than it did in its answer."""
        if opened.place.ordinal:
            return self._before is None or self._before[1] != opened.place.previous
        # The first of another answer's: side by side they are no answer that there ever was (observed).
        return self._before is not None and self._before[0] == (where[0], where[1] - 1)

    def prefix_fault(self, opened: Opened) -> str | None:
        """What differs before the block: a sentence, which may be empty; None where nothing does."""
        place = opened.place
        if self._prefix is None or not place.prefix:
            return None
        fault = difference(place.prefix, self._prefix.digest())
        # Thinking may be taken away from the front, never from the middle.
        if fault is None and self._previous is not None and self._previous != place.previous:
            return _PREDECESSOR_MISSING
        return fault

    def passed(self, block: _Block) -> None:
        self._previous = block_id(signature_of(block))

    def keep(self, where: Where, block: _Block, opened: Opened) -> None:
        """Give omitted thinking its text back; what the client wrote in its place is ignored (documented)."""
        if opened.omitted and block["thinking"] != (opened.text or ""):
            self.changes[where] = {**block, "thinking": opened.text or ""}


def _changed(request: dict[str, Any], changes: dict[Where, _Block | None] | dict[Where, None]) -> dict[str, Any]:
    """A copy with other blocks at some places, or none. A message that has no block left goes too, but not the last."""
    touched = {index for index, _ in changes}
    messages: list[_Block] = []
    for index, message in enumerate(cast("list[_Block]", request["messages"])):
        if index not in touched:
            messages.append(message)
            continue
        blocks = [
            changes.get((index, place), block) for place, block in enumerate(cast("list[_Block]", message["content"]))
        ]
        content = [block for block in blocks if block is not None]
        if content or index == len(request["messages"]) - 1:
            messages.append({**message, "content": content})
    return {**request, "messages": messages}
