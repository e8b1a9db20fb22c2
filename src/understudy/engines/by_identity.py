"""What was made of a list, kept for when the very same objects come again: agents' tools do with every request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, TypeVar

_T = TypeVar("_T")


class ByIdentity(Generic[_T]):
    """The `most` that were used last. Lists that are only alike are not the same; nobody may change what stands in
    them."""

    __slots__ = ("_kept", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        # With the objects: as long as one is kept, no other has its id.
        self._kept: OrderedDict[tuple[int, ...], tuple[tuple[object, ...], _T]] = OrderedDict()

    def find(self, parts: Sequence[object]) -> _T | None:
        key = tuple(map(id, parts))
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[1]

    def keep(self, parts: Sequence[object], value: _T) -> None:
        self._kept[tuple(map(id, parts))] = (tuple(parts), value)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
