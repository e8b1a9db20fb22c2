"""What the parameters of a tool ask for, as far as it counts when the tool is compared with what is said."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.engines.simulator.choosing.profiles import Parameter, Profile
from understudy.engines.simulator.choosing.serving import SERVED_BY

QUERY = frozenset("regex query q search term keyword keyword text search_term needl pattern titl name topic".split())
# Stems of parameters that take "*.py".
PATTERNS = frozenset(("glob", "pattern"))
# Words of tools that look into files, by stem.
_INSIDE = ("content", "regular", "regex", "grep", "pattern")
_TELLING = frozenset(("email", "url", "id", "path", "coordinate", "enum"))


@dataclass(frozen=True, slots=True)
class Wants:
    """`telling` are the parameters for which there must be a value of just their kind, `numbers` those for numbers,
    `patterned` the required ones that take a path or a pattern.

    Of the required ones, `asked` says whether one takes what is searched for, `an_id` an id, `placed` which of path,
    address and email there are, `listed` whether one takes several values. `searches` says whether the tool looks for
    something, `inside` whether in what files say.
    """

    telling: tuple[Parameter, ...]
    numbers: tuple[Parameter, ...]
    patterned: tuple[Parameter, ...]
    asked: bool
    an_id: bool
    placed: frozenset[str]
    listed: bool
    searches: bool
    inside: bool


def wants_of(profile: Profile) -> Wants:
    required = profile.required
    asked = any(one.stems & QUERY for one in required)
    return Wants(
        telling=tuple(one for one in profile.parameters if one.kind in _TELLING),
        numbers=tuple(one for one in profile.parameters if one.kind == "number"),
        patterned=tuple(one for one in required if one.kind == "path" or one.stems & PATTERNS),
        asked=asked,
        an_id=any(one.kind == "id" for one in required),
        placed=frozenset(one.kind for one in required if one.kind in {"path", "url", "email"}),
        listed=any(one.array and one.kind in SERVED_BY for one in required),
        searches="search" in profile.acts and asked,
        inside=any(profile.index.get(word, 0.0) >= 0.3 for word in _INSIDE),
    )
