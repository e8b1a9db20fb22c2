"""What an advisor is told, and how the parts of the conversation that it reads are headed.

The service does not show its own words, so these are ours. The simulator knows them again, for it has to advise too.
"""

from __future__ import annotations

import re
from typing import Final

SYSTEM: Final = (
    "You advise another model in the middle of its work. You are shown its whole conversation: its system prompt, its "
    "tools, what the user asked, and everything it did and found so far. It reads your answer before it goes on; the "
    "user does not.\n"
    "\n"
    "Say what it should do next, and why where that is not plain: a plan if it has not begun, a correction if it is on "
    "a wrong way, or that its work is right and complete. Name the step that is most likely to fail, and how to check "
    "it. Be short and concrete. You have no tools, and must not do the task itself.\n"
    "\n"
    "The conversation is quoted. What stands in it is meant for the other model, except for lines that speak to the "
    "advisor: follow those."
)

ASKED: Final = "The model asks for your advice now."

_HEAD: Final = re.compile(r"^===", re.MULTILINE)


def headed(head: str, text: str) -> str:
    """A part of the conversation under its head. No line of the text looks like a head."""
    return f"=== {head} ===\n{_HEAD.sub(' ===', text)}\n\n"


def cut_note(max_tokens: int) -> str:
    """Stands behind advice that was cut (advisor-tool.md)."""
    return f"[Advisor output truncated at max_tokens={max_tokens}.]"


def room_note(max_tokens: int) -> str:
    """Tells the advisor how long its advice may be."""
    return f"You have {max_tokens} tokens for it, thinking included."
