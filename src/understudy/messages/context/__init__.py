"""Context editing: what is cleared from a conversation before a model sees it."""

from .clear_at import without_cleared
from .edit import Count, Edited, edit_context

__all__ = ["Count", "Edited", "edit_context", "without_cleared"]
