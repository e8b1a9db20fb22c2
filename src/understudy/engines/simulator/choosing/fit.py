"""How well a tool fits a clause: likeness of act, of things, of values, against the other tools offered."""

from __future__ import annotations

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.commands import is_command
from understudy.engines.simulator.choosing.doing import LIGHT, acts_of, conflicts, is_unknown, stands_out
from understudy.engines.simulator.choosing.hearing import Fit, Heard, missing_of
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.saying import NOTHING, Said, said_to
from understudy.engines.simulator.choosing.serving import (
    COORDINATE,
    SERVED_BY,
    at_home,
    homeless,
)
from understudy.engines.simulator.choosing.stems import stem
from understudy.engines.simulator.choosing.taking import (
    has_object,
    lacking,
    listing,
    served,
    spell_out,
    takes_any,
)
from understudy.engines.simulator.choosing.wanting import PATTERNS

# So many tools are looked at closely; the rank of the others, which is below that of any of these.
_MOST_NEAR = 6
_FAR_RANK = -2.0
# Kinds of values that other tools bring.
_BROUGHT = frozenset(("id", "coordinate", "email"))


def fits(heard: Heard, offer: Offer) -> list[Fit]:
    """The fits of all tools, the best first; equal ones in the order in which they were offered. Kept in `heard`."""
    if heard.found is not None:
        return heard.found
    heard.labels = offer.labels
    spell_out(heard, offer)
    acts = acts_of(heard.clause, offer)
    best = max(acts)
    if best >= 0.95 and has_object(heard):
        # "Scrap the milk": of two tools that take away, the one that takes away some one thing.
        same = [number for number, act in enumerate(acts) if act == best]
        taking = [number for number in same if offer.tools[number].profile.required]
        if len(same) > len(taking) == 1:
            acts = [act if number == taking[0] or act < best else 0.85 for number, act in enumerate(acts)]
    only = heard.clause.head is not None and stands_out(acts, best)
    near = _near(heard, offer, acts)
    said = said_to(heard, offer)
    found = [_fit(heard, said, offer, place, acts[place], only and acts[place] == best) for place in sorted(near)]
    found.sort(key=_rank, reverse=True)
    above = found[-1].rank > _FAR_RANK
    for place, offered in enumerate(offer.tools):
        if place not in near:
            missing = missing_of(offered.profile, heard) if offered.profile.hard else ()
            found.append(Fit(offered, 0.0, _FAR_RANK, acts[place], 0.0, missing))
    if not above:
        found.sort(key=_rank, reverse=True)
    heard.found = found
    return found


def _rank(fit: Fit) -> float:
    return fit.rank


def may_score(heard: Heard, offer: Offer, score: float) -> bool:
    """Whether any tool may have such a score, as far as can be told without comparing them. Of statements only."""
    if heard.found is not None or heard.values:
        return True
    values = bool(heard.kinds) or any(token.low in offer.options for token in heard.clause.tokens)
    return 0.35 * max(acts_of(heard.clause, offer)) + 0.4 + 0.25 + (0.2 if values else 0.0) >= score


def _near(heard: Heard, offer: Offer, acts: list[float]) -> set[int]:
    """The places of the tools that share words, acts or kinds of values with the clause: only these are compared."""
    many = len(offer.tools)
    if many <= _MOST_NEAR:
        return set(range(many))
    shared = [0.5 * act for act in acts]
    for key, strength in heard.keys.items():
        held = offer.holders.get(key)
        if held is not None:
            telling = strength * offer.rarity[key]
            for place, worth in held:
                shared[place] += telling * worth
    for place, offered in enumerate(offer.tools):
        if offered.profile.executes or offered.profile.knowledge:
            shared[place] += 0.5
        if heard.values:
            shared[place] += 0.1 * at_home(offered.profile, heard.counted)
    return set(sorted(range(many), key=lambda place: -shared[place])[:_MOST_NEAR])


_LOOKING = frozenset("list search".split())
_SEEKING = frozenset("search get list".split())
_FILES = frozenset(stem(word) for word in ("file", "directory", "folder", "repository", "repo", "src"))
_SHELL_ACTS = frozenset("run commit delete move copy install restart start stop deploy validate merge rollback".split())


