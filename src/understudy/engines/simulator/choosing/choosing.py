"""The calls a cooperative model makes for what a person asks, one round at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from understudy.engines.simulator.choosing.offers import offer_of
from understudy.engines.simulator.choosing.plan import plan_of
from understudy.engines.simulator.choosing.situation import Choice, Situation
from understudy.engines.simulator.choosing.steps import Step
from understudy.wire.client_tools import ClientTool

_MOST_CALLS = 20
_NOTHING = re.compile(
    r"^\W*(?:no|none|null|nothing|not found|empty|0)\b(?! problem).{0,80}$|\b(?:not found|no (?:match\w*|results?"
    r"|such|contacts?|records?|entries|items?)|does not exist|couldn't find|could not find|0 results)\b"
    r"|^\s*(?:\[\s*\]|\{\s*\}|\"\"|\{\"\w+\":\s*\[\s*\]\})?\s*$",
    re.IGNORECASE,
)
_RESULT_ID = re.compile(
    r"\"(?:\w*_?id|number|key|sku)\"\s*:\s*\"?([\w.@-]+)|\b([A-Za-z]{1,9}[-_]\w*\d[\w-]*)\b|#(\w*\d\w*)|\b(?:id"
    r"|number)[:= ]+(\w+)",
    re.IGNORECASE,
)


def choose(
    tools: Sequence[ClientTool], situation: Situation, *, must: bool = False, parallel: bool = True
) -> list[Choice]:
    """The calls to make now for the last user turn; empty where nothing fits or all is done.

    `must`: some call is to be made whatever the scores. `parallel` False: at most one.
    """
    if not tools or len(situation.calls) >= _MOST_CALLS:
        return []
    offer = offer_of(tools)
    steps = plan_of(offer, situation, must=must and not situation.calls)
    if not situation.calls:
        ready = [step for step in steps if step.after is None]
    else:
        ready = _undone(steps, situation)
    return [Choice(step.tool, step.ask) for step in ready[: None if parallel else 1]]


def _undone(steps: list[Step], situation: Situation) -> list[Step]:
    """The steps that no call made so far stands for and that nothing they follow from forbids."""
    made: Counter[str] = Counter()
    results: dict[str, list[tuple[str, bool]]] = {}
    for name, _, result, is_error in situation.calls:
        made[name] += 1
        results.setdefault(name, []).append((result, is_error))
    done: dict[int, tuple[str, bool] | None] = {}
    ready: list[Step] = []
    waiting: set[int] = set()
    for number, step in enumerate(steps):
        name = step.tool.name
        if made[name]:
            made[name] -= 1
            done[number] = results[name].pop(0)
            if step.each and step.after is not None:
                before = done.get(step.after)
                missing = (_count(before[0]) if before else 1) - 1 - made[name]
                if missing > 0:
                    made[name] = 0
                    ready += _for_each(
                        step, before[0] if before else "", skip=_count(before[0] if before else "") - missing
                    )
                else:
                    made[name] = 0
            continue
        if step.after is None:
            ready.append(step)
            waiting.add(number)
            continue
        if step.after in waiting:
            waiting.add(number)
            continue
        before = done.get(step.after)
        if before is None:
            continue
        result, is_error = before
        if is_error or (step.needs and _NOTHING.search(result[:2_000])):
            continue
        if step.condition and not step.holds(result):
            continue
        waiting.add(number)
        ready += _for_each(step, result) if step.each else [step]
    return ready


def _ids(result: str) -> list[str]:
    found: list[str] = []
    for match in _RESULT_ID.finditer(result[:8_000]):
        value = next(group for group in match.groups() if group)
        if value not in found:
            found.append(value)
    return found[:10]


def _count(result: str) -> int:
    return max(1, len(_ids(result)))


def _for_each(step: Step, result: str, skip: int = 0) -> list[Step]:
    ids = _ids(result)
    if len(ids) < 2:
        return [step] if not skip else []
    return [step.with_ask(f"{step.ask} ({value})") for value in ids[skip:]]
