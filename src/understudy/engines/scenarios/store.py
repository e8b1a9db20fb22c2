"""The scenario at work in a process: its rules and how often each was used, and the requests received meanwhile."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from understudy.engines.scenarios.matching import Asked, why_not
from understudy.engines.scenarios.model import MESSAGES_PATH, Answer, Chance, Chances, Rule, Scenario
from understudy.engines.scenarios.transport import Received
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.errors import InvalidRequestError

# Bytes of all the bodies that are kept.
_MOST_BYTES: Final = 64 * 1024 * 1024

# Rules that an error about an unmatched request goes through.
_MOST_TOLD: Final = 20


def _nobody_listens(_: bool) -> None:
    pass


@dataclass(slots=True)
class _Entry:
    rule: Rule
    name: str
    used: int = 0

    @property
    def used_up(self) -> bool:
        return self.rule.uses is not None and self.used >= self.rule.uses


@dataclass(slots=True, frozen=True)
class Taken:
    """What a request is answered with, and the name of the rule it comes from."""

    name: str
    answer: Answer


class Scenarios:
    """Nothing is kept and nobody asked until something is loaded (`active`).

    `on_active` is called when `active` may have changed, `on_ids` when ids are to be counted from the beginning (True)
    or to be random (False). May be used from any thread.
    """

    def __init__(self, kept_requests: int = 1_000) -> None:
        self.active = False
        self.ids: Literal["random", "deterministic"] = "random"
        self.on_active: Callable[[bool], None] = _nobody_listens
        self.on_ids: Callable[[bool], None] = _nobody_listens
        self.received: deque[Received] = deque(maxlen=kept_requests)
        # What was said of Messages requests that no rule was for.
        self.refused: deque[str] = deque(maxlen=kept_requests)
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []
        self._loaded = 0
        self._unmatched: Literal["answer", "error"] = "answer"
        self._chances: Chances | None = None
        self._numbers: Counter[str] = Counter()

    # --- what is loaded ---

    def load(self, scenario: Scenario, *, append: bool = False) -> None:
        """Take up `scenario` in place of what was loaded, or behind its rules. Counts begin again when it replaces."""
        with self._lock:
            if not append:
                self._forget()
            said = scenario.model_fields_set
            if "unmatched" in said:
                self._unmatched = scenario.unmatched
            if "faults" in said:
                self._chances = scenario.faults
            if "ids" in said:
                self.ids = scenario.ids
            self._entries += [self._entry(rule) for rule in scenario.rules]
            self.active = True
        self.on_active(True)
        if not append or "ids" in said:
            self.on_ids(self.ids == "deterministic")

    def add(self, rule: Rule, *, first: bool = False) -> None:
        """One more rule, behind those that are there, or in front of them."""
        with self._lock:
            self._entries.insert(0 if first else len(self._entries), self._entry(rule))
            self.active = True
        self.on_active(True)

    def reset(self) -> None:
        """Forget all: rules, faults, counts and received requests. Costs nothing from then on."""
        with self._lock:
            self._forget()
            self.active = False
        self.on_active(False)
        self.on_ids(False)

    def _forget(self) -> None:
        self._entries = []
        self._loaded = 0
        self._unmatched, self._chances, self.ids = "answer", None, "random"
        self._numbers.clear()
        self.received.clear()
        self.refused.clear()

    def _entry(self, rule: Rule) -> _Entry:
        self._loaded += 1
        return _Entry(rule, rule.name or f"rule {self._loaded}")

    def as_json(self) -> dict[str, Any]:
        """What is loaded, and how often each rule was used."""
        with self._lock:
            return {
                "type": "scenarios",
                "active": self.active,
                "unmatched": self._unmatched,
                "ids": self.ids,
                "faults": {} if self._chances is None else _shown(self._chances),
                "rules": [
                    {
                        "name": entry.name,
                        "used": entry.used,
                        "used_up": entry.used_up,
                        **_shown(entry.rule, exclude={"name"}),
                    }
                    for entry in self._entries
                ],
            }

    def unused(self) -> list[str]:
        """Names of the rules that still have answers to give, of those with a bounded number."""
        with self._lock:
            return [entry.name for entry in self._entries if entry.rule.uses is not None and not entry.used_up]

    # --- what a request gets ---

    def receive(self, received: Received) -> None:
        """Keep a request that has come. The oldest are given up for it when there are too many or too large ones."""
        with self._lock:
            self.received.append(received)
            while len(self.received) > 1 and sum(len(one.content) for one in self.received) > _MOST_BYTES:
                self.received.popleft()

    def number(self, path: str) -> int:
        """The number of a new request to `path`, from 1."""
        with self._lock:
            self._numbers[path] += 1
            return self._numbers[path]

    def take(self, asked: Asked, *, elsewhere: bool = False) -> Taken | None:
        """The answer for a request; None when the engine behind is to answer.

        `elsewhere`: a path other than the Messages API's is asked, and only rules that name such a path are looked at.
        Raises InvalidRequestError for a Messages request no rule is for, if the scenario says so.
        """
        reasons: list[str] = []
        with self._lock:
            # A rule that answers everything is for what no other answers.
            for entry in sorted(self._entries, key=lambda entry: entry.rule.is_last_resort):
                of_messages = entry.rule.when.of_messages
                # What names another path than the Messages API's had its turn before a model was asked.
                if of_messages if elsewhere else not of_messages and asked.path != MESSAGES_PATH:
                    continue
                reason = f"used up after {entry.rule.uses}" if entry.used_up else why_not(entry.rule.when, asked)
                if reason is None:
                    answers = entry.rule.answer
                    answer = answers[entry.used % len(answers)]
                    entry.used += 1
                    return Taken(entry.name, answer)
                reasons.append(f"{entry.name}: {reason}")
            refused = self._unmatched == "error" and not elsewhere
        if refused:
            told = _nothing_for(asked, reasons)
            self.refused.append(told)
            raise InvalidRequestError(told)
        return None

    def chance(self, asked: Asked) -> Chance | None:
        """What happens to this request by chance; the same for the same number and seed."""
        chances = self._chances
        if chances is None or not chances.each:
            return None
        seed = f"{chances.seed} {asked.path} {asked.number}".encode()
        drawn = Seeded(hashlib.blake2b(seed, digest_size=32).digest()).share()
        for one in chances.each:
            drawn -= one.probability
            if drawn < 0:
                return one
        return None


def _shown(part: Rule | Chances, exclude: set[str] | None = None) -> dict[str, Any]:
    return part.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=exclude)


def _nothing_for(asked: Asked, reasons: Iterable[str]) -> str:
    told = list(reasons)
    text = f"No scenario rule is for {asked.describe()}."
    if not told:
        return f"{text} There are no rules."
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    return f"{text} Tried: {'; '.join(told[:_MOST_TOLD])}{more}."
