"""Tool search: finding the few definitions that a task needs among many that are not in the prompt."""
