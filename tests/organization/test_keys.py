from __future__ import annotations

import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.organization.keys import KeyHash, KeyKind, mint, partial_key_hint

from .scanning import is_well_formed

KINDS: list[KeyKind] = ["api", "admin"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_minted_secret_has_our_prefix_and_256_random_bits_and_a_checksum(kind: KeyKind) -> None:
    minted = {mint(kind) for _ in range(200)}
    assert len(minted) == 200
    assert all(re.fullmatch(rf"sk-understudy-{kind}-[0-9A-Za-z]{{49}}", secret) for secret in minted)
    assert all(is_well_formed(secret) for secret in minted)


@given(position=st.integers(0, 66), character=st.sampled_from("0AZaz-_é"))
def test_a_secret_with_one_wrong_character_is_not_well_formed(position: int, character: str) -> None:
    secret = mint("api")
    changed = secret[:position] + character + secret[position + 1 :]
    assert is_well_formed(changed) == (changed == secret)


@given(st.text())
def test_other_text_is_not_well_formed(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed("sk-understudy-api-" + text)


@pytest.mark.parametrize("kind", KINDS)
def test_abuse_02_a_hint_shows_the_prefix_with_3_characters_and_the_last_4(kind: KeyKind) -> None:
    secret = mint(kind)
    prefix = f"sk-understudy-{kind}-"
    assert partial_key_hint(secret) == f"{secret[: len(prefix) + 3]}...{secret[-4:]}"


@given(key=st.binary(min_size=1, max_size=64), secret=st.binary(max_size=300))
def test_the_hash_is_hmac_sha256(key: bytes, secret: bytes) -> None:
    assert KeyHash("id", key).digest(secret) == hmac.digest(key, secret, "sha256")


@pytest.mark.parametrize("key", [b"", b"x" * 65])
def test_a_hash_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        KeyHash("id", key)
