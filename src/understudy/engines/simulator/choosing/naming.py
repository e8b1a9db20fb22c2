"""Tools that a person calls by name: "use the Explore agent to …", "with the search tool"."""

from __future__ import annotations

import re

from understudy.engines.simulator.choosing.offers import Offer, Offered
from understudy.engines.simulator.choosing.profiles import name_parts

_NAMED = re.compile(
    r"\b(?:use|using|with|via|call|ask|have|let|launch|start|spawn|run) (?:the |an? |your |another )?"
    r"(?P<name>[\w-]+(?: [\w-]+)?)? ?(?P<what>(?:sub-?)?agent|tool|function)\b",
    re.IGNORECASE,
)
_CALLED = ("tool", "agent", "function")
_HELPERS = (("agent",), ("subagent",), ("task",), ("run", "agent"), ("start", "agent"), ("delegate",))


def named_in(text: str, offer: Offer) -> Offered | None:
    """The tool that the text says to use, or the one that starts helpers where it says to use one of them."""
    match = _NAMED.search(text) if any(map(text.lower().__contains__, _CALLED)) else None
    if match is None:
        return None
    words = tuple(name_parts((match["name"] or "").replace("-", " ")))
    helper = match["what"].lower().endswith("agent")
    for offered in offer.tools:
        parts = tuple(name_parts(offered.tool.name.rpartition("__")[2]))
        if words and parts in {words, (*words, match["what"].lower())} and not (helper and len(words) > 1):
            return offered
        if helper and (
            parts in _HELPERS
            or any(one.name.startswith(("subagent", "agent_type")) for one in offered.profile.parameters)
        ):
            return offered
    return None
