"""How many tokens a request's prompt has, by an estimate that needs no model."""

from understudy.messages.counting.count import count_prompt

__all__ = ["count_prompt"]
