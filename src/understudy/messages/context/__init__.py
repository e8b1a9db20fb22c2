"""Context management: what is cleared from a conversation before a model sees it, and what is summarized."""

from .clear_at import without_cleared
from .compaction import COMPACT, Compaction, compaction_of, uncompacted
from .edit import Count, Edited, edit_context

__all__ = [
    "COMPACT",
    "Compaction",
    "Count",
    "Edited",
    "compaction_of",
    "edit_context",
    "uncompacted",
    "without_cleared",
]
