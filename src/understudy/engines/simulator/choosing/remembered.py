"""Plans that were made before: an agent's every round plans the same turn again, and a follow-up the turns before it.

Bounded. What one tenant's requests left here answers no other's: who asks fast and slow could else learn what another
has asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b

from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.profiles import Profile
from understudy.engines.simulator.choosing.situation import Situation
from understudy.engines.simulator.choosing.steps import Step
from understudy.wire.client_tools import ClientTool

_REMEMBERED = 1024
# Characters of the asks of one plan.
_LONGEST = 4_000

# Texts of a few thousand characters at most whose digests are kept.
_DIGESTS = 256

# In the place of the tools, which are a request's own and may be large.
_NO_TOOL = ClientTool("", None, "", {})

_Key = tuple[bytes, tuple[int, ...], bool, int]

# Steps beside the places of their tools, for a later request brings tools of its own. The profiles are kept along: as
# long as they are, no other has their ids.
_plans: OrderedDict[_Key, tuple[tuple[Profile, ...], list[tuple[int, Step]]]] = OrderedDict()


@lru_cache(maxsize=_DIGESTS)
def _digest(text: str) -> str:
    """What stands for a text: that of a turn before comes again with each turn after it."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def key_of(offer: Offer, situation: Situation, *, must: bool, depth: int) -> _Key:
    """All that a plan is made from."""
    said = [situation.tenant, situation.asked, str(len(situation.earlier))]
    for role, text in situation.earlier:
        said += (role, _digest(text))
    for name, given, result in situation.made:
        said += (name, repr(given), _digest(result))
    framed = "".join([f"{len(one)}:{one}" for one in said])
    digest = blake2b(framed.encode("utf-8", "surrogatepass"), digest_size=20).digest()
    return digest, tuple([id(offered.profile) for offered in offer.tools]), must, depth


def remembered(key: _Key, offer: Offer) -> list[Step] | None:
    """The steps for the tools of `offer`; None where the plan is not known."""
    known = _plans.get(key)
    if known is None:
        return None
    _plans.move_to_end(key)
    return [replace(step, tool=offer.tools[place].tool) for place, step in known[1]]


def remember(key: _Key, offer: Offer, steps: Sequence[Step]) -> None:
    if sum(len(step.ask) for step in steps) > _LONGEST:
        return
    places = {id(offered.tool): place for place, offered in enumerate(offer.tools)}
    kept = [(places[id(step.tool)], replace(step, tool=_NO_TOOL)) for step in steps]
    _plans[key] = (tuple(offered.profile for offered in offer.tools), kept)
    if len(_plans) > _REMEMBERED:
        _plans.popitem(last=False)
