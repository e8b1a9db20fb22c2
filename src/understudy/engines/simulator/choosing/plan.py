"""All calls that what is asked stands for, in order, with what each of them follows from."""

from __future__ import annotations

import re

from understudy.engines.simulator.choosing.clauses import Clause, clause_of, clauses_of
from understudy.engines.simulator.choosing.denying import denied_by
from understudy.engines.simulator.choosing.earlier import CORRECTS, MOST_BACK, PICKS, Earlier
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
from understudy.engines.simulator.choosing.hearing import Fit, Heard, heard_of, lacked_in, lacks_its_id, missing_of
from understudy.engines.simulator.choosing.judging import best_of
from understudy.engines.simulator.choosing.moods import ONLY, Mood, forbids_tools, is_general, is_social
from understudy.engines.simulator.choosing.naming import named_in
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.parting import parts_of
from understudy.engines.simulator.choosing.providing import look_up_first, provider_of, use_what_is_found
from understudy.engines.simulator.choosing.series import asks_of
from understudy.engines.simulator.choosing.situation import Situation
from understudy.engines.simulator.choosing.steps import Step
from understudy.engines.simulator.choosing.whole import heard_whole, joined, likeliest, only_taker, whole_fit

_MOST_STEPS = 16


_ALL = re.compile(r"\b(?:all|each|every|both|any|everyone|everybody)\b", re.IGNORECASE)


_TOO = re.compile(r"\b(?:too|lost|stolen|need)\b", re.IGNORECASE)


_MANY = re.compile(r"\b(?:them|they|both|those|these|each|all)\b", re.IGNORECASE)


def plan_of(offer: Offer, situation: Situation, *, must: bool = False, depth: int = 0) -> list[Step]:
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
    return plan_of(offer, Situation(offered, situation.earlier[:-1]), depth=depth + 1)


def _plan_back(offer: Offer, situation: Situation, depth: int) -> list[Step]:
    return plan_of(offer, situation, depth=depth)


