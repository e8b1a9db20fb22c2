"""Conversations whose thinking is signed here, as a client would hold them."""

from __future__ import annotations

from typing import Any

from understudy.engines.catalog import Catalog, Model
from understudy.messages.signatures import Checked, Seals, Signer, check
from understudy.messages.signatures.signer import PURPOSE
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import InvalidRequestError

BETA = "thinking-binding-controls-2026-08-01"
OURS, OTHERS = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
# A model that binds thinking to its conversation, and one that does not.
BINDING, FREE = "claude-opus-5-5", "claude-sonnet-4-5"
SECRET = "an old secret for tests, quite long enough"
NEW_SECRET = "a new secret for tests, also long enough"

Block = dict[str, Any]

_CATALOG = Catalog(["my-own-model"])


def signer(*secrets: str) -> Signer:
    """What a server with these root secrets signs with."""
    return Signer(RootSecret(secrets or (SECRET,)).derive_all(PURPOSE))


def model(name: str) -> Model:
    found = _CATALOG.find(name)
    assert found is not None
    return found


def user(*content: Block | str) -> Block:
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def text(value: str, **more: Any) -> Block:
    return {"type": "text", "text": value, **more}


def thinking(seals: Seals, thought: str, shown: str | None = None) -> Block:
    seen = thought if shown is None else shown
    return {"type": "thinking", "thinking": seen, "signature": seals.sign(thought, seen)}


def redacted(seals: Seals, thought: str) -> Block:
    return {"type": "redacted_thinking", "data": seals.seal(thought)}


def answer(
    request: Block, *thoughts: str, said: str = "Well.", omitted: bool = False, organization_id: str = OURS
) -> Block:
    """The assistant's message with these thoughts, as a server answers `request`."""
    seals = Seals(signer(), model(request["model"]), organization_id, request)
    return {
        "role": "assistant",
        "content": [*(thinking(seals, each, "" if omitted else None) for each in thoughts), text(said)],
    }


def asked(name: str = FREE, **fields: Any) -> Block:
    return {"model": name, "system": "Be brief.", "messages": [user("What is 17 * 23?")], **fields}


def followed(request: Block, said: Block, *more: Block) -> Block:
    """The next request of the conversation."""
    return {**request, "messages": [*request["messages"], said, *(more or (user("And times two?"),))]}


def checked(request: Block, *, by: Signer | None = None, organization_id: str = OURS, **options: Any) -> Checked:
    return check(
        request, signer=by or signer(), model=model(request["model"]), organization_id=organization_id, **options
    )


def refusal(request: Block, **options: Any) -> str | None:
    try:
        checked(request, **options)
    except InvalidRequestError as error:
        return error.message
    return None


def dropped(*paths: str, reason: str = "prefix_binding_mismatch") -> list[dict[str, str]]:
    return [{"type": "thinking_dropped", "path": path, "reason": reason} for path in paths]
