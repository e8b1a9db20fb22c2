"""A text that is a command line itself, as one types it into a shell."""

from __future__ import annotations

import re
from typing import Final

from understudy.engines.simulator.choosing.commands import is_command

_SAID: Final = re.compile(
    r"^(?:please|run|execute|try|do|make)\b|[`\"',;\n]|\b(?:and|then|so|because)\b", re.IGNORECASE
)
_COURTESY: Final = re.compile(r"[\s.!]*\b(?:please|pls|plz|thanks|thx)?[\s.!]*$", re.IGNORECASE)
_LONGEST: Final = 400


def command_in(text: str) -> str:
    """The command line that a text is, without a word of courtesy; empty where it says more than that."""
    line = text.strip()
    if len(line) > _LONGEST or _SAID.search(line) or not is_command(line):
        return ""
    return _COURTESY.sub("", line)
