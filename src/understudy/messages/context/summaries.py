"""The `compaction` parameter of compact-2026-09-04, and the signed blocks that come of it.

A request with it asks for a summary of the whole conversation and for nothing else; the block then stands first in
later requests. Nothing was recorded and the documentation has no page of it: shapes, rules and error codes are those of
the official SDK's types (2.12), wordings are ours [guess].
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from understudy.engines.catalog import Model
from understudy.messages.rules import Found
from understudy.messages.signatures import Signer
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import canonical_json
from understudy.wire.output_format import output_format_of

from .compaction import Compaction, instructions_or_ours, most_tokens

BETA: Final = "compact-2026-09-04"

_Block: TypeAlias = dict[str, Any]

_CHANGES: Final = frozenset({"tool_addition", "tool_removal"})


@dataclass(frozen=True, slots=True)
class Summaries:
    """Signs the summaries of one request, and knows those that were signed for its organization."""

    signer: Signer
    model: Model
    organization_id: str
    request: _Block

    def asked(self, found: Found) -> Compaction:
        """The compaction of a request with the parameter. Raises InvalidRequestError."""
        self._check(found)
        asked: _Block = self.request["compaction"]
        instructions = instructions_or_ours(asked.get("instructions"))
        return Compaction(0, instructions, True, most_tokens(self.model), self.members)

    def members(self, content: str) -> _Block:
        """What stands in the block beside a summary."""
        changes = tool_changes(self.request["messages"])
        # Sealed, each part for itself, so that it can be told which of them was changed.
        digests = f"{_digest(content)} {_digest(changes)}"
        signature = self.signer.sign(digests, model=self.model, organization_id=self.organization_id, shown="")
        return {"signature": signature, "tool_changes": changes}

    def check_sent_back(self, betas: Collection[str], *, foreign_ok: bool) -> None:
        """Hold the blocks of a conversation against the rules for signed ones. `foreign_ok`: a Claude upstream may have
        signed them. Under the older beta there are no signatures, and nothing to check."""
        if BETA not in betas:
            return
        messages = cast("list[_Block]", self.request["messages"])
        blocks = [
            (index, place, block)
            for index, message in enumerate(messages)
            if message.get("content").__class__ is list
            for place, block in enumerate(cast("list[_Block]", message["content"]))
            if block["type"] == "compaction" and block.get("content") is not None
        ]
        signed = [one for one in blocks if one[2].get("signature")]
        if not signed:
            return
        index, place, block = signed[0]
        path = f"messages.{index}.content.{place}"
        if len(blocks) > 1:
            raise _refused(
                "compaction_block_ambiguous",
                "messages: at most one `compaction` block with content is allowed. Send the one that came last.",
            )
        first = next((at for at, message in enumerate(messages) if message.get("content")), 0)
        if (index, place) != (first, 0) or messages[index]["role"] == "system":
            raise _refused(
                "compaction_block_misplaced", f"{path}: a `compaction` block must be the first of the conversation."
            )
        management = cast("_Block", self.request.get("context_management") or {})
        if any(edit["type"].startswith("compact_") for edit in management.get("edits") or ()):
            raise InvalidRequestError(f"{path}: a signed `compaction` block cannot be combined with a compaction edit.")
        self._verify(path, block, foreign_ok=foreign_ok)

    def _verify(self, path: str, block: _Block, *, foreign_ok: bool) -> None:
        opened = self.signer.open("thinking", block["signature"], "", self.organization_id)
        digests = None if opened is None or not opened.omitted else (opened.text or "").split(" ")
        if digests is None or len(digests) != 2:
            if foreign_ok and not self.signer.is_damaged(block["signature"]):
                return
            raise _refused("compaction_signature_invalid", f"{path}: Invalid `signature` in `compaction` block")
        if digests[0] != _digest(block["content"]):
            raise _refused("compaction_content_mismatch", f"{path}.content: differs from what was signed.")
        if digests[1] != _digest(block.get("tool_changes") or []):
            raise _refused("compaction_tool_changes_mismatch", f"{path}.tool_changes: differs from what was signed.")

    def _check(self, found: Found) -> None:
        request = self.request
        if not self.model.capabilities.compaction:
            raise InvalidRequestError("compaction: `summarize` is not supported for this model.")
        # "Cannot be combined with `context_management`"; the rest shape an answer, which there is none of.
        choice = cast("_Block", request.get("tool_choice") or {})
        for name, asked in (
            ("context_management", request.get("context_management")),
            ("stop_sequences", request.get("stop_sequences")),
            ("output_config.format", output_format_of(request)),
            ("tool_choice", choice.get("type") in {"any", "tool"}),
        ):
            if asked:
                raise InvalidRequestError(f"{name}: cannot be combined with `compaction`.")
        if all(message["role"] == "system" or not message.get("content") for message in request["messages"]):
            raise _refused("compaction_nothing_to_summarize", "messages: there is nothing to summarize.")
        if found.waiting and found.last_role == "assistant":
            raise _refused(
                "compaction_incomplete_turn", "messages: the last `assistant` turn is not finished. Let it end first."
            )


def tool_changes(messages: list[_Block]) -> list[_Block]:
    """What the conversation did to the request's tools: of each tool the last change."""
    last: dict[bytes, _Block] = {}
    for message in messages:
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for block in cast("list[_Block]", content):
            changes: list[_Block] = (block.get("tool_changes") or []) if block["type"] == "compaction" else [block]
            for change in changes:
                if change["type"] in _CHANGES:
                    tool = change["tool"]
                    definition = cast("_Block", tool.get("definition") or tool)
                    key = canonical_json([tool.get("server_name"), definition.get("name")])
                    last.pop(key, None)
                    last[key] = {"type": change["type"], "tool": tool}
    return list(last.values())


def _digest(value: object) -> str:
    return hashlib.blake2b(canonical_json(value), digest_size=16).hexdigest()


def _refused(code: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details={"error_code": code})
