"""What a tool does: its leading act, its other acts and its own verbs, from its name and first sentence."""

from __future__ import annotations

from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.words import Token


def acts_of_tool(named: list[Token], first: list[Token]) -> tuple[str, int, dict[str, float]]:
    """The leading act, the place of its word in the name (-1: none), and all acts with their weight."""
    known = lexicon()
    head = next((token for token in first[:3] if token.acts and not token.stop), None)
    plural = len(first) > 1 and first[0].low.endswith("s") and not (named and named[0].acts)
    plural = plural and (first[1].low == "and" or first[1].low.endswith("ed"))
    if len(first) > 1 and (plural or first[1].low in _NOUN_SIGNS or first[0].low in _ASKING):
        # "Logs of a pod", "Where a class is defined": such a tool brings what it names.
        head = None
    head_acts = head.acts if head and first and (head is first[0] or first[0].stop) else ()
    near_head = {act for token in first[:3] for act in token.acts}
    acts: dict[str, float] = {}
    place = -1
    pure = [
        number
        for number, token in enumerate(named)
        if token.acts
        and (token.stem,) not in known.things
        and number in (0, len(named) - 1)
        and (number == 0 or not head_acts or set(token.acts) & near_head)
    ]
    mixed = [number for number, token in enumerate(named[:1]) if token.acts and (token.stem,) in known.things]
    if len(named) > 1 and named[-1].low in _ASPECTS and not set(named[0].acts) & set(head_acts):
        # "refill_status": the name is a thing's, whatever its first word may mean.
        pure, mixed = [], []
    if pure:
        place = pure[0]
    elif mixed and (not head_acts or set(head_acts) & set(named[0].acts)):
        place = 0
    if place >= 0:
        leading = named[place].acts
        common = [act for act in leading if act in head_acts]
        for act in leading:
            acts[act] = 1.0 if act in common or not common else 0.7
        for act in head_acts:
            acts.setdefault(act, 0.7)
        act = (common or leading)[0]
    elif first and first[0].low in {"use", "apply"} and not head_acts:
        act = "update"
        acts["update"] = acts["save"] = 0.6
    elif head_acts:
        for act in head_acts:
            acts[act] = 1.0
        act = head_acts[0]
    elif len(first) > 1 and named and first[0].stem == named[0].stem and first[1].low in _ARTICLES and len(named) < 4:
        # A verb that nobody knows, in the name and in the words: the tool does that, and does not just look.
        act = "do"
        acts["do"] = 1.0
    elif first and (first[0].low in _ASKING or first[0].stop or (len(first) > 1 and not first[0].acts)):
        act = "get"
        acts["get"] = 0.9
    else:
        act = ""
    if head is None and len(first) > 1 and first[0].acts and act != "get":
        acts.setdefault("get", 0.8)
        act = "get" if not pure else act
    for token in named:
        for other in token.acts:
            acts.setdefault(other, 0.6)
    # Descriptions often name two acts: "Create or update …", "Search and book …".
    for number, token in enumerate(first[:8]):
        if number and token.acts and first[number - 1].low in {"or", "and"} and token.acts:
            acts["=" + token.stem] = 0.95
            for other in token.acts:
                # "Opens a session and returns its id": what comes back is no act of its own.
                if first[number - 1].low == "or" or other not in {"get", "return"}:
                    acts.setdefault(other, 0.8)
        elif number and token.acts and token.low.endswith("ing"):
            for other in token.acts:
                acts.setdefault(other, 0.6)
    return act, place, acts


def verbs_of_tool(named: list[Token], place: int, first: list[Token]) -> frozenset[str]:
    """The stems of the tool's own verbs: of its name and of the first word of its description, known or not."""
    found: set[str] = set()
    if place >= 0:
        found.add(named[place].stem)
    if (
        first
        and not first[0].stop
        and not (len(first) > 1 and first[1].low in _NOUN_SIGNS)
        and first[0].low not in _ASKING
        and first[0].kind in {"", "name"}
    ):
        head = first[0]
        third_person = head.low.endswith("s") and not head.low.endswith("ss")
        objects = len(first) > 1 and first[1].low in _ARTICLES
        named_too = bool(named) and named[0].stem == head.stem and objects
        listed = len(first) > 1 and first[1].low == "and"
        if (head.acts and not (third_person and listed)) or (third_person and not listed) or named_too or objects:
            found.add(head.stem)
        if len(first) > 1 and first[1].low.endswith("ing") and head.acts:
            # "Start watering a field" is what "water the field" asks for.
            found.add(first[1].stem)
    return frozenset(found)


# After the first word of a description these say that it is a noun.
_ASPECTS = frozenset("status history details info information balance price level overview summary".split())

_NOUN_SIGNS = frozenset("of that which from about as is are".split())

_ASKING = frozenset(
    "where who what when how which whether every all the current daily live latest next upcoming recent".split()
)

_ARTICLES = frozenset("a an the one all some to in for".split())
