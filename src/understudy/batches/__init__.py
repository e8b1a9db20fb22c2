"""Message Batches: many requests answered in the background, by any engine."""
