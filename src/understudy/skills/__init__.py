"""The Skills API: folders of instructions and scripts, kept in versions, and mounted where code is run."""
