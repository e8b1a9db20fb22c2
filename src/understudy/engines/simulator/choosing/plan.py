"""All calls that what is asked stands for, in order, with what each of them follows from."""

from __future__ import annotations

import re
from dataclasses import replace

from understudy.engines.simulator.choosing.clauses import Clause, clause_of, clauses_of
from understudy.engines.simulator.choosing.fit import Fit, Heard, Offer, fits, heard_of, lacks_its_id, missing_of
from understudy.engines.simulator.choosing.followups import is_elliptic, is_yes, offer_in, resolved, says_again
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.mending import mend
from understudy.engines.simulator.choosing.moods import Mood, forbids_tools, is_general, is_social, is_sum
from understudy.engines.simulator.choosing.profiles import Parameter
from understudy.engines.simulator.choosing.series import asks_of
from understudy.engines.simulator.choosing.serving import at_home
from understudy.engines.simulator.choosing.situation import Situation
from understudy.engines.simulator.choosing.steps import Step
from understudy.engines.simulator.choosing.whole import heard_whole, joined, only_taker, whole_fit

# What a fit must reach, by mood; and its part of things, so that the act alone never suffices.
_LEAST = {
    Mood.REQUEST: 0.43,
    Mood.QUESTION: 0.41,
    Mood.WISH: 0.43,
    Mood.FRAGMENT: 0.45,
    Mood.EXPLAIN: 0.85,
    Mood.COMPOSE: 0.85,
    Mood.STATEMENT: 0.95,
}
_LEAST_THINGS = 0.22
_MOST_STEPS = 16
_MOST_BACK = 3
_ALL = re.compile(r"\b(?:all|each|every|both|any|everyone|everybody)\b", re.IGNORECASE)


_TOO = re.compile(r"\b(?:too|lost|stolen|need)\b", re.IGNORECASE)
_OF_THOSE = re.compile(r"\b(?:which|how many|any|what|who|one|some|both) of (?:those|them|these)\b", re.IGNORECASE)
_MANY = re.compile(r"\b(?:them|they|both|those|these|each|all)\b", re.IGNORECASE)
_AGAIN = re.compile(r"\b(?:again|another|twice|once more|one more|second)\b", re.IGNORECASE)


def _adds(clause: Clause, fit: Fit) -> bool:
    """Whether a clause for the tool of the clause before it asks for one more call rather than saying more of that."""
    if _AGAIN.search(clause.text):
        return True
    if fit.missing and sum(bool(token.kind) for token in clause.tokens) <= 1:
        return False
    if clause.mood is Mood.WISH or (clause.mood is Mood.REQUEST and fit.act < 0.75):
        return False
    if clause.mood is Mood.FRAGMENT and fit.things < 0.6 and not clause.text.lower().startswith("and "):
        return False
    enums = {value for parameter in fit.offered.profile.parameters for value in parameter.enum}
    return any(token.kind and token.low not in enums for token in clause.tokens)


_DEFINITE = frozenset(
    "i me we us the my our your his her their this that these those now currently today today's any here latest "
    "current "
    "der die das den dem mein meine le la les mon ma mes el los las mi mis".split()
)


def _is_label(clause: Clause) -> bool:
    """Whether a fragment only says the value of something: "Policy number PX-1002"."""
    kinds = {token.kind for token in clause.tokens}
    return (
        len(clause.tokens) <= 5
        and not clause.text.endswith("?")
        and not kinds.isdisjoint({"id", "number", "email", "code"})
    )


_GENERAL_MORE = 0.25


def _asks_of_here(heard: Heard, fit: Fit) -> bool:
    """Whether an explanation is wanted of what a tool is just for, of a place, a day or a thing that is named."""
    return (
        fit.things >= 0.8
        and fit.act >= 0.6
        and not fit.missing
        and not is_general(heard.clause.text)
        and fit.offered.profile.act in lexicon().reading
        and any(token.kind in {"name", "date", "id", "code"} for token in heard.values)
        and not _WHY.match(heard.clause.text)
    )


def _clear_act(heard: Heard, fit: Fit) -> bool:
    """Whether an act that is just the tool's, or a good fit otherwise, makes up for things that are hardly named."""
    head = heard.clause.head
    own = head is not None and fit.act >= 0.95 and "=" + head.stem in fit.offered.profile.acts
    return not fit.missing and (
        (own and fit.things > 0.1 and fit.score > 0.5) or (fit.score > 0.55 and fit.things > 0.15)
    )