def _fit(heard: Heard, said: Said, offer: Offer, place: int, act: float, only: bool) -> Fit:
    """`only`: this tool and no other does the act asked for."""
    offered, wants = offer.tools[place], offer.wants[place]
    clause, profile = heard.clause, offered.profile
    index = profile.index
    said_of = heard.keys.get
    named = 0.0
    used: set[str] = set()
    nouns_of, whole = offer.things[place]
    for keys, weight in nouns_of:
        best = 0.0
        by = ""
        for key, strength in keys:
            heard_so = said_of(key)
            if heard_so is not None and heard_so * strength > best:
                best, by = heard_so * strength, key
        if (
            act < 0.7
            and clause.head is not None
            and by == clause.head.stem
            and not _SEEKING.isdisjoint(clause.head.acts)
        ):
            # "Find the error" speaks of no findings.
            best *= 0.3
        # One word that is heard does not stand for two things by a group that both are in.
        if by in used:
            best *= 0.4
        elif by:
            used.update(key for key, _ in keys if key[0] == "#")
        named += weight * best
    nouns = named / whole if whole else 0.0
    if not whole and (profile.specific or act >= 0.95):
        nouns = act
    hits = rare = covered = 0.0
    content = said.content
    for token, verb, held in said.words:
        best, best_rare = held.get(place, NOTHING)
        if token is clause.head:
            if act < 0.9 and best > 0.4 and token.low not in LIGHT:
                # "Vacuum the hall" where the tool is about a vacuum.
                hits += 0.5 * best
            best = max(best, 0.8 * act)
            rare += max(best_rare, 0.8 if verb in profile.acts else 0.0)
        else:
            hits += best * token.weight
            if token.acts and verb in profile.acts:
                best_rare = max(best_rare, 0.5)
            rare += best_rare
        if not token.kind and not token.stop:
            covered += best * token.weight
        elif token.kind and best > 0.4:
            covered += best
            content += 1.0
    coverage = covered / content if content else 0.0
    missing = missing_of(profile, heard)
    values = 0.0
    for parameter in wants.telling:
        if parameter.kind == "enum":
            if not parameter.enum.isdisjoint(said.lows):
                values += 0.08
        elif parameter.kind == "coordinate":
            if COORDINATE.search(clause.text):
                values += 0.1
        elif not heard.kinds.isdisjoint(SERVED_BY[parameter.kind]):
            values += 0.1 if parameter.required else 0.05
    things = max(nouns, min(1.0, 0.6 * hits))
    if said.units and any(not one.stems.isdisjoint(said.units) for one in wants.numbers):
        values += 0.2
        things = max(things, 0.3)
    by_shell = False
    if profile.executes and clause.mood in {Mood.REQUEST, Mood.FRAGMENT}:
        if is_command(clause.text):
            act, things, coverage = 1.0, max(things, 0.9), max(coverage, 0.5)
            rare += 1.0
            by_shell = True
        elif clause.head is not None and (
            clause.sought
            or not _SHELL_ACTS.isdisjoint(clause.head.acts)
            or (not _LOOKING.isdisjoint(clause.head.acts) and not _FILES.isdisjoint(heard.keys))
        ):
            # A shell does what no tool of its own is there for.
            act, things, by_shell = max(act, 0.7), max(things, 0.55), True
    if profile.knowledge:
        if clause.head is not None and "search" in clause.head.acts:
            things = max(things, 0.7)
        elif clause.mood is Mood.QUESTION and heard.values:
            things = max(things, 0.4)
    if clause.sought and wants.searches and wants.inside:
        act, things = 1.0, max(things, 0.8)
    if heard.picks and act >= 0.9 and wants.an_id:
        things = max(things, 0.4)
    if profile.specific and act >= 0.9:
        things = max(things, 0.6)
    if only and (served(heard, profile) or (act >= 0.95 and profile.act in _DIRECT and takes_any(heard, profile))):
        things = max(things, 0.5)
    elif only and act >= 0.9 and not profile.required and (things > 0.1 or not clause.text.isascii()):
        things = max(things, 0.35)
    apart = nouns < 0.3 and speaks_of_another_thing(clause, index)
    if apart:
        things *= 0.4
    if act >= 0.7 and not missing and not wants.placed.isdisjoint(heard.kinds):
        things = max(things, 0.3)
    own = act >= 0.95 and clause.head is not None and "=" + clause.head.stem in profile.acts
    if own and profile.act == "search" and not missing and wants.asked:
        things = max(things, 0.3)
    if only and own and not profile.required and not apart:
        things = max(things, 0.3)
    if heard.background and own:
        # "Read it back": what was spoken of before is what the act is done to.
        before = heard.kinds - {token.kind for token in heard.values}
        if any(not before.isdisjoint(SERVED_BY.get(lack.kind, ())) for lack in profile.required):
            things = max(things, 0.35)
    things = max(things, said.background.get(place, 0.0))
    score = 0.35 * act + 0.4 * things + 0.25 * coverage + min(values, 0.2)
    against = 0.0
    if profile.act in lexicon().reading and is_unknown(clause):
        # "Refill it": a word that a tool's name has as a noun is what is to be done, not what to ask about.
        against = 0.15
    if not by_shell and conflicts(clause, profile):
        score -= 0.35
        against = 0.2
    sure = 0.12 if clause.head is not None and act >= 0.95 else 0.0
    lacks = lacking(tuple(one for one in missing if one.kind not in _BROUGHT) if place in offer.chained else missing)
    rank = sure + score + 0.3 * min(rare, 2.0) + 0.15 * nouns - lacks - against + listing(heard, wants)
    if by_shell and clause.head is not None and "run" in clause.head.acts:
        rank += 0.15
    if said.globs and wants.patterned:
        rank += (
            (0.5 if "glob" in index or "name" in index or "nam" in index else 0.3)
            if wants.patterned[0].stems & PATTERNS
            else -0.3
        )
    if heard.picks and wants.an_id:
        rank += 0.3
    if heard.values:
        codes = heard.counted.counts.get("id", 0)
        if codes and wants.an_id and not missing:
            rank += 0.12
        rank += 0.04 * min(at_home(profile, heard.counted), 3) - 0.12 * min(homeless(profile, heard.counted), 3)
    return Fit(offered, score, rank, act, things, missing)


_DIRECT = frozenset("delete start stop restart open close lock unlock block unblock order play print follow".split())


def speaks_of_another_thing(clause: Clause, index: dict[str, float]) -> bool:
    """Whether what the act is done to is a well-known thing that the tool knows nothing of: "order me a taxi"."""
    if clause.head is None or clause.mood is not Mood.REQUEST:
        return False
    place = next((number for number, token in enumerate(clause.tokens) if token is clause.head), -1)
    for token in clause.tokens[place + 1 : place + 6]:
        if token.stop or token.acts or token.covered:
            continue
        if token.kind or not any(key[0] == "#" for key, _ in token.keys):
            return False
        return not any(index.get(key, 0.0) * strength > 0.25 for key, strength in token.keys)
    return False
