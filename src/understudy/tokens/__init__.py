"""Token counting without a model."""