class _Planner:
    def __init__(self, offer: Offer, situation: Situation, depth: int) -> None:
        self._offer = offer
        self._situation = situation
        self._depth = depth
        self._whole: Heard | None = None
        self._in_general = is_general(situation.asked)
        self._denied: frozenset[str] = frozenset()
        self._goes_on = bool(situation.earlier) or depth > 0
        self._earlier = Earlier(offer, situation, depth, _plan_back)

    def steps(self, asked: str) -> list[Step]:
        clauses = likeliest(clauses_of(asked, self._offer.verbs))
        steps: list[Step] = []
        background: dict[str, float] = {}
        kinds: set[str] = set()
        pending: list[Clause] = []
        lacks_id = lacks_its_id(asked)
        lacked = lacked_in(asked) if lacks_id else frozenset[str]()
        self._whole = heard_whole(clauses)
        if self._whole is not None:
            self._whole.lacks_id, self._whole.lacked = lacks_id, lacked
        soft: set[int] = set()
        self._denied = denied_by(clauses, self._offer)
        picks = bool(self._situation.earlier) and PICKS.search(asked) is not None
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
            heard.picks = picks
            if not steps and CORRECTS.match(clause.text):
                corrected = self._earlier.corrected(clause, heard)
                if corrected:
                    steps += corrected
                    continue
            if not steps and (says_again(clause) or self._earlier.gone_on_by(clause, heard)):
                inherited = self._earlier.inherited(clause, heard, len(clauses) - number, self._added)
                if inherited:
                    steps += inherited
                    continue
            if steps and clause.mood is Mood.FRAGMENT and ONLY.match(clause.text) and not heard.values:
                elaborate(steps, clause)
                continue
            if steps and REPORTS.match(clause.text):
                # To say what came of it is the answer itself.
                continue
            named = named_in(clause.text, self._offer) if clause.mood is not Mood.EXPLAIN else None
            if named is not None:
                steps.append(Step(named.tool, clause.text, len(steps) - 1 if steps and clause.after else None))
                continue
            best = best_of(heard, self._offer, in_general=self._in_general, without=self._denied)
            if best is not None and self._earlier.answers(clause, heard, best):
                continue
            if best is not None and clause.refers_back and not heard.values and not AGAIN.search(clause.text):
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
                inherited = self._earlier.inherited(clause, heard, 1, self._added)
                if inherited:
                    steps += inherited
                    continue
            if not steps:
                several = self._earlier.all_of_them(clause, best or fits(heard, self._offer)[0])
                if several:
                    steps += several
                    continue
            if best is None and not steps:
                inherited = self._earlier.inherited(clause, heard, len(clauses) - number, self._added)
                if inherited:
                    steps += inherited
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
                        self._add(steps, check, heard_of(clause_of(clause.condition, self._offer.verbs)), [])
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
                    self._add(steps, check, said, pending)
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
                    self._add(steps, fit, part, pending)
                if not apart:
                    begin = len(steps)
                    self._add(steps, best, heard, pending)
                    if clause.mood is not Mood.REQUEST or len(steps) - begin > 1:
                        soft |= set(range(begin, len(steps)))
            pending = []
            self._remember(background, kinds, heard, 0.5)
            if len(steps) >= _MOST_STEPS:
                break
        if not steps:
            self._from_whole(steps, clauses)
        if lacks_id and self._whole is not None:
            use_what_is_found(steps, self._whole, self._offer)
        look_up_first(steps, self._offer, self._situation.asked)
        if len(steps) == 1 and (len(clauses) > 1 or steps[0].ask == clauses[0].text):
            steps[0] = steps[0].with_ask(_whole(asked, clauses) or steps[0].ask)
        return steps[:_MOST_STEPS]

    def _from_whole(self, steps: list[Step], clauses: list[Clause]) -> None:
        """The calls that the whole turn speaks of; where an id is lacking, after the one that looks it up."""
        heard = self._whole
        if heard is None:
            return
        best = whole_fit(clauses, heard, self._offer, lacking=True)
        if best is not None and best.offered.tool.name in self._denied:
            return
        if best is not None and best.missing:
            found = not any(lack.kind not in {"id", "email", "phone"} for lack in best.missing)
            provider = provider_of(best, best.missing, heard, self._offer) if found else None
            if provider is not None:
                steps.append(Step(provider.offered.tool, heard.clause.text))
                steps.append(Step(best.offered.tool, heard.clause.text, 0, True))
                return
            best = None
        best = best or only_taker(clauses, heard, self._offer, earlier=bool(self._situation.earlier))
        if best is not None:
            steps += [Step(best.offered.tool, text) for text in asks_of(heard.clause, best.offered.profile)]

    def _remember(self, background: dict[str, float], kinds: set[str], heard: Heard, share: float) -> None:
        if heard.clause.mood is Mood.EXPLAIN:
            return
        for key, strength in heard.keys.items():
            background[key] = max(background.get(key, 0.0), share * strength)
        kinds |= heard.lasting

    def _add(self, steps: list[Step], best: Fit, heard: Heard, pending: list[Clause]) -> None:
        clause = heard.clause
        after: int | None = len(steps) - 1 if steps and clause.after else None
        missing = best.missing
        if after is not None and clause.refers_back:
            # What the words before brought may not be what this call needs.
            missing = missing_of(best.offered.profile, heard_of(clause))
        needs = False
        told_before = False
        if missing and self._whole is not None and not clause.after and not steps:
            # What the story before it has said is not lacking.
            lacking = missing_of(best.offered.profile, self._whole)
            told_before = len(lacking) < len(missing)
            missing = tuple(lack for lack in missing if lack in lacking)
        if missing and after is None and not (self._situation.earlier and clause.refers_back):
            provider = provider_of(best, missing, heard, self._offer)
            told = clause.text
            if provider is None and self._whole is not None and len(self._whole.values) > len(heard.values):
                provider, told = provider_of(best, missing, self._whole, self._offer), self._whole.clause.text
            planned = [number for number, step in enumerate(steps) if provider and step.tool is provider.offered.tool]
            if planned:
                after, needs = planned[-1], True
            elif provider is not None:
                steps.append(Step(provider.offered.tool, told))
                after, needs = len(steps) - 1, True
        if missing and steps and after is None and clause.refers_back:
            after, needs = len(steps) - 1, True
        needs = needs or bool(missing and after is not None)
        each = needs and bool(_ALL.search(clause.text)) and not any(parameter.array for parameter in missing)
        lead = " ".join(told.text if told.text[-1:] in ".!?" else told.text + "." for told in pending[-2:])
        texts = asks_of(clause, best.offered.profile)
        if told_before and len(texts) == 1 and self._whole is not None and not _MANY.search(clause.text):
            texts, lead = [self._whole.clause.text], ""
        if len(texts) == 1 and pending and _MANY.search(clause.text):
            texts = asks_of(clause_of(f"{pending[-1].text}, {clause.text}"), best.offered.profile)
            lead = "" if len(texts) > 1 else lead
        for ask in texts:
            text = f"{lead} {ask}".strip()
            steps += [Step(best.offered.tool, text, after, needs, each, clause.condition)]

    def _added(self, fit: Fit, heard: Heard) -> list[Step]:
        steps: list[Step] = []
        self._add(steps, fit, heard, [])
        return steps


def _whole(asked: str, clauses: list[Clause]) -> str:
    """All that is said, without what is not to be done; empty where that leaves nothing out."""
    kept = [clause.text for clause in clauses if clause.mood not in {Mood.NEGATED, Mood.SOCIAL, Mood.META}]
    if len(asked) > 2_000:
        return ""
    return asked if len(kept) == len(clauses) else joined(kept)
