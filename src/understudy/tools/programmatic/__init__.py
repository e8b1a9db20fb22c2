"""Programmatic tool calling: code in the container calls the tools of the request (the guide of that name, 2026-08)."""