_SUMS = frozenset(("calculate", "convert"))
_WHY = re.compile(
    r"^\W*(?:why|how (?:do|can|would|should|could|might) (?:i|we|you|one|people)|how to|should|explain|how come"
    r"|what(?:'s| is) (?:an? |the (?:difference|meaning|point)))",
    re.IGNORECASE,
)


def _is_general(heard: Heard) -> bool:
    """Whether a question names nothing in particular: such a question is mostly about the world at large."""
    return (
        heard.clause.text.isascii()
        and not heard.values
        and not heard.clause.refers_back
        and not any(token.low in _DEFINITE for token in heard.clause.tokens)
    )


_REPORTS = re.compile(
    r"^\W*(?:(?:and|then|finally|please) )*(?:report|tell|show|give|print|summari[sz]e|explain|describe|return"
    r"|send|let)(?: me| us)?"
    r"(?: know)?(?: back)? (?:(?:on |about )?(?:the |its |their )?(?:\w+ )?(?:output|results?|outcome|answer"
    r"|contents?|summary|findings)"
    r"|what (?:it|they|you) (?:says?|prints?|finds?|found|returns?|shows?|outputs?|got|get|see)|what (?:happens"
    r"|happened|comes out)"
    r"|how it (?:went|goes)|it)\W*$",
    re.IGNORECASE,
)
_JUST = re.compile(r"^\W*(?:just|only) (?:the|their|its|a|an)\b", re.IGNORECASE)
_CORRECTS = re.compile(
    r"^\W*(?:(?:no|sorry|actually|oops|wait|hmm|oh|on second thought)\b[, ]*)*(?:make (?:it|that|them)"
    r"|change (?:it|that) to)\b",
    re.IGNORECASE,
)
_AND_ALSO = re.compile(r"^\W*(?:and|also|what about|how about|same for|und|et|y|plus)\b", re.IGNORECASE)
_PARTS = re.compile(r",? (?:and also|and|as well as|plus) ", re.IGNORECASE)


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
    if not situation.earlier or situation.earlier[-1][0] != "assistant" or depth >= _MOST_BACK:
        return []
    offered = offer_in(situation.earlier[-1][1])
    if not offered:
        return []
    return plan_of(offer, Situation(offered, situation.earlier[:-1]), depth=depth + 1)


def previous_steps(offer: Offer, situation: Situation, depth: int) -> tuple[list[Step], str]:
    """The steps of the newest earlier user turn that had some, and its text."""
    if depth >= _MOST_BACK:
        return [], ""
    earlier = situation.earlier
    looked = 0
    for place in range(len(earlier) - 1, -1, -1):
        role, text = earlier[place]
        if role != "user" or not text.strip():
            continue
        steps = plan_of(offer, Situation(text, earlier[:place]), depth=depth + 1)
        if steps:
            return steps, text
        looked += 1
        if looked == _MOST_BACK:
            break
    return [], ""


