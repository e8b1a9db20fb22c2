"""The countdown of a task budget, as a model reads it.

"Claude sees a budget-countdown marker injected server-side throughout the conversation" (task-budgets.md, 2026-08).
What it says is not shown, so the words are ours. The simulator, and who quotes a conversation, know it again.
"""

from __future__ import annotations

import re
from typing import Final

TAG: Final = "token_budget"

_MARKER: Final = re.compile(rf"<{TAG}>(\d+) of (\d+) tokens are left[^<]*</{TAG}>")


def marker(left: int, total: int) -> str:
    said = f"{max(left, 0)} of {total} tokens are left for this task: for thinking, calls of tools, their results"
    return f"<{TAG}>{said} and the answer.</{TAG}>"


def is_marker(text: str) -> bool:
    return text.startswith(f"<{TAG}>") and _MARKER.fullmatch(text) is not None


def left_by(text: str) -> int | None:
    """What a marker says is left; None for any other text."""
    found = _MARKER.fullmatch(text)
    return None if found is None else int(found[1])
