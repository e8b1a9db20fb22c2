"""What conversations look like to the upstream as far as they are known already.

An agent sends its whole history again with every turn, and what was parsed once is the very same object then. So the
beginning of a conversation is known by the identity of its messages, which costs nothing like translating it, and what
was said of it is kept as JSON. Nobody may change these objects; nothing is taken for known because it is only alike.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from operator import is_
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from understudy.engines.by_identity import ByIdentity

_Block: TypeAlias = dict[str, Any]
Sayable: TypeAlias = _Block | orjson.Fragment
"""What goes into the upstream's body: as it is, or as JSON already."""

# Messages at the end that may be new since a beginning was noted: some calls and their results.
_LATEST: Final = 16
# Messages of a conversation of which a beginning is noted.
_LEAST: Final = 3
_MOST_SEEN: Final = 64
_MOST_BYTES: Final = 8 * 1024 * 1024
_LONGEST: Final = 2 * 1024 * 1024
_LONGEST_TOOLS: Final = 256 * 1024
_MOST_LISTS: Final = 32
# Bytes that a message costs beside its JSON.
_OVERHEAD: Final = 512


class Beginning(NamedTuple):
    """The first messages of a conversation, and what they are to the upstream. `called`: ids of the calls in them;
    `names`: of the tools in them, in order, each of which is the upstream's own name."""

    messages: Sequence[_Block]
    upstream: list[orjson.Fragment]
    called: frozenset[str]
    names: tuple[str, ...]
    size: int


class Tools(NamedTuple):
    """What a list of tools is to the upstream, and the names that it gives them; not to be changed."""

    upstream: list[orjson.Fragment]
    names: dict[tuple[str, str | None], str]


class History:
    """Beginnings and lists of tools, the last ones used; of one engine, since engines say things differently."""

    def __init__(self) -> None:
        # By the id of the last message, which is kept alive here. The longest unused comes first.
        self._beginnings: OrderedDict[int, Beginning] = OrderedDict()
        self._tools: ByIdentity[Tools] = ByIdentity(_MOST_LISTS)
        self._bytes = 0
        # First messages of conversations, of which nothing is noted until one comes again.
        self._seen: OrderedDict[int, _Block] = OrderedDict()

    def find(self, messages: Sequence[_Block]) -> Beginning | None:
        """The longest beginning of the conversation that is known."""
        beginnings = self._beginnings
        for end in range(len(messages), max(len(messages) - _LATEST, 0), -1):
            place = id(messages[end - 1])
            found = beginnings.get(place)
            if found is not None and len(found.messages) == end and all(map(is_, found.messages, messages)):
                beginnings.move_to_end(place)
                return found
        return None

    def comes_again(self, messages: Sequence[_Block]) -> bool:
        """Whether the conversation has been seen before: of others it is not worth it to note anything."""
        if len(messages) < _LEAST:
            return False
        first, seen = messages[0], self._seen
        if seen.get(id(first)) is first:
            return True
        seen[id(first)] = first
        if len(seen) > _MOST_SEEN:
            seen.popitem(last=False)
        return False

    def note(
        self,
        before: Beginning | None,
        messages: Sequence[_Block],
        upstream: Sequence[_Block],
        called: Iterable[str],
        names: Iterable[str],
    ) -> list[orjson.Fragment] | None:
        """Note a beginning, which goes on from the one `before`: `messages` are all of it, `called` and `names` too,
        `upstream` is what is new. Returns what is new as JSON; None where it cannot be."""
        made = _as_json(upstream)
        if made is None:
            return None
        fragments, size = made
        known: list[orjson.Fragment] = []
        size += _OVERHEAD * (len(messages) + len(fragments))
        if before is not None:
            known = before.upstream
            size += before.size
            # A conversation goes on from its newest beginning.
            self._drop(id(before.messages[-1]))
        place = id(messages[-1])
        self._drop(place)
        if size <= _LONGEST:
            self._beginnings[place] = Beginning(messages, [*known, *fragments], frozenset(called), tuple(names), size)
            self._bytes += size
            while self._bytes > _MOST_BYTES:
                self._drop(next(iter(self._beginnings)))
        return fragments

    def _drop(self, place: int) -> None:
        dropped = self._beginnings.pop(place, None)
        if dropped is not None:
            self._bytes -= dropped.size

    def tools(self, tools: Sequence[_Block]) -> Tools | None:
        return self._tools.find(tools)

    def note_tools(
        self, tools: Sequence[_Block], upstream: Sequence[_Block], names: Mapping[tuple[str, str | None], str]
    ) -> None:
        """Note that."""
        made = _as_json(upstream)
        if made is not None and made[1] <= _LONGEST_TOOLS:
            self._tools.keep(tools, Tools(made[0], dict(names)))


def _as_json(values: Sequence[_Block]) -> tuple[list[orjson.Fragment], int] | None:
    """Each as JSON, and its bytes; None where one is nested too deeply, which is found out where it is sent. A value
    may be as deep as where it will stand: in a list of the body."""
    try:
        made = [orjson.dumps([[value]])[2:-2] for value in values]
    except orjson.JSONEncodeError:
        return None
    return [orjson.Fragment(one) for one in made], sum(map(len, made))
