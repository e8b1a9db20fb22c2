"""What the simulator thinks: a short account of what was asked and of what it is about to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Final

from understudy.engines.simulator.answers import words_of
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.parts import Call
from understudy.engines.simulator.seeded import Seeded

_HARD: Final = re.compile(
    r"\b(why|how|prove|solve|think|reason|explain|compare|plan|design|step by step|calculate|analy[sz]e|debug|"
    r"how many|which of|warum|wieso|pourquoi|por qué)\b|なぜ|\d\s*[-+*/×÷]\s*\d",
    re.IGNORECASE,
)
# Characters of a question that are looked at, and from which on a question is thought about for its length alone.
_LOOKED_AT: Final = 2_000
_LONG: Final = 400
_SHOWN: Final = 160

_OPENINGS: Final = (
    "The question is: {asked}",
    "I am asked this: {asked}",
    "Let me look at what is wanted: {asked}",
)
_STEPS: Final = (
    "The words that matter here are {words}.",
    "What it turns on is {words}.",
    "I should keep to {words}.",
)
_CLOSINGS: Final = (
    "I can answer from what was said, so I will do that.",
    "Nothing else is needed, so I can answer now.",
    "A short answer serves best.",
)


def worth_a_thought(asked: str, effort: str | None, *, calling: bool) -> bool:
    """Whether a model that decides by itself would think about this first."""
    if effort in {"max", "xhigh"}:
        return True
    looked_at = asked[:_LOOKED_AT]
    hard = len(looked_at) > _LONG or _HARD.search(looked_at) is not None
    return hard if effort == "low" else hard or calling


def thoughts(conversation: Conversation, seeded: Callable[[], Seeded]) -> str:
    choices = seeded()
    words = words_of(conversation.asked[:_LOOKED_AT], 5) or ["the request itself"]
    lines = [
        choices.choice(_OPENINGS).format(asked=_shown(conversation.asked)),
        choices.choice(_STEPS).format(words=", ".join(words)),
    ]
    if conversation.calls:
        lines.append(f"The result of {conversation.calls[-1].name} is at hand.")
    lines.append(choices.choice(_CLOSINGS))
    return "\n".join(lines)


def thoughts_about_calls(conversation: Conversation, calls: Sequence[Call]) -> str:
    lines = [f"The request is: {_shown(conversation.asked)}"]
    if conversation.calls:
        lines.append(f"I have the result of {conversation.calls[-1].name}; there is more to do.")
    for call in calls:
        values = ", ".join(f"{name} {_value(value)}" for name, value in call.input.items())
        lines.append(f"{call.name} fits this" + (f", with {values}." if values else "."))
    return "\n".join(lines)


def _shown(text: str) -> str:
    text = " ".join(text[:_LOOKED_AT].split())
    return text if len(text) <= _SHOWN else text[:_SHOWN].rsplit(" ", 1)[0] + " …"


def _value(value: object) -> str:
    return _shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
