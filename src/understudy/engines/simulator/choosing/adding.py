"""The calls that a fit stands for: one for each value, after those that bring what they lack."""

from __future__ import annotations

import re

from understudy.engines.simulator.choosing.clauses import Clause, clause_of
from understudy.engines.simulator.choosing.fit import fits
from understudy.engines.simulator.choosing.hearing import Fit, Heard, heard_of, missing_of
from understudy.engines.simulator.choosing.offers import Offer, Offered
from understudy.engines.simulator.choosing.providing import provider_of
from understudy.engines.simulator.choosing.series import asks_of
from understudy.engines.simulator.choosing.settling import Part
from understudy.engines.simulator.choosing.situation import Situation
from understudy.engines.simulator.choosing.slots import asks_by_slots, fits_one_call
from understudy.engines.simulator.choosing.steps import Step
from understudy.engines.simulator.choosing.whole import heard_whole, only_taker, whole_fit

_ALL = re.compile(r"\b(?:all|each|every|both|any|everyone|everybody)\b", re.IGNORECASE)
_MANY = re.compile(r"\b(?:them|they|both|those|these|each|all)\b", re.IGNORECASE)


class Adding:
    """`whole` is the turn read as one, where it can be; `denied` are the names of tools that are not to be called."""

    def __init__(self, offer: Offer, situation: Situation) -> None:
        self._offer = offer
        self._situation = situation
        self.whole: Heard | None = None
        self.denied: frozenset[str] = frozenset()

    def add(self, steps: list[Step], best: Fit, heard: Heard, pending: list[Clause]) -> None:
        clause = heard.clause
        after: int | None = len(steps) - 1 if steps and clause.after else None
        missing = best.missing
        if after is not None and clause.refers_back:
            # What the words before brought may not be what this call needs.
            missing = missing_of(best.offered.profile, heard_of(clause))
        needs = False
        told_before = False
        if missing and self.whole is not None and not clause.after and not steps:
            # What the story before it has said is not lacking.
            lacking = missing_of(best.offered.profile, self.whole)
            told_before = len(lacking) < len(missing)
            missing = tuple(lack for lack in missing if lack in lacking)
        if missing and after is None and not (self._situation.earlier and clause.refers_back):
            provider = provider_of(best, missing, heard, self._offer)
            told = clause.text
            if provider is None and self.whole is not None and len(self.whole.values) > len(heard.values):
                provider, told = provider_of(best, missing, self.whole, self._offer), self.whole.clause.text
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
        if told_before and len(texts) == 1 and self.whole is not None and not _MANY.search(clause.text):
            texts, lead = [self.whole.clause.text], ""
        if len(texts) == 1 and pending and _MANY.search(clause.text):
            texts = asks_of(clause_of(f"{pending[-1].text}, {clause.text}"), best.offered.profile)
            lead = "" if len(texts) > 1 else lead
        for ask in texts:
            text = f"{lead} {ask}".strip()
            steps += [Step(best.offered.tool, text, after, needs, each, clause.condition)]

    def added(self, fit: Fit, heard: Heard) -> list[Step]:
        steps: list[Step] = []
        self.add(steps, fit, heard, [])
        return steps

    def apart(self, runs: list[list[Part]]) -> list[Step]:
        steps: list[Step] = []
        for run in runs:
            heard = heard_whole([part.clause for part in run])
            if heard is not None:
                heard.clause.after = bool(steps) and run[0].clause.after
                fit = next(fit for fit in fits(heard, self._offer) if fit.offered is run[0].offered)
                self.add(steps, fit, heard, [])
        return steps

    def from_whole(self, steps: list[Step], clauses: list[Clause]) -> None:
        """The calls that the whole turn speaks of; where an id is lacking, after the one that looks it up."""
        heard = self.whole
        if heard is None:
            return
        best = whole_fit(clauses, heard, self._offer, lacking=True)
        if best is not None and best.offered.tool.name in self.denied:
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

    def for_each_value(self, steps: list[Step], whole: Heard, best: Offered) -> list[Step]:
        """As many calls of one tool as the whole turn has values for."""
        text, tokens = whole.clause.text, whole.clause.tokens
        if len(steps) == 1:
            asks = asks_by_slots(text, tokens, best.profile)
            return [steps[0].with_ask(ask) for ask in asks] if len(asks) > 1 else steps
        alike = not any(step.condition or step.each or step.needs for step in steps)
        if alike and fits_one_call(text, tokens, best.profile):
            return [steps[0].with_ask(text)]
        return steps
