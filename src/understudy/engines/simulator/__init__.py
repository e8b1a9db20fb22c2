"""The built-in deterministic engine: a stand-in for Claude that needs no model."""
