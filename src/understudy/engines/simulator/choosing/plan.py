"""All calls that what is asked stands for, in order, with what each of them follows from."""

from __future__ import annotations

from understudy.engines.simulator.choosing.adding import Adding
from understudy.engines.simulator.choosing.clauses import Clause, clause_of, clauses_of
from understudy.engines.simulator.choosing.denying import denied_by
from understudy.engines.simulator.choosing.earlier import CORRECTS, MOST_BACK, Earlier, picks
from understudy.engines.simulator.choosing.elaborating import (
    AGAIN,
    REPORTS,
    adds,
    elaborate,
    is_label,
    is_sibling,
    once_more,
    says_state,
    says_too_little,
)
from understudy.engines.simulator.choosing.fit import fits
from understudy.engines.simulator.choosing.followups import is_yes, offer_in, says_again
from understudy.engines.simulator.choosing.gated import Gated, first_in, words_in
from understudy.engines.simulator.choosing.hearing import Heard, heard_of, lacked_in, lacks_its_id
from understudy.engines.simulator.choosing.judging import best_of
from understudy.engines.simulator.choosing.moods import ONLY, Mood, forbids_tools, is_general, is_social
from understudy.engines.simulator.choosing.naming import named_in
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.parting import parts_of
from understudy.engines.simulator.choosing.providing import look_up_first, use_what_is_found
from understudy.engines.simulator.choosing.remembered import key_of, remember, remembered
from understudy.engines.simulator.choosing.settling import (
    asked_apart,
    likeliest_tool,
    only_looks,
    parts_by_clause,
    upheld,
)
from understudy.engines.simulator.choosing.situation import Situation
from understudy.engines.simulator.choosing.steps import Step
from understudy.engines.simulator.choosing.weighing import Scales
from understudy.engines.simulator.choosing.whole import heard_whole, joined, likeliest

_MOST_STEPS = 16


_TOO = Gated(r"\b(?:too|lost|stolen|need)\b")


def plan_of(offer: Offer, situation: Situation, *, must: bool = False, depth: int = 0) -> list[Step]:
    key = key_of(offer, situation, must=must, depth=depth)
    steps = remembered(key, offer)
    if steps is None:
        steps = _planned(offer, situation, must=must, depth=depth)
        remember(key, offer, steps)
    return steps


def _planned(offer: Offer, situation: Situation, *, must: bool, depth: int) -> list[Step]:
    asked = situation.asked.strip()
    steps: list[Step] = []
    if asked and not is_social(asked) and not forbids_tools(asked):
        steps = _Planner(offer, situation, depth).steps(asked)
    if not steps and is_yes(asked) and len(asked) < 40 and not forbids_tools(asked):
        steps = _confirmed(offer, situation, depth)
    if not steps and must:
        heard = heard_of(clause_of(asked[-1_000:], offer.verbs))
        best = fits(heard, offer)[0]
        steps = [Step(best.offered.tool, asked)]
    return steps


def _confirmed(offer: Offer, situation: Situation, depth: int) -> list[Step]:
    """The call that the model has just offered to make, when it is told to go on."""
    if not situation.earlier or situation.earlier[-1][0] != "assistant" or depth >= MOST_BACK:
        return []
    offered = offer_in(situation.earlier[-1][1])
    if not offered:
        return []
    before = Situation(offered, situation.earlier[:-1], tenant=situation.tenant)
    return plan_of(offer, before, depth=depth + 1)


def _plan_back(offer: Offer, situation: Situation, depth: int) -> list[Step]:
    return plan_of(offer, situation, depth=depth)


