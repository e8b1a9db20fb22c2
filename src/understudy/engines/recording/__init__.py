"""Exchanges with a Claude API, written to a file and answered from it again. Needs no other room."""
