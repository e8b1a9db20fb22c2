"""Web search: one call of it is one search, whose results the conversation carries."""