class _Planner:
    def __init__(self, offer: Offer, situation: Situation, depth: int) -> None:
        self._offer = offer
        self._situation = situation
        self._depth = depth
        self._whole: Heard | None = None
        self._in_general = is_general(situation.asked, words_in(situation.asked))
        self._denied: frozenset[str] = frozenset()
        # Whether a clause surely takes up the turn before or names its tool, and whether it seems to go on with it.
        self._taken_up = self._goes_back = False
        self._goes_on = bool(situation.earlier) or depth > 0
        self._adding = Adding(offer, situation)
        self._earlier = Earlier(offer, situation, depth, _plan_back)

    def steps(self, asked: str) -> list[Step]:
        clauses = likeliest(clauses_of(asked, self._offer.verbs))
        steps: list[Step] = []
        background: dict[str, float] = {}
        kinds: set[str] = set()
        pending: list[Clause] = []
        lacks_id = lacks_its_id(asked)
        lacked = lacked_in(asked) if lacks_id else frozenset[str]()
        self._whole = self._adding.whole = heard_whole(clauses)
        if self._whole is not None:
            self._whole.lacks_id, self._whole.lacked = lacks_id, lacked
        soft: set[int] = set()
        self._denied = self._adding.denied = denied_by(clauses, self._offer)
        picking = bool(self._situation.earlier) and picks(asked)
        for number, clause in enumerate(clauses):
            if clause.mood in {Mood.SOCIAL, Mood.NEGATED, Mood.META}:
                continue
            following = clauses[number + 1].mood if number + 1 < len(clauses) else None
            if (
                clause.mood is Mood.FRAGMENT
                and is_label(clause)
                and any(
                    other.mood is Mood.REQUEST and other.head is not None and other.head.acts
                    for other in clauses[number + 1 :]
                )
            ):
                # "Policy number PX-1." before the request says what the request is about.
                clause.mood = Mood.STATEMENT
            if (
                clause.mood is Mood.WISH
                and clause.condition == ""
                and _TOO.search(clause.text)
                and following is Mood.REQUEST
            ):
                clause.mood = Mood.STATEMENT
            if says_state(clause, self._offer):
                clause.mood = Mood.WISH
                clause.acts |= {"update": 0.95}
            heard = heard_of(clause, background if clause.refers_back else None)
            if clause.refers_back:
                heard.kinds |= kinds
            heard.lacks_id, heard.lacked = lacks_id, lacked
            heard.picks = picking
            if not steps and CORRECTS.match(clause.text, first_in(clause.text)):
                corrected = self._earlier.corrected(clause, heard)
                if corrected:
                    steps += corrected
                    self._taken_up = True
                    continue
            if not steps and (says_again(clause) or self._earlier.gone_on_by(clause, heard)):
                inherited = self._earlier.inherited(clause, heard, len(clauses) - number, self._adding.added)
                if inherited:
                    steps += inherited
                    self._goes_back = True
                    self._taken_up = says_again(clause) or all(token.kind or token.stop for token in clause.tokens)
                    continue
            if steps and clause.mood is Mood.FRAGMENT and ONLY.match(clause.text) and not heard.values:
                elaborate(steps, clause)
                continue
            if steps and REPORTS.match(clause.text, first_in(clause.text)):
                # To say what came of it is the answer itself.
                continue
            named = named_in(clause.text, self._offer) if clause.mood is not Mood.EXPLAIN else None
            if named is not None:
                steps.append(Step(named.tool, clause.text, len(steps) - 1 if steps and clause.after else None))
                self._taken_up = True
                continue
            best = best_of(heard, self._offer, in_general=self._in_general, without=self._denied)
            if best is not None and self._earlier.answers(clause, heard, best):
                self._taken_up = True
                continue
            if (
                best is not None
                and clause.refers_back
                and not heard.values
                and not AGAIN.search(clause.text, clause.words)
            ):
                planned = [
                    place for place, step in enumerate(steps) if step.tool is best.offered.tool and place in soft
                ]
                if planned:
                    steps[planned[0]] = steps[planned[0]].with_ask(f"{steps[planned[0]].ask}. {clause.text}")
                    continue
            if (
                best is not None
                and steps
                and number
                and clauses[number - 1].mood is Mood.NEGATED
                and clause.refers_back
            ):
                # "Don't post it, just keep it as a draft": what was planned is to be done another way.
                steps[-1] = Step(best.offered.tool, joined([steps[-1].ask, clause.text]), steps[-1].after)
                continue
            if best is not None and steps and is_sibling(steps, clause, best, self._offer):
                self._taken_up = True
                steps[-1] = Step(best.offered.tool, joined([steps[-1].ask, clause.text]), steps[-1].after)
                continue
            if best is not None and says_too_little(
                clauses,
                heard,
                best,
                self._offer,
                planned=bool(steps),
                goes_on=self._goes_on,
            ):
                continue
            if best is not None and not steps and self._earlier.repeated_by(clause, best):
                inherited = self._earlier.inherited(clause, heard, 1, self._adding.added)
                if inherited:
                    steps += inherited
                    self._goes_back = True
                    self._taken_up = self._taken_up or all(token.kind or token.stop for token in clause.tokens)
                    continue
            if not steps:
                several = self._earlier.all_of_them(clause, heard, best)
                if several:
                    steps += several
                    self._taken_up = True
                    continue
            if best is None and not steps:
                inherited = self._earlier.inherited(clause, heard, len(clauses) - number, self._adding.added)
                if inherited:
                    steps += inherited
                    self._goes_back = True
                    self._taken_up = self._taken_up or all(token.kind or token.stop for token in clause.tokens)
                    continue
            if best is None:
                more = once_more(steps, clause, self._offer)
                if more:
                    steps += more
                    continue
                if clause.condition:
                    check = best_of(
                        heard_of(clause_of(clause.condition, self._offer.verbs)),
                        self._offer,
                        in_general=self._in_general,
                    )
                    if check is not None:
                        self._adding.add(steps, check, heard_of(clause_of(clause.condition, self._offer.verbs)), [])
                leads = clause.mood is Mood.REQUEST and number + 1 < len(clauses) and clauses[number + 1].refers_back
                if steps and clause.mood is not Mood.EXPLAIN and not leads:
                    elaborate(steps, clause)
                else:
                    pending.append(clause)
                self._remember(background, kinds, heard, 0.7)
                continue
            if clause.condition and not steps:
                said = heard_of(clause_of("is " + clause.condition + "?", self._offer.verbs))
                check = best_of(said, self._offer, in_general=self._in_general)
                if check is not None and check.offered is not best.offered:
                    self._adding.add(steps, check, said, pending)
            if (
                steps
                and steps[-1].tool is best.offered.tool
                and (clause.mood is Mood.FRAGMENT or (clause.mood is Mood.QUESTION and best.missing))
            ):
                more = once_more(steps, clause, self._offer)
                if more:
                    steps += more
                    continue
            if steps and steps[-1].tool is best.offered.tool and not adds(clause, best):
                elaborate(steps, clause)
            else:
                apart = parts_of(clause, best, self._offer) if clause.mood not in {Mood.STATEMENT, Mood.EXPLAIN} else []
                for fit, part in apart:
                    self._adding.add(steps, fit, part, pending)
                if not apart:
                    begin = len(steps)
                    self._adding.add(steps, best, heard, pending)
                    if clause.mood is not Mood.REQUEST or len(steps) - begin > 1:
                        soft |= set(range(begin, len(steps)))
            pending = []
            self._remember(background, kinds, heard, 0.5)
            if len(steps) >= _MOST_STEPS:
                break
        if not steps:
            self._adding.from_whole(steps, clauses)
        steps = self._settled(asked, clauses, steps)
        if lacks_id and self._whole is not None:
            use_what_is_found(steps, self._whole, self._offer)
        look_up_first(steps, self._offer, self._situation.asked)
        if len(steps) == 1 and (len(clauses) > 1 or steps[0].ask == clauses[0].text):
            steps[0] = steps[0].with_ask(_whole(asked, clauses) or steps[0].ask)
        return steps[:_MOST_STEPS]

    def _settled(self, asked: str, clauses: list[Clause], steps: list[Step]) -> list[Step]:
        """The steps, or others where the signs speak for another tool or for none."""
        whole, offer = self._whole, self._offer
        if whole is None or self._taken_up or any(clause.sought for clause in clauses):
            return steps
        scales = Scales(offer, self._situation.made)
        if len(clauses) > 1 and not self._goes_back and not any(step.condition for step in steps):
            parts = parts_by_clause(clauses, scales, self._denied)
            if parts and len({step.tool.name for step in steps}) > 1:
                steps = upheld(steps, parts, scales)
            else:
                runs = asked_apart(parts)
                if runs:
                    return self._adding.apart(runs)
        if len({step.tool.name for step in steps}) > 1:
            return steps
        best = likeliest_tool(steps, asked, clauses, whole, scales, self._denied, surely=self._goes_back)
        if best is None:
            return []
        if steps and steps[0].tool is best.tool:
            return steps if self._goes_back else self._adding.for_each_value(steps, whole, best)
        fit = next(fit for fit in fits(whole, offer) if fit.offered is best)
        if not steps and fit.missing and not whole.values and not self._goes_on:
            # Nothing is said of what the call must be told, and nothing was before.
            return []
        if not steps and only_looks(clauses, best.profile):
            return []
        return self._adding.added(fit, whole)

    def _remember(self, background: dict[str, float], kinds: set[str], heard: Heard, share: float) -> None:
        if heard.clause.mood is Mood.EXPLAIN:
            return
        before = background.get
        for key, strength in heard.keys.items():
            strength *= share
            if strength > before(key, 0.0):
                background[key] = strength
        kinds |= heard.lasting


def _whole(asked: str, clauses: list[Clause]) -> str:
    """All that is said, without what is not to be done; empty where that leaves nothing out."""
    kept = [clause.text for clause in clauses if clause.mood not in {Mood.NEGATED, Mood.SOCIAL, Mood.META}]
    if len(asked) > 2_000:
        return ""
    return asked if len(kept) == len(clauses) else joined(kept)