class _Planner:
    def __init__(self, offer: Offer, situation: Situation, depth: int) -> None:
        self._offer = offer
        self._situation = situation
        self._depth = depth
        self._whole: Heard | None = None
        self._in_general = is_general(situation.asked)
        self._previous: tuple[list[Step], str] | None = None

    def _earlier(self) -> tuple[list[Step], str]:
        if self._previous is None:
            self._previous = (
                previous_steps(self._offer, self._situation, self._depth) if self._situation.earlier else ([], "")
            )
        return self._previous

    def steps(self, asked: str) -> list[Step]:
        clauses = clauses_of(asked, self._offer.verbs)
        steps: list[Step] = []
        background: dict[str, float] = {}
        kinds: set[str] = set()
        pending: list[Clause] = []
        lacks_id = lacks_its_id(asked)
        self._whole = heard_whole(clauses)
        if self._whole is not None:
            self._whole.lacks_id = lacks_id
        soft: set[int] = set()
        for number, clause in enumerate(clauses):
            if clause.mood in {Mood.SOCIAL, Mood.NEGATED, Mood.META}:
                continue
            following = clauses[number + 1].mood if number + 1 < len(clauses) else None
            if (
                clause.mood is Mood.FRAGMENT
                and _is_label(clause)
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
            heard = heard_of(clause, background if clause.refers_back else None)
            if clause.refers_back:
                heard.kinds |= kinds
            heard.lacks_id = lacks_id
            if not steps and _CORRECTS.match(clause.text):
                corrected = self._corrected(clause, heard)
                if corrected:
                    steps += corrected
                    continue
            if not steps and (says_again(clause) or self._goes_on(clause, heard)):
                inherited = self._inherited(clause, heard, len(clauses) - number)
                if inherited:
                    steps += inherited
                    continue
            if steps and _REPORTS.match(clause.text):
                # To say what came of it is the answer itself.
                continue
            best = self._best(heard)
            if best is not None and self._answered(clause, heard, best):
                continue
            if best is not None and clause.refers_back and not heard.values and not _AGAIN.search(clause.text):
                planned = [
                    place for place, step in enumerate(steps) if step.tool is best.offered.tool and place in soft
                ]
                if planned:
                    steps[planned[0]] = steps[planned[0]].with_ask(f"{steps[planned[0]].ask}. {clause.text}")
                    continue
            if best is not None and steps and self._siblings(steps, clause, best):
                steps[-1] = Step(best.offered.tool, joined([steps[-1].ask, clause.text]), steps[-1].after)
                continue
            if best is not None and self._says_too_little(clauses, clause, heard, best, planned=bool(steps)):
                continue
            if best is not None and not steps and self._repeats(clause, best):
                inherited = self._inherited(clause, heard, 1)
                if inherited:
                    steps += inherited
                    continue
            if best is None and not steps:
                inherited = self._inherited(clause, heard, len(clauses) - number)
                if inherited:
                    steps += inherited
                    continue
            if best is None:
                more = self._more(steps, clause)
                if more:
                    steps += more
                    continue
                if clause.condition:
                    check = self._best(heard_of(clause_of(clause.condition, self._offer.verbs)))
                    if check is not None:
                        self._add(steps, check, heard_of(clause_of(clause.condition, self._offer.verbs)), [])
                leads = clause.mood is Mood.REQUEST and number + 1 < len(clauses) and clauses[number + 1].refers_back
                if steps and clause.mood is not Mood.EXPLAIN and not leads:
                    self._elaborate(steps, clause)
                else:
                    pending.append(clause)
                self._remember(background, kinds, heard, 0.7)
                continue
            if clause.condition and not steps:
                said = heard_of(clause_of("is " + clause.condition + "?", self._offer.verbs))
                check = self._best(said)
                if check is not None and check.offered is not best.offered:
                    self._add(steps, check, said, pending)
            if (
                steps
                and steps[-1].tool is best.offered.tool
                and (clause.mood is Mood.FRAGMENT or (clause.mood is Mood.QUESTION and best.missing))
            ):
                more = self._more(steps, clause)
                if more:
                    steps += more
                    continue
            if steps and steps[-1].tool is best.offered.tool and not _adds(clause, best):
                self._elaborate(steps, clause)
            else:
                apart = self._apart(clause, best) if clause.mood not in {Mood.STATEMENT, Mood.EXPLAIN} else []
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
        self._look_up_first(steps)
        if len(steps) == 1 and (len(clauses) > 1 or steps[0].ask == clauses[0].text):
            steps[0] = steps[0].with_ask(_whole(asked, clauses) or steps[0].ask)
        return steps[:_MOST_STEPS]

    def _corrected(self, clause: Clause, heard: Heard) -> list[Step]:
        """ "Make that 6:45" after a thing was made: the tool that changes such a thing, where there is one."""
        if not self._situation.earlier:
            return []
        steps = self._earlier()[0]
        if not steps:
            return []
        before = next(offered.profile for offered in self._offer.tools if offered.tool is steps[-1].tool)
        if before.acts.get("create", 0.0) < 0.6 and before.acts.get("schedule", 0.0) < 0.6:
            return []
        things = {key for keys, _ in before.nouns for key in keys if key[0] != "#"}
        for fit in fits(heard, self._offer):
            profile = fit.offered.profile
            nouns = {key for keys, _ in profile.nouns for key in keys if key[0] != "#"}
            if profile.act == "update" and things & nouns and fit.offered.tool is not steps[-1].tool:
                return [Step(fit.offered.tool, clause.text)]
        return []

    def _siblings(self, steps: list[Step], clause: Clause, best: Fit) -> bool:
        """Whether a clause says that what was planned is to be done another way: "put it in my drafts"."""
        if best.offered.tool is steps[-1].tool or any(token.kind for token in clause.tokens):
            return False
        if clause.mood is Mood.FRAGMENT and _JUST.match(clause.text):
            return True
        if not clause.refers_back or not missing_of(best.offered.profile, heard_of(clause)):
            return False
        last = next(offered.profile for offered in self._offer.tools if offered.tool is steps[-1].tool)
        mine = {parameter.name for parameter in best.offered.profile.required}
        return len(mine) > 1 and mine <= {parameter.name for parameter in last.required}

    def _look_up_first(self, steps: list[Step]) -> None:
        """Puts a look-up that is asked for last before the call that takes the id it brings."""
        if len(steps) != 2 or steps[0].after is not None or any(step.condition for step in steps):
            return
        first, second = (
            next(offered.profile for offered in self._offer.tools if offered.tool is step.tool) for step in steps
        )
        ids = [parameter for parameter in first.required if parameter.kind == "id"]
        if second.act != "search" or not ids or first is second:
            return
        things = {key for keys, _ in second.nouns for key in keys}
        told = any(token.kind in {"id", "code"} for token in clause_of(steps[0].ask).tokens)
        names = {word for parameter in ids for word in parameter.stems} | {"id"}
        if (things & names or any(second.index.get(word, 0.0) >= 0.4 for word in names)) and (
            not told or lacks_its_id(self._situation.asked)
        ):
            steps[:] = [replace(steps[1], after=None, needs=False), replace(steps[0], after=0, needs=True)]

    def _from_whole(self, steps: list[Step], clauses: list[Clause]) -> None:
        """The calls that the whole turn speaks of; where an id is lacking, after the one that looks it up."""
        heard = self._whole
        if heard is None:
            return
        best = whole_fit(clauses, heard, self._offer, lacking=True)
        if best is not None and best.missing:
            found = not any(lack.kind not in {"id", "email", "phone"} for lack in best.missing)
            provider = self._provider(best, best.missing, heard) if found else None
            if provider is not None:
                steps.append(Step(provider.offered.tool, heard.clause.text))
                steps.append(Step(best.offered.tool, heard.clause.text, 0, True))
                return
            best = None
        best = best or only_taker(clauses, heard, self._offer, earlier=bool(self._situation.earlier))
        if best is not None:
            steps += [Step(best.offered.tool, text) for text in asks_of(heard.clause, best.offered.profile)]

    def _says_too_little(
        self, clauses: list[Clause], clause: Clause, heard: Heard, best: Fit, *, planned: bool
    ) -> bool:
        """Whether one would have to ask back first: nothing but the wish is said, and what it takes cannot be found."""
        if (
            clause.mood is Mood.QUESTION
            and not planned
            and not self._situation.earlier
            and any(lack.kind == "id" for lack in best.missing)
            and not clause.refers_back
            and not any(token.low in _DEFINITE - {"the"} or token.kind in {"id", "number"} for token in clause.tokens)
        ):
            return self._provider(best, best.missing, heard) is None
        if (
            clause.mood not in {Mood.REQUEST, Mood.WISH}
            or self._situation.earlier
            or self._depth
            or not best.missing
            or clause.refers_back
            or any(token.kind for other in clauses for token in other.tokens)
        ):
            return False
        enums = {value for parameter in best.offered.profile.parameters for value in parameter.enum}
        if any(token.low in enums for token in clause.tokens) and len(best.missing) < 2:
            return False
        if all(lack.kind == "number" for lack in best.missing) and best.offered.profile.act not in {
            "pay",
            "order",
            "create",
        }:
            return False
        return self._provider(best, best.missing, heard) is None

    def _repeats(self, clause: Clause, best: Fit) -> bool:
        """Whether a short turn asks the tool of the turn before for something else: "and by train?"."""
        if (
            not self._situation.earlier
            or clause.mood not in {Mood.FRAGMENT, Mood.QUESTION}
            or not is_elliptic(clause, 1)
        ):
            return False
        steps = self._earlier()[0]
        return bool(steps) and steps[-1].tool is best.offered.tool

    def _remember(self, background: dict[str, float], kinds: set[str], heard: Heard, share: float) -> None:
        for key, strength in heard.keys.items():
            background[key] = max(background.get(key, 0.0), share * strength)
        kinds |= heard.kinds

    def _answered(self, clause: Clause, heard: Heard, best: Fit) -> bool:
        """Whether a question is about what an earlier call has brought: it is answered from there."""
        if _OF_THOSE.search(clause.text) and self._situation.earlier:
            return clause.mood in {Mood.QUESTION, Mood.FRAGMENT}
        if clause.mood is not Mood.QUESTION or not clause.refers_back or heard.values or not self._situation.earlier:
            return False
        earlier = self._situation.earlier
        for place in range(len(earlier) - 1, max(-1, len(earlier) - 2 * _MOST_BACK - 1), -1):
            if earlier[place][0] == "user" and self._depth == 0:
                steps = plan_of(self._offer, Situation(earlier[place][1], earlier[:place]), depth=_MOST_BACK - 1)
                if any(step.tool is best.offered.tool for step in steps):
                    return True
        return False

    def _goes_on(self, clause: Clause, heard: Heard) -> bool:
        """Whether a fragment ("And student 12?") has nothing that the tool of the turn before does not know."""
        if clause.mood is not Mood.FRAGMENT or not self._situation.earlier or not is_elliptic(clause, 1):
            return False
        steps = self._earlier()[0]
        if not steps:
            return False
        found = fits(heard, self._offer)
        same = next(fit for fit in found if fit.offered.tool is steps[-1].tool)
        more = at_home(found[0].offered.profile, heard.counted) - at_home(same.offered.profile, heard.counted)
        if found[0].rank > same.rank + (0.25 if more > 1 else 0.6) and found[0].score > 0.5:
            return False
        index = next(offered.profile.index for offered in self._offer.tools if offered.tool is steps[-1].tool)
        plain = [token for token in heard.content if not token.kind and not token.stop]
        return all(any(index.get(key, 0.0) * strength >= 0.2 for key, strength in token.keys) for token in plain)

    def _best(self, heard: Heard, *, mended: bool = False) -> Fit | None:
        found = fits(heard, self._offer)
        mood = heard.clause.mood
        least = _LEAST.get(mood, 1.0)
        if mood is Mood.QUESTION and _is_general(heard):
            least += _GENERAL_MORE
        if mood is Mood.QUESTION and self._in_general:
            least = _LEAST[Mood.EXPLAIN]
        summing = is_sum(heard.clause.text)
        for fit in found[:3]:
            if fit.score < (0.66 if mood is Mood.EXPLAIN and _asks_of_here(heard, fit) else least):
                continue
            if summing and fit.offered.profile.act not in _SUMS and not fit.offered.profile.executes:
                continue
            if fit.things < _LEAST_THINGS and not _clear_act(heard, fit):
                continue
            if mood is Mood.EXPLAIN and _asks_of_here(heard, fit):
                return fit
            if mood is Mood.EXPLAIN and not any(
                "=" + token.stem in fit.offered.profile.acts for token in heard.content[:1]
            ):
                continue
            return fit
        if not mended and mood in {Mood.REQUEST, Mood.QUESTION, Mood.FRAGMENT, Mood.WISH} and mend(heard, self._offer):
            return self._best(heard, mended=True)
        return None

    def _apart(self, clause: Clause, best: Fit) -> list[tuple[Fit, Heard]]:
        """The two tools that two joined things ask for: "the weather and the time in Tokyo"."""
        for match in _PARTS.finditer(clause.text):
            found: list[tuple[Fit, Heard]] = []
            for text in (clause.text[: match.start()], clause.text[match.end() :]):
                part = clause_of(text, self._offer.verbs)
                part.mood, part.head = clause.mood, clause.head
                part.acts = {**clause.acts, **dict.fromkeys(part.acts, 0.6)}
                heard = heard_of(part)
                fit = fits(heard, self._offer)[0]
                if fit.score >= 0.5 and fit.things >= 0.6:
                    heard.kinds |= {token.kind for token in clause.tokens if token.kind}
                    found.append((fit, heard))
            if (
                len(found) == 2
                and found[0][0].offered is not found[1][0].offered
                and any(best.offered is fit.offered for fit, _ in found)
            ):
                return found
        return []

    def _inherited(self, clause: Clause, heard: Heard, left: int) -> list[Step]:
        """What an elliptic turn asks for: the call of the turn before, with what is new."""
        if clause.mood in {Mood.EXPLAIN, Mood.COMPOSE, Mood.STATEMENT} or not self._situation.earlier:
            return []
        again = says_again(clause)
        if (not again and clause.mood is Mood.REQUEST and clause.refers_back) or (
            not again and clause.mood is Mood.REQUEST and len(heard.content) <= 2
        ):
            steps, text = self._earlier()
            if steps:
                keys = heard_of(clause_of(text, self._offer.verbs)).keys
                wider = heard_of(clause, {key: 0.6 * strength for key, strength in keys.items()})
                best = self._best(wider)
                if best is not None:
                    found: list[Step] = []
                    self._add(found, best, wider, [])
                    return found
        if not is_elliptic(clause, left):
            return []
        steps, text = self._earlier()
        if not steps:
            return []
        last = steps[-1]
        asks = resolved(clause, last.ask, self._offer, last.tool)
        return [Step(last.tool, ask) for ask in asks]

    def _more(self, steps: list[Step], clause: Clause) -> list[Step]:
        """ "And lift B?" after "Is lift A working?": the call just planned once more, with what is new."""
        if (
            not steps
            or clause.mood not in {Mood.FRAGMENT, Mood.QUESTION}
            or len(clause.text.split()) > 9
            or not any(token.kind for token in clause.tokens)
            or not (_AND_ALSO.match(clause.text) or clause.mood is Mood.QUESTION)
            or not (is_elliptic(clause, 1) or clause.mood is Mood.QUESTION)
        ):
            return []
        last = steps[-1]
        return [Step(last.tool, ask) for ask in resolved(clause, last.ask, self._offer, last.tool)]

    def _elaborate(self, steps: list[Step], clause: Clause) -> None:
        """A clause that asks for nothing of its own says more about the call before it."""
        if clause.mood in {Mood.FRAGMENT, Mood.STATEMENT, Mood.REQUEST, Mood.QUESTION}:
            steps[-1] = steps[-1].with_ask(joined([steps[-1].ask, clause.text]))

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
            provider = self._provider(best, missing, heard)
            told = clause.text
            if provider is None and self._whole is not None and len(self._whole.values) > len(heard.values):
                provider, told = self._provider(best, missing, self._whole), self._whole.clause.text
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

    @staticmethod
    def _told(wanted: Fit, missing: tuple[Parameter, ...]) -> list[str]:
        schema = wanted.offered.tool.input_schema
        properties = schema.get("properties")
        found: list[str] = []
        for parameter in missing:
            raw: object = properties.get(parameter.name) if isinstance(properties, dict) else None  # pyright: ignore
            text: object = raw.get("description") if isinstance(raw, dict) else None  # pyright: ignore
            if isinstance(text, str):
                found.append(text.lower())
        return found

    def _provider(self, wanted: Fit, missing: tuple[Parameter, ...], heard: Heard) -> Fit | None:
        """A reading tool whose result brings a value that the wanted tool lacks."""
        known = lexicon()
        best: tuple[float, Fit] | None = None
        told = wanted.offered.tool.description.lower() + " ".join(self._told(wanted, missing))
        found = fits(heard, self._offer)
        for fit in found:
            if fit.offered is not wanted.offered and fit.offered.tool.name.lower() in told and not fit.missing:
                # "the id from find_animal": the tools' own words say where it comes from.
                return fit
        for fit in found:
            profile = fit.offered.profile
            reads = any(worth >= 0.7 and act in known.reading for act, worth in profile.acts.items())
            if fit.offered is wanted.offered or not reads or fit.missing:
                continue
            for parameter in missing:
                if parameter.kind in {"number", "date", "time", "expression", "path", "url"}:
                    continue
                stems = [word for word in parameter.stems if word not in {"id", "numb", "valu", "to"}]
                if parameter.kind in {"email", "coordinate"}:
                    stems.append(lexicon().stem(parameter.kind))
                noun_keys = {key for keys, _ in profile.nouns for key in keys}
                worth = sum(profile.index.get(word, 0.0) for word in stems)
                enough = 0.3 if parameter.kind in {"email", "phone"} else 0.6
                if (stems and (noun_keys & set(stems) or worth >= enough)) or (not stems and fit.things > 0.3):
                    score = worth + fit.things
                    if best is None or score > best[0]:
                        best = (score, fit)
        return best[1] if best else None


def _whole(asked: str, clauses: list[Clause]) -> str:
    """All that is said, without what is not to be done; empty where that leaves nothing out."""
    kept = [clause.text for clause in clauses if clause.mood not in {Mood.NEGATED, Mood.SOCIAL, Mood.META}]
    if len(asked) > 2_000:
        return ""
    return asked if len(kept) == len(clauses) else joined(kept)
