"""The hash of a request of which most was hashed before: what begins it is not hashed again, nor what ends it written.

The result is that of the hash of the whole, written in its canonical form.
"""

from __future__ import annotations

import hashlib
from operator import is_
from typing import Any, Final, TypeAlias, cast

from understudy.wire.json_text import canonical_json

_Block: TypeAlias = dict[str, Any]

_MESSAGES: Final = "messages"
_BEGINS: Final = b'{"messages":['
_ENDS: Final = b"]}"


class Prefix:
    """What is known of a conversation's requests: the hash up to some message, and the end as it was written last."""

    __slots__ = ("_before", "_ending", "_hash", "_hashed", "_key", "_later")

    def __init__(self) -> None:
        self._key = self._before = self._ending = b""
        self._hash: hashlib.blake2b | None = None
        self._hashed: list[_Block] = []
        self._later: _Block = {}

    def digest(self, content: _Block, key: bytes, known: int) -> bytes:
        """The hash of `content`, a request. The first `known` messages are likely to begin the next one, too."""
        before = canonical_json({name: value for name, value in content.items() if name < _MESSAGES})
        messages = cast("list[_Block]", content[_MESSAGES])
        if (
            self._hash is None
            or self._key != key
            or self._before != before
            or len(self._hashed) > known
            or not all(map(is_, self._hashed, messages))
        ):
            self._key, self._before, self._hashed = key, before, []
            self._hash = hashlib.blake2b(before[:-1] + (b"," if len(before) > 2 else b""), key=key, digest_size=32)
            self._hash.update(_BEGINS[1:])
        begun = len(self._hashed)
        if begun < known:
            self._hash.update((b"," if begun else b"") + _written(messages[begun:known]))
            self._hashed = messages[:known]
        whole = self._hash.copy()
        rest = messages[known:]
        if rest:
            whole.update((b"," if known else b"") + _written(rest))
        whole.update(self._end({name: value for name, value in content.items() if name > _MESSAGES}))
        return whole.digest()

    def _end(self, later: _Block) -> bytes:
        if not _are_same(later, self._later) or not self._ending:
            self._later = later
            self._ending = b"]" + (b"," + canonical_json(later)[1:] if later else b"}")
        return self._ending


def _written(messages: list[_Block]) -> bytes:
    """The messages as they stand in a request."""
    return canonical_json({_MESSAGES: messages})[len(_BEGINS) : -len(_ENDS)]


def _are_same(one: _Block, other: _Block) -> bool:
    """Whether two parts of requests are surely equal, as far as a glance tells."""
    return one.keys() == other.keys() and all(_is_same(value, other[name]) for name, value in one.items())


def _is_same(value: Any, other: Any) -> bool:
    if value is other:
        return True
    if type(value) is not type(other):
        return False
    if isinstance(value, list):
        return len(cast("list[Any]", value)) == len(other) and all(map(is_, cast("list[Any]", value), other))
    return not isinstance(value, dict) and value == other
