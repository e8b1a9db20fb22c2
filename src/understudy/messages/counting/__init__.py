"""How many tokens a request's prompt has, by an estimate that needs no model."""

from understudy.messages.counting.count import count_prompt, same_prompt
from understudy.messages.counting.marked import MESSAGES, SYSTEM, TOOLS, Counted, Mark, count_marked

__all__ = ["MESSAGES", "SYSTEM", "TOOLS", "Counted", "Mark", "count_marked", "count_prompt", "same_prompt"]
