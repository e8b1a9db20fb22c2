"""Prompt caching: breakpoints, the ledger of what is cached, and the diagnosis of misses."""

from understudy.messages.caching.breakpoints import has_breakpoints
from understudy.messages.caching.cache import CacheTurn, CacheUse, PromptCache
from understudy.messages.caching.diagnosis import asks_diagnosis
from understudy.messages.caching.ledger import Entry, Ledger, MemoryLedger

__all__ = [
    "CacheTurn",
    "CacheUse",
    "Entry",
    "Ledger",
    "MemoryLedger",
    "PromptCache",
    "asks_diagnosis",
    "has_breakpoints",
]
