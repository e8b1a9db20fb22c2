"""Makes signatures of thinking and opens them again, with keys derived from the root secret.

Nothing is drawn by lot: the same thinking at the same place in the same conversation has the same signature, on every
replica and after every restart. Thinking that the client does not see travels inside, encrypted, as in the real
service ("the server decrypts the signature to reconstruct the original thinking": thinking.md).

The construction is SIV (RFC 5297) with other parts: the HMAC over all parts and the text is at once what authenticates
and what the key stream for the text is drawn from.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import ne
from typing import Final, Literal, TypeAlias

from understudy.engines.catalog import Model

from .format import MARK, Parts, bytes_of, decode, encode
from .models import checks_prefix

Kind: TypeAlias = Literal["thinking", "redacted_thinking"]

PURPOSE: Final = "thinking signatures"
"""What `RootSecret.derive_all` is asked for."""

# What is sealed is filled up to this many bytes, or a multiple: recorded signatures have 232 characters at least, and
# recorded `data` 296. It also hides how long the text is.
_STEP: Final = 128
# With it the longest signature stays below the longest recorded, 5,776 characters.
MOST_SEALED_BYTES: Final = 3_800

_LEAST_KEY_ID: Final = 16

_SHOWN, _OMITTED, _REDACTED = b"s", b"o", b"r"
_HOW: Final = {"thinking": (_SHOWN, _OMITTED), "redacted_thinking": (_REDACTED,)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a conversation a block of thinking is made.

    `prefix`: what `Prefix.digest` says of all before it; empty for models that do not bind. `previous`: `block_id` of
    the thinking block before it, in whichever turn; empty for the first. `ordinal`: how many thinking blocks its own
    answer had before it.
    """

    prefix: bytes = b""
    previous: bytes = b""
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A signature that is genuine. `text` is the thinking that it carries, None where it carries none."""

    model: str
    place: Place
    omitted: bool
    text: str | None


def block_id(signature: str) -> bytes:
    """What later blocks call the block with this `signature` (or `data`) by."""
    return hashlib.blake2b(_bytes(signature), digest_size=16).digest()


class Signer:
    """Signs with the first of `keys` (key id, 32 bytes) and opens what any of them signed."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        self._keys = {
            key_id: (hmac.digest(key, b"authenticate", "sha256"), hmac.digest(key, b"encrypt", "sha256"))
            for key_id, key in keys
        }
        self._newest = keys[0][0]
        # A key id as the root secret makes it is long enough not to be met by chance.
        self._marks = (MARK, *(key_id.encode() for key_id, _ in keys if len(key_id) >= _LEAST_KEY_ID))

    def __repr__(self) -> str:
        return f"Signer({', '.join(self._keys)})"

    def sign(
        self, thinking: str, *, model: Model, organization_id: str, place: Place = Place(), shown: str | None = None
    ) -> str:
        """The `signature` of a thinking block.

        `shown` is what the client sees of it, by default all. What it does not see is carried along, where it has no
        more than MOST_SEALED_BYTES.
        """
        seen = thinking if shown is None else shown
        carried = None if seen == thinking else thinking
        return self._make(_OMITTED if not seen else _SHOWN, seen, carried, model, organization_id, place)

    def seal(self, thinking: str, *, model: Model, organization_id: str, place: Place = Place()) -> str:
        """The `data` of a redacted_thinking block."""
        return self._make(_REDACTED, "", thinking, model, organization_id, place)

    def open(self, kind: Kind, signature: str, seen: str, organization_id: str) -> Opened | None:
        """What is in a `signature` (or `data`) that one of our keys made for `seen`; None if none did.

        A block whose thinking was omitted may have any text: "ignored rather than rejected" (thinking.md).
        """
        parts = decode(signature)
        if parts is None or parts.key_id not in self._keys or parts.bound != checks_prefix(parts.model):
            return None
        how = parts.kind[:1]
        if how not in _HOW[kind]:
            return None
        plain = self._crypt(parts.key_id, parts.siv, parts.sealed)
        expected = self._siv(parts, organization_id, _bytes(seen) if how == _SHOWN else b"", plain)
        if not hmac.compare_digest(expected, parts.siv):
            return None
        size = int.from_bytes(plain[:4], "big")
        text = plain[4 : 3 + size].decode("utf-8", "surrogatepass") if size else None
        place = Place(parts.binding, parts.previous, int.from_bytes(parts.kind[1:], "big"))
        return Opened(parts.model, place, omitted=how == _OMITTED, text=text)

    def is_ours(self, signature: str) -> bool:
        """Whether it decodes as made by understudy, also where it was damaged: it bears marks at two places."""
        if not signature:
            return False
        raw = bytes_of(signature)
        return any(mark in raw for mark in self._marks)

    def is_damaged(self, signature: str) -> bool:
        """Whether it was made here and is not whole any more. Another installation's is whole, with a key we lack."""
        if not self.is_ours(signature):
            return False
        parts = decode(signature)
        # One character of the text is up to two of a key's id, and no two ids are as near to each other.
        return parts is None or any(_near(parts.key_id, known) for known in self._keys)

    def _make(
        self, how: bytes, seen: str, carried: str | None, model: Model, organization_id: str, place: Place
    ) -> str:
        text = b"" if carried is None else _bytes(carried)
        if carried is None or len(text) > MOST_SEALED_BYTES:
            plain = bytes(_STEP)
        else:
            # One more than the length, so that no text and the empty text differ.
            plain = (len(text) + 1).to_bytes(4, "big") + text
            plain += bytes(-len(plain) % _STEP)
        kind = how + place.ordinal.to_bytes(2, "big")
        parts = Parts(
            self._newest, model.id, kind, place.prefix, place.previous, b"", b"", bound=checks_prefix(model.id)
        )
        siv = self._siv(parts, organization_id, _bytes(seen), plain)
        return encode(replace(parts, siv=siv, sealed=self._crypt(self._newest, siv, plain)))

    def _siv(self, parts: Parts, organization_id: str, seen: bytes, plain: bytes) -> bytes:
        mac = hmac.new(self._keys[parts.key_id][0], digestmod="sha256")
        fields = (
            parts.kind, parts.model.encode(), organization_id.encode(), parts.binding, parts.previous, seen, plain,
        )  # fmt: skip
        for field in fields:
            mac.update(len(field).to_bytes(8, "big"))
            mac.update(field)
        return mac.digest()

    def _crypt(self, key_id: str, siv: bytes, text: bytes) -> bytes:
        stream = hashlib.shake_256(self._keys[key_id][1] + siv).digest(len(text))
        return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(text), "big")


def _near(key_id: str, known: str) -> bool:
    return len(key_id) == len(known) and sum(map(ne, key_id, known)) <= 2


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
