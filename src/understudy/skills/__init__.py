"""The Skills API, and the skills that messages name."""
