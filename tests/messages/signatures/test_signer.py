"""A signature: how it looks, what it covers, and whom it opens for."""

from __future__ import annotations

import base64
import hashlib

import pytest

from messages.signatures.conversing import BINDING, FREE, NEW_SECRET, OTHERS, OURS, SECRET, model, signer
from understudy.engines.catalog import public_models
from understudy.messages.signatures.signer import MOST_SEALED_BYTES, Place, Signer

PLACE = Place(prefix=b"p" * 48, previous=b"q" * 16, ordinal=2)
LONG = "\U0001f40e" * 10_000


@pytest.mark.parametrize("thought", ["", "a", "I need 17 * 23.", "é" * 700, LONG])
@pytest.mark.parametrize("shown", [None, ""])
@pytest.mark.parametrize("name", [each.id for each in public_models()])
def test_a_signature_looks_like_the_recorded_ones(name: str, shown: str | None, thought: str) -> None:
    signature = signer().sign(thought, model=model(name), organization_id=OURS, place=PLACE, shown=shown)
    assert 232 <= len(signature) <= 5_776
    assert base64.b64encode(base64.b64decode(signature, validate=True)).decode() == signature
    new = name.endswith(("5-1", "5-2")) or name in {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"}
    assert signature.startswith("CAQS" if new else "E")


def test_the_data_of_redacted_thinking_is_as_long_as_the_recorded_ones() -> None:
    for name in (BINDING, FREE):
        for thought in ("", "Secret.", "x" * 350):
            assert 296 <= len(signer().seal(thought, model=model(name), organization_id=OURS)) <= 1_020


def test_whoever_decodes_a_signature_reads_whose_it_is() -> None:
    for name in (BINDING, FREE):
        assert b"understudy" in base64.b64decode(signer().sign("Hm.", model=model(name), organization_id=OURS))


def test_the_same_thinking_has_the_same_signature_on_every_replica() -> None:
    def made(by: Signer) -> str:
        return by.sign("Hm.", model=model(BINDING), organization_id=OURS, place=PLACE, shown="")

    assert made(signer()) == made(signer())
    # So that a later version that makes others is noticed: conversations outlive an update.
    assert hashlib.sha256(made(signer()).encode()).hexdigest()[:16] == "f5cbe03f3bc37dbc"


def test_everything_that_is_signed_makes_another_signature() -> None:
    by, at = signer(), model(FREE)
    made = {
        by.sign("Hm.", model=at, organization_id=OURS),
        by.sign("Hm!", model=at, organization_id=OURS),
        by.sign("Hm.", model=model("claude-opus-4-6"), organization_id=OURS),
        by.sign("Hm.", model=at, organization_id=OTHERS),
        by.sign("Hm.", model=at, organization_id=OURS, place=Place(b"p")),
        by.sign("Hm.", model=at, organization_id=OURS, place=Place(b"", b"p")),
        by.sign("Hm.", model=at, organization_id=OURS, place=Place(ordinal=1)),
        by.sign("Hm.", model=at, organization_id=OURS, shown=""),
        by.seal("Hm.", model=at, organization_id=OURS),
        signer(NEW_SECRET).sign("Hm.", model=at, organization_id=OURS),
    }
    assert len(made) == 10


def test_it_opens_after_a_restart_on_a_replica_and_after_the_key_rotated() -> None:
    signature = signer().sign("Hm.", model=model(FREE), organization_id=OURS, place=PLACE)
    for other in (signer(), signer(NEW_SECRET, SECRET)):
        opened = other.open("thinking", signature, "Hm.", OURS)
        assert opened is not None
        assert (opened.model, opened.place, opened.omitted) == ("claude-sonnet-4-5-20250929", PLACE, False)


def test_it_does_not_open_when_the_key_is_gone_or_the_organization_another() -> None:
    signature = signer().sign("Hm.", model=model(FREE), organization_id=OURS)
    assert signer(NEW_SECRET).open("thinking", signature, "Hm.", OURS) is None
    assert signer().open("thinking", signature, "Hm.", OTHERS) is None
    assert signer().open("thinking", signature, "Hm", OURS) is None


def test_a_signature_is_no_data_and_data_no_signature() -> None:
    by = signer()
    assert by.open("redacted_thinking", by.sign("", model=model(FREE), organization_id=OURS), "", OURS) is None
    assert by.open("thinking", by.seal("", model=model(FREE), organization_id=OURS), "", OURS) is None


@pytest.mark.parametrize("thought", ["", "Hm.", "\x00\x00", "\ud800 alone", "é" * (MOST_SEALED_BYTES // 2)])
def test_what_the_client_does_not_see_travels_inside_unreadable(thought: str) -> None:
    by = signer()
    data = by.seal(thought, model=model(FREE), organization_id=OURS)
    opened = by.open("redacted_thinking", data, "", OURS)
    assert opened is not None and opened.text == thought
    if len(thought) > 2:
        assert thought.encode("utf-8", "surrogatepass") not in base64.b64decode(data)


def test_what_is_too_long_to_travel_is_signed_all_the_same() -> None:
    by = signer()
    opened = by.open("thinking", by.sign(LONG, model=model(FREE), organization_id=OURS, shown=""), "", OURS)
    assert opened is not None and opened.omitted and opened.text is None


@pytest.mark.parametrize("signature", ["", "s", "bogus", "====", "é", "EqQBCkYIBxgCKkD", "CAQS", "A" * 5_000])
def test_what_others_made_is_not_ours(signature: str) -> None:
    by = signer()
    assert not by.is_ours(signature)
    assert by.open("thinking", signature, "", OURS) is None


def test_a_damaged_one_is_still_known_as_ours() -> None:
    by = signer()
    signature = by.sign("Hm.", model=model(BINDING), organization_id=OURS)
    for damaged in (signature[:-1], signature[:60], signature + "AAAA", " " + signature, signature[4:]):
        assert by.open("thinking", damaged, "Hm.", OURS) is None
    for damaged in (signature[:-1], signature[:60], signature + "AAAA", signature[4:], "." + signature[1:]):
        assert by.is_ours(damaged)


def test_the_same_bytes_in_another_wrapping_are_refused() -> None:
    by = signer()
    for name in (BINDING, FREE):
        raw = base64.b64decode(by.sign("Hm.", model=model(name), organization_id=OURS))
        wrapped = raw[2:] if raw.startswith(b"\x08\x04") else b"\x08\x04" + raw
        assert by.open("thinking", base64.b64encode(wrapped).decode(), "Hm.", OURS) is None


def test_a_signer_shows_no_key() -> None:
    assert SECRET not in repr(signer())
    assert repr(Signer([("k", b"secret" * 6)])) == "Signer(k)"


def test_every_flipped_bit_of_a_signature_is_noticed_and_leaves_it_known_as_ours() -> None:
    by = signer()
    for name in (BINDING, FREE):
        signature = by.sign("Hm.", model=model(name), organization_id=OURS, place=PLACE)
        for place, character in enumerate(signature):
            for bit in range(7):
                damaged = signature[:place] + chr(ord(character) ^ 1 << bit) + signature[place + 1 :]
                assert by.open("thinking", damaged, "Hm.", OURS) is None
                assert by.is_ours(damaged)
