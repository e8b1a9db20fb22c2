"""Thinking we sign verifies after a restart, on another replica and after key rotation; one flipped byte is the 400."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from generated import NEW_MODELS, OLD_MODELS, in_process
from messages.signatures.conversing import (
    NEW_SECRET,
    OTHERS,
    OURS,
    SECRET,
    checked,
    followed,
    model,
    redacted,
    refusal,
    signer,
    text,
    thinking,
    user,
)
from understudy.messages.signatures import Seals
from understudy.messages.signatures.models import checks_prefix

# Short, so that a thousand conversations are made in a few seconds.
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)

MODELS = [name for name in OLD_MODELS + NEW_MODELS if model(name).capabilities.thinks]


@st.composite
def answered(draw: st.DrawFn) -> dict[str, Any]:
    """A conversation of some turns with thinking of all kinds, each signed when it was answered."""
    request: dict[str, Any] = {"model": draw(st.sampled_from(MODELS)), "messages": [user(draw(words))]}
    if draw(st.booleans()):
        request["system"] = draw(words)
    for _ in range(draw(st.integers(1, 3))):
        seals = Seals(signer(), model(request["model"]), OURS, request)
        blocks: list[dict[str, Any]] = []
        for thought in draw(st.lists(words, min_size=1, max_size=3)):
            kind = draw(st.sampled_from(["shown", "omitted", "redacted"]))
            if kind == "redacted":
                blocks.append(redacted(seals, thought))
            else:
                blocks.append(thinking(seals, thought, "" if kind == "omitted" else None))
        request = followed(request, {"role": "assistant", "content": [*blocks, text(draw(words))]}, user(draw(words)))
    return request


def proofs(request: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Each thinking block with each member that a byte can be flipped in."""
    return [
        (block, member)
        for message in request["messages"]
        if message["role"] == "assistant" and isinstance(message["content"], list)
        for block in message["content"]
        for member in ("signature", "data", "thinking")
        if block.get(member)
    ]


@given(answered())
@in_process
def test_thinking_verifies_on_every_server_of_the_installation_and_for_its_organization_alone(
    request: dict[str, Any],
) -> None:
    replayed = json.loads(json.dumps(request))
    for by in (signer(), signer(NEW_SECRET, SECRET)):
        found = checked(replayed, by=by, betas=["thinking-binding-controls-2026-08-01"])
        assert found.transformations == []
        assert not found.foreign
    for foreign_ok in (False, True):
        assert "Invalid `" in str(refusal(replayed, organization_id=OTHERS, foreign_ok=foreign_ok))


@given(answered(), st.data())
@in_process
def test_one_flipped_byte_is_the_documented_400(request: dict[str, Any], data: st.DataObject) -> None:
    changed = copy.deepcopy(request)
    block, member = data.draw(st.sampled_from(proofs(changed)))
    place = data.draw(st.integers(0, len(block[member]) - 1))
    flipped = chr(ord(block[member][place]) ^ (1 << data.draw(st.integers(0, 6))))
    block[member] = block[member][:place] + flipped + block[member][place + 1 :]
    what = "signature" if block["type"] == "thinking" else "data"
    path = next(
        f"messages.{at}.content.{nth}"
        for at, message in enumerate(changed["messages"])
        for nth, each in enumerate(message["content"])
        if each is block
    )
    expected = f"{path}: Invalid `{what}` in `{block['type']}` block"
    # Also beside a Claude upstream: it is still known as ours.
    for foreign_ok in (False, True):
        assert refusal(changed, foreign_ok=foreign_ok) == expected


@given(answered())
@settings(in_process, max_examples=in_process.max_examples // 5)
def test_bound_thinking_notices_an_earlier_message_that_changed(request: dict[str, Any]) -> None:
    changed = copy.deepcopy(request)
    changed["messages"][0]["content"] += "."
    assert ("different conversation" in str(refusal(changed))) is checks_prefix(request["model"])
